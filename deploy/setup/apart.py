"""Environments apart from `.venv`, below var/tools/: for programs that the project never imports.

What must never happen here: a package without its pinned hash, or anything that lands in the project's own environment.
"""

from collections.abc import Sequence
from pathlib import Path

from deploy.setup import places, running, stamp
from deploy.setup.python_packages import pins


def python(name: str) -> Path:
    """The interpreter of that environment, made or not."""
    return places.ROOT / "var" / "tools" / name / "bin" / "python"


def prepare(name: str, *, requirements: str, step: str, failing: str) -> None:
    """The environment with everything that the file pins. The first entry of a source package's tools is `setuptools`."""
    listed = places.ROOT / requirements
    home = python(name).parent.parent
    done, value = home / ".stamp", stamp.of([listed])
    if stamp.fresh(done, value):
        return
    own = places.venv() / "bin" / "python"
    running.run([own, "-m", "venv", "--clear", "--without-pip", home], step=step, failing=failing)
    entries = pins(listed.read_text())
    tools = [entry for entry in entries if entry.startswith("setuptools==")]
    for part, more in ((tools, ()), ([entry for entry in entries if entry not in tools], ("--no-build-isolation",))):
        _install(home, part, more, step=step, failing=failing)
    stamp.write(done, value)


def _install(home: Path, entries: Sequence[str], more: Sequence[str], *, step: str, failing: str) -> None:
    wanted = home / "wanted.txt"
    wanted.write_text("\n".join(entries) + "\n")
    command: list[str | Path] = [places.venv() / "bin" / "python", "-m", "pip", "--python", home / "bin" / "python"]
    command += ["install", "--require-hashes", "--no-deps", "-r", wanted, "--use-pep517", "--quiet", *more]
    command += ["--no-warn-conflicts", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    running.run(
        command,
        step=step,
        failing=failing,
        tries=running.NETWORK_TRIES,
    )
