"""Compiles the engine's core where this machine can, and says so where it cannot (see trading/compiled.py).

Optional from end to end: whatever fails here leaves an engine that runs from its source.
"""

import os
import shutil
import sysconfig
from pathlib import Path

from deploy.setup import apart, places, running
from deploy.setup.failures import SetupError
from deploy.setup.progress import say
from trading import compiled

STEP = "compile"
TOOLS = "compile"
KEPT = 4  # cores of other sources, the newest ones: a branch changed back finds its own
BUILD = """
import sys
from mypyc.build import mypycify
from setuptools import setup
flags = ["--strict", "--follow-imports=silent", "--cache-dir=" + sys.argv[1]]
setup(
    name="bourse-engine",
    ext_modules=mypycify(flags + sys.argv[2:], opt_level="3", debug_level="0", group_name="bourse_engine"),
    script_args=["--quiet", "build_ext", "--inplace"],
)
"""


def prepare() -> None:
    """The compiled core, or one sentence that says why the source runs instead."""
    if (compiled.folder() / compiled.COMPLETE).exists():
        say(STEP, "the engine's core stands compiled")
        return
    if missing := lacking():
        say(STEP, f"{missing}: the engine runs from its source, slower and otherwise the same")
        return
    try:
        build()
        say(STEP, "the engine's core is compiled")
    except SetupError as error:
        say(STEP, f"the engine's core could not be compiled and runs from its source:\n{error}")


def lacking() -> str:
    """What this machine has not got for it; empty where it has all."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        return f"no C compiler here ({compiler})"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return "Python's C headers are not here (Debian: python3-dev)"
    return ""


def build() -> Path:
    """Compile, and put it in its place in one move. Raises SetupError."""
    say(STEP, "compiling the engine's core, about half a minute")
    apart.prepare(
        TOOLS,
        requirements="requirements-compile.txt",
        step=STEP,
        failing="The compiler for Python could not be fetched.",
    )
    done = compiled.folder()
    work = done.with_name(f"making-{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    try:
        package = work / "trading" / "engine"
        package.mkdir(parents=True)
        (work / "trading" / "__init__.py").touch()
        (package / "__init__.py").touch()
        names = [path.name for path in compiled.sources() if path.name != "__init__.py"]
        for name in names:
            shutil.copyfile(places.ROOT / "trading" / "engine" / name, package / name)
        script = work / "build.py"
        script.write_text(BUILD)
        running.run(
            [apart.python(TOOLS), script, work / "types", *(f"trading/engine/{name}" for name in names)],
            step=STEP,
            failing="mypyc could not compile trading/engine.",
            folder=work,
        )
        for name in names:
            (package / name).unlink()  # what Python finds here is compiled, or nothing
        shutil.rmtree(work / "build", ignore_errors=True)
        shutil.rmtree(work / "types", ignore_errors=True)
        (work / compiled.COMPLETE).touch()
        shutil.rmtree(done, ignore_errors=True)
        work.rename(done)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _forget_old(done)
    return done


def _forget_old(newest: Path) -> None:
    others = [path for path in newest.parent.iterdir() if path != newest and (path / compiled.COMPLETE).exists()]
    for path in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(path, ignore_errors=True)
