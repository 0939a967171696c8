"""Looks at the machine before anything is fetched, and says in one sentence what is missing and what to do about it.

The judging functions are pure (they are given what was seen); `check` looks.
"""

import os
import platform
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.setup import places
from deploy.setup.failures import SetupError

DISK_FREE_MIN_BYTES = 3 * 10**9
DEFAULT_PORT = 8000
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - looked at, not used


def release_fields(text: str) -> dict[str, str]:
    """The fields of /etc/os-release."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def judge_python(version: tuple[int, int]) -> None:
    if version != (3, 11):
        raise SetupError(
            f"Bourse's packages are pinned for Python 3.11 and this is {version[0]}.{version[1]}: install Debian's python3.11, "
            "or name one with `make demo PYTHON=/path/to/python3.11`."
        )


def judge_system(release: Mapping[str, str], *, architecture: str, own_programs: bool) -> None:
    """Debian on amd64: from there bitcoind and litecoind can be fetched. With programs of one's own any Linux will do."""
    if own_programs:
        return
    way_out = "set BITCOIND= and LITECOIND= to programs of your own, or use Debian 12 on amd64."
    if release.get("ID") != "debian":
        name = release.get("PRETTY_NAME", "not Debian")
        raise SetupError(f"This machine runs {name}, and the chain nodes are fetched from Debian's packages: {way_out}")
    if architecture not in ("x86_64", "amd64"):
        raise SetupError(f"This machine is {architecture}, and the chain nodes are fetched for amd64: {way_out}")


def judge_disk(free_bytes: int, folder: Path) -> None:
    if free_bytes < DISK_FREE_MIN_BYTES:
        raise SetupError(
            f"{folder} has {free_bytes / 1e9:.1f} GB free and set-up needs {DISK_FREE_MIN_BYTES / 1e9:.0f} GB: "
            "make room, or put the checkout on another disk."
        )


def judge_shared_memory(usable: bool) -> None:
    if not usable:
        raise SetupError(
            f"{SHARED_MEMORY} cannot be written to, and the demo's supervisor and Chromium need it: mount a tmpfs there "
            "(in a container: the option --shm-size)."
        )


def read_port(text: str) -> int:
    """The value of PORT."""
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 65535:
        return int(text)
    raise SetupError(f"PORT={text} is not a port: give a number from 1 to 65535, for example PORT={DEFAULT_PORT}.")


def port_taken(port: int, holder: str) -> SetupError:
    by_whom = f" by {holder}" if holder else ""
    return SetupError(
        f"Port {port} is taken{by_whom}: stop that program, or choose another port with `make demo PORT={min(port + 1, 65535)}`."
    )


def _holder(port: int) -> str:
    """Who listens there, where /proc tells; a person should not have to find out by themselves."""
    wanted = f":{port:04X}"
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:] if Path(table).exists() else ():
            columns = line.split()
            if columns[1].endswith(wanted) and columns[3] == "0A":
                inodes.add(f"socket:[{columns[9]}]")
    for handle in Path("/proc").glob("[0-9]*/fd/*") if inodes else ():
        try:
            if str(handle.readlink()) in inodes:
                folder = handle.parent.parent
                return f"{(folder / 'comm').read_text().strip()} (process {folder.name})"
        except OSError:  # another user's process, or one that has just ended
            continue
    return ""


def check_port(port: int) -> None:
    """Refuses a port that the web server could not listen on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError as exc:
            raise SetupError(
                f"Port {port} is reserved for root: choose another with `make demo PORT={DEFAULT_PORT}`."
            ) from exc
        except OSError as exc:
            raise port_taken(port, _holder(port)) from exc


def check(environment: Mapping[str, str]) -> None:
    """Everything that must be so before set-up starts; the port is the demo's own question."""
    if sys.platform != "linux":
        raise SetupError("Bourse is set up on Linux: use Debian 12, in a virtual machine or a container if need be.")
    judge_python(sys.version_info[:2])
    release = Path("/etc/os-release")
    judge_system(
        release_fields(release.read_text()) if release.exists() else {},
        architecture=platform.machine(),
        own_programs=bool(environment.get("BITCOIND") and environment.get("LITECOIND")),
    )
    judge_shared_memory(os.access(SHARED_MEMORY, os.W_OK))
    judge_disk(shutil.disk_usage(places.ROOT).free, places.ROOT)
