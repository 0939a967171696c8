"""Unpacks Debian packages beside the system: download in parallel, check each SHA256, `dpkg -x` into a cache folder.

No package is installed and no maintainer script runs. A manifest is written last, so a folder it names is whole.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from deploy.setup import debarchive, debindex, download, places
from deploy.setup.failures import SetupError
from deploy.setup.progress import Tally, say

DOWNLOADS_AT_ONCE = 6


@dataclass(frozen=True)
class Unpacked:
    root: Path
    versions: dict[str, str]


def unpacked(name: str) -> Unpacked | None:
    """What an earlier run unpacked under this name, if it still stands."""
    try:
        stated = json.loads(places.manifest(name).read_text())
    except (OSError, ValueError):
        return None
    root = places.cache() / stated["root"]
    return Unpacked(root=root, versions=stated["versions"]) if root.is_dir() else None


def _extract(archives: Sequence[Path], root: Path) -> None:
    if shutil.which("dpkg") is None:
        raise SetupError("There is no dpkg on this machine to unpack Debian's packages: Bourse is set up on Debian 12.")
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix="unpacking-") as scratch:
        for archive in archives:
            subprocess.run(["dpkg", "-x", str(archive), scratch], check=True)
        Path(scratch).chmod(0o755)
        shutil.rmtree(root, ignore_errors=True)
        shutil.move(scratch, root)
        Path(scratch).mkdir()  # the context manager expects something to delete


def packages(
    *,
    name: str,
    wanted: Sequence[str],
    suites: Sequence[str],
    without: Collection[str],
    step: str,
) -> Unpacked:
    """Unpacks `wanted` and all that it needs, from the first suite that has each package."""
    with ThreadPoolExecutor(max_workers=len(suites)) as pool:
        read = list(pool.map(lambda suite: debarchive.suite(suite, step=step), suites))
    index = debindex.Index()
    source: dict[str, str] = {}
    for suite in read:
        index.add(suite.packages)
        source.update({package.sha256: suite.mirror for package in suite.packages})
    chosen = debindex.closure(index, wanted=wanted, without=without)
    total_bytes = sum(package.size_bytes for package in chosen)
    say(step, f"{len(chosen)} Debian packages to unpack, {total_bytes / 1e6:.0f} MB")

    tally = Tally(step=step, total_bytes=total_bytes)
    through = debarchive.opener()

    def fetch(package: debindex.Package) -> Path:
        target = places.cache() / "debs" / Path(package.filename).name
        address = f"{source[package.sha256]}/{package.filename}"
        return download.get(address, target, sha256=package.sha256, opener=through, tally=tally)

    with ThreadPoolExecutor(max_workers=DOWNLOADS_AT_ONCE) as pool:
        archives = list(pool.map(fetch, chosen))
    mark = sha256("".join(package.sha256 for package in chosen).encode()).hexdigest()[:12]
    root = places.cache() / f"{name}-{mark}"
    if not root.is_dir():
        _extract(archives, root)
    versions = {package.name: package.version for package in chosen}
    manifest = places.manifest(name)
    scratch = manifest.with_suffix(".new")
    scratch.write_text(json.dumps({"root": root.name, "versions": versions}, indent=1, sort_keys=True) + "\n")
    scratch.replace(manifest)
    return Unpacked(root=root, versions=versions)
