"""Finds the Debian mirror that this machine's own apt is set to, and fetches a suite's package index from it.

No mirror is named here: apt is asked. An index is believed only when its SHA256 stands in the suite's Release file, and
that file only when Debian's keyring vouches for it (where gpgv is there to check it, as it is wherever apt is).
"""

import lzma
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.setup import debindex, download, places
from deploy.setup.failures import SetupError
from deploy.setup.progress import say

KEYRINGS = Path("/usr/share/keyrings")
INDEX_PATH = "main/binary-amd64/Packages.xz"


def _ask(*command: str) -> str:
    """A program's output, or nothing when it is missing or fails: the caller says what that means."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def opener() -> urllib.request.OpenerDirector:
    """Goes through apt's proxy when apt has one, else through the environment's."""
    proxies = urllib.request.getproxies()
    for line in _ask("apt-config", "dump").splitlines():
        for scheme in ("http", "https"):
            if line.startswith(f"Acquire::{scheme}::Proxy ") and (value := line.split('"')[1]) not in ("", "DIRECT"):
                proxies[scheme] = value
    return urllib.request.build_opener(urllib.request.ProxyHandler(proxies))


def mirrors() -> list[str]:
    """The roots of apt's archives, those that apt already knows to be Debian's own first."""
    known = _ask("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian")
    # On a machine whose package lists were deleted (a slim container) the first question has no answer; this one does.
    planned = _ask("apt-get", "update", "--print-uris")
    found = known.split()
    for line in planned.splitlines():
        address = line.split()[0].strip("'") if line.strip() else ""
        root, dists, rest = address.partition("/dists/")
        if dists and "security" not in rest:
            found.append(root)
    return list(dict.fromkeys(address.rstrip("/") for address in found))


@dataclass(frozen=True)
class Suite:
    """One suite on one mirror, its index checked."""

    mirror: str
    name: str
    packages: list[debindex.Package]


def _verify_signature(release: Path, *, step: str) -> None:
    """Refuses a Release file that none of Debian's keys signed, or that was altered after a signature."""
    gpgv = shutil.which("gpgv")
    # Keys that Debian has withdrawn lie in a keyring of their own; they vouch for nothing.
    found = [path for path in sorted(KEYRINGS.glob("debian-archive-*")) if path.suffix in (".gpg", ".pgp")]
    keyrings = [path for path in found if "removed" not in path.name]
    if gpgv is None or not keyrings:
        say(step, "no gpgv or no Debian keyring here: the index's signature is not checked, only its SHA256")
        return
    command = [gpgv, "--status-fd", "1"]
    for keyring in keyrings:
        command += ["--keyring", str(keyring)]
    ran = subprocess.run([*command, str(release)], capture_output=True, text=True, check=False)
    status = {line.split()[1] for line in ran.stdout.splitlines() if line.startswith("[GNUPG:] ")}
    # A file may carry a signature by a key newer than this machine; one good signature suffices, as it does for apt.
    if "VALIDSIG" not in status or "BADSIG" in status:
        raise SetupError(
            "The mirror's Release file is not signed by a Debian key that this machine knows: update the package "
            "debian-archive-keyring, or set BITCOIND=, LITECOIND= and CHROMIUM= to programs of your own."
        )


def _signed_part(text: str) -> Iterator[str]:
    """The lines between the signature's armour; what stands outside it was never signed."""
    inside = not text.startswith("-----BEGIN PGP SIGNED MESSAGE-----")
    for line in text.splitlines():
        if not inside and not line.strip():
            inside = True
        elif line.startswith("-----BEGIN PGP SIGNATURE-----"):
            return
        elif inside:
            yield line


def stated_digest(release: str, *, path: str) -> str:
    """The SHA256 that a Release file gives for one of its files."""
    section = ""
    for line in _signed_part(release):
        if not line.startswith(" "):
            section = line.partition(":")[0]
        elif section == "SHA256" and line.split()[2:] == [path]:
            return line.split()[0].lower()
    raise SetupError(f"The mirror's Release file does not list {path}.")


def _fetch_suite(mirror: str, name: str, *, through: urllib.request.OpenerDirector, step: str) -> Suite:
    folder = places.cache() / "debian" / name
    root = f"{mirror}/dists/{name}"
    release = download.get(f"{root}/InRelease", folder / "InRelease", sha256=None, opener=through)
    _verify_signature(release, step=step)
    sha256 = stated_digest(release.read_text(encoding="utf-8"), path=INDEX_PATH)
    by_hash = f"{root}/{INDEX_PATH.rpartition('/')[0]}/by-hash/SHA256/{sha256}"
    target = folder / "Packages.xz"
    try:
        index = download.get(by_hash, target, sha256=sha256, opener=through)
    except SetupError:  # a mirror without by-hash has the index under its plain name only
        index = download.get(f"{root}/{INDEX_PATH}", target, sha256=sha256, opener=through)
    say(step, f"read the index of {name}, SHA256 as in its Release file")
    with lzma.open(index, "rt", encoding="utf-8") as text:
        return Suite(mirror=mirror, name=name, packages=list(debindex.parse(text.read())))


def suite(name: str, *, step: str) -> Suite:
    """The suite from the first of apt's mirrors that carries it."""
    through = opener()
    tried = mirrors()
    if not tried:
        raise SetupError(
            "apt names no Debian mirror on this machine: set BITCOIND=, LITECOIND= (and CHROMIUM= for tests) to programs "
            "of your own, or give apt a Debian source."
        )
    failures = []
    for mirror in tried:
        try:
            return _fetch_suite(mirror, name, through=through, step=step)
        except SetupError as exc:
            failures.append(exc.cause)
    raise SetupError(
        f"None of apt's mirrors gave Debian's {name}: {' '.join(dict.fromkeys(failures))}",
        "Check the network, or set BITCOIND=, LITECOIND= (and CHROMIUM= for tests) to programs of your own.",
    )
