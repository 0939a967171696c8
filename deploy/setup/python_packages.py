"""The virtual environment `.venv`: every package at its pinned version, and only if its hash is the one in requirements.txt."""

import compileall
import importlib.util
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.setup import machine, places, running, stamp, unpack
from deploy.setup.failures import SetupError
from deploy.setup.progress import TALLY_EVERY_S, say

STEP = "python"
ROOT = places.ROOT
PIPS_AT_ONCE = 3


def _create() -> None:
    venv = places.venv()
    if (venv / "bin" / "pip").exists():
        return
    say(STEP, f"making {venv.name}")
    with_pip = importlib.util.find_spec("ensurepip") is not None
    command: list[str | Path] = [sys.executable, "-m", "venv", "--clear", venv]
    running.run(
        command if with_pip else [*command, "--without-pip"],
        step=STEP,
        failing="The virtual environment could not be made. Install Debian's python3-venv and run the same command again.",
    )
    if not with_pip:
        _bring_pip(venv)


def _bring_pip(venv: Path) -> None:
    """Debian keeps pip out of python3.11 itself (python3-venv has it): its wheel is unpacked from there, beside the system."""
    release = machine.release_fields(Path("/etc/os-release").read_text())
    suite = release.get("VERSION_CODENAME", "")
    if release.get("ID") != "debian" or not suite:
        raise SetupError(
            "This Python has no pip and no ensurepip: install python3-venv and run the same command again."
        )
    say(STEP, "this Python comes without pip: fetching Debian's")
    done = unpack.packages(name="pip", wanted=["python3-pip-whl"], suites=[suite], without=(), step=STEP)
    [wheel] = (done.root / "usr" / "share" / "python-wheels").glob("pip-*.whl")
    running.run(
        [venv / "bin" / "python", wheel / "pip", "install", "--no-index", "--quiet", wheel],
        step=STEP,
        failing="pip could not be put into the virtual environment. Install python3-venv, remove .venv and try again.",
    )


class _Shown:
    """Turns the lines of several pips into "41 of 171 packages", every two seconds at most."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.fetched = 0
        self.shown_at = time.monotonic()
        self.lock = threading.Lock()

    def __call__(self, line: str) -> None:
        if line.startswith("Installing collected packages"):
            say(STEP, f"unpacking {line.count(',') + 1} of them")
        if not line.startswith("Collecting "):
            return
        with self.lock:
            self.fetched += 1
            if time.monotonic() - self.shown_at < TALLY_EVERY_S:
                return
            self.shown_at = time.monotonic()
        say(STEP, f"{self.fetched} of {self.total} packages fetched")


def pins(text: str) -> list[str]:
    """The entries of a requirements file made by pip-compile: a name and version with its hashes, without comments."""
    kept = "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    return re.split(r"\n(?=\S)", kept) if kept else []


def pip_last(entries: Sequence[str]) -> tuple[list[str], list[str]]:
    """All entries but pip's own, and that one."""
    own = [entry for entry in entries if entry.startswith("pip==")]
    return [entry for entry in entries if entry not in own], own


def _install(name: str) -> None:
    requirements = ROOT / name
    done = places.venv() / f".{requirements.stem}.stamp"
    value = stamp.of([requirements])
    if stamp.fresh(done, value):
        return
    listed = pins(requirements.read_text())
    # pip itself comes last and alone: a pip whose files another replaces finds half of itself.
    entries, own = pip_last(listed)
    say(STEP, f"installing {len(listed)} packages of {name}, hashes checked")
    shown = _Shown(len(listed))
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(max_workers=PIPS_AT_ONCE) as pool:
        parts = []
        for number in range(PIPS_AT_ONCE):
            part = Path(folder) / f"{number}.txt"
            part.write_text("\n".join(entries[number::PIPS_AT_ONCE]) + "\n")
            parts.append(part)
        list(pool.map(lambda part: _install_part(part, name=name, shown=shown), parts))
        if own:
            part = Path(folder) / "pip.txt"
            part.write_text("\n".join(own) + "\n")
            _install_part(part, name=name, shown=shown)
    say(STEP, "compiling them")
    # Compiled here, on every core, instead of by each pip alone; a package with a file for another Python is no failure.
    library = next((places.venv() / "lib").glob("python3.*")) / "site-packages"
    compileall.compile_dir(library, quiet=2, workers=0)
    stamp.write(done, value)


def _install_part(part: Path, *, name: str, shown: _Shown) -> None:
    # Several pips may fill one environment because the parts share no package and --no-deps leaves nothing to resolve:
    # the file lists every package there is.
    running.run(
        [
            *(places.venv() / "bin" / "python", "-m", "pip", "install", "--require-hashes", "--no-deps", "-r", part),
            *("--use-pep517", "--no-compile", "--no-warn-conflicts", "--disable-pip-version-check", "--no-input"),
            *("--progress-bar", "off"),
        ],
        step=STEP,
        line=shown,
        failing=(
            f"pip could not install {name}. Check the network (behind a proxy set HTTPS_PROXY) and run the same "
            "command again; what was fetched is kept."
        ),
        tries=running.NETWORK_TRIES,
    )


def prepare() -> None:
    _create()
    _install("requirements.txt")
    say(STEP, f"packages stand in {os.path.relpath(places.venv(), ROOT)}")


def prepare_tests() -> None:
    _install("requirements-dev.txt")
    say(STEP, "packages for tests stand")
