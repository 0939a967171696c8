"""The virtual environment `.venv`: every package at its pinned version, and only if its hash is the one in requirements.txt."""

import importlib.util
import os
import re
import sys
import time
from pathlib import Path

from deploy.setup import machine, places, running, stamp, unpack
from deploy.setup.failures import SetupError
from deploy.setup.progress import TALLY_EVERY_S, say

STEP = "python"
ROOT = places.ROOT


def _create() -> None:
    venv = places.venv()
    if (venv / "bin" / "pip").exists():
        return
    say(STEP, f"making {venv.name}")
    with_pip = importlib.util.find_spec("ensurepip") is not None
    command = [sys.executable, "-m", "venv", "--clear", venv]
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
    """Turns pip's lines into "41 of 171 packages", every two seconds at most."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.fetched = 0
        self.shown_at = 0.0

    def __call__(self, line: str) -> None:
        if line.startswith("Collecting "):
            self.fetched += 1
        elif line.startswith("Installing collected packages"):
            say(STEP, "installing them")
            return
        now = time.monotonic()
        if self.fetched and now - self.shown_at >= TALLY_EVERY_S:
            self.shown_at = now
            say(STEP, f"{self.fetched} of {self.total} packages fetched")


def _install(name: str) -> None:
    requirements = ROOT / name
    done = places.venv() / f".{requirements.stem}.stamp"
    value = stamp.of([requirements])
    if stamp.fresh(done, value):
        return
    total = len(re.findall(r"^[A-Za-z0-9_.\-]+(\[[^\]]*\])?==", requirements.read_text(), re.MULTILINE))
    say(STEP, f"installing {total} packages of {name}, hashes checked")
    running.run(
        # --no-deps: the file lists every package there is; nothing is left to resolve.
        [
            *(
                places.venv() / "bin" / "python",
                "-m",
                "pip",
                "install",
                "--require-hashes",
                "--no-deps",
                "-r",
                requirements,
            ),
            *("--disable-pip-version-check", "--no-input", "--progress-bar", "off"),
        ],
        step=STEP,
        line=_Shown(total),
        failing=f"pip could not install {name}. Check the network (behind a proxy set HTTPS_PROXY) and run the same command again.",
    )
    stamp.write(done, value)


def prepare() -> None:
    _create()
    _install("requirements.txt")
    say(STEP, f"packages stand in {os.path.relpath(places.venv(), ROOT)}")


def prepare_tests() -> None:
    _install("requirements-dev.txt")
    say(STEP, "packages for tests stand")
