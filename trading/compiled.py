"""The engine's core as machine code: the same source, compiled by mypyc, used where it stands and never needed.

`make compile` builds trading/engine into var/compiled/<key>/, outside the package. The key is a hash of every source file and of
this Python, so binaries of another source or another Python are not found at all: what runs is always what can be read.
What must never happen here: a core that is half compiled, or a process that refuses to start because nothing was built.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "trading.engine"
VARIABLE = "ENGINE_COMPILED"  # "0" runs the source though a compiled core stands
COMPLETE = "complete"  # the file that is written last


def sources(root: Path = ROOT) -> list[Path]:
    """Every file of the core, in order; all but the package's own `__init__` are compiled."""
    return sorted((root / "trading" / "engine").glob("*.py"))


def key(root: Path = ROOT) -> str:
    """What the binaries depend on, in 16 letters."""
    digest = hashlib.sha256(f"{sys.version} {sysconfig.get_config_var('EXT_SUFFIX')}\n".encode())
    for path in sources(root):
        body = path.read_bytes()
        digest.update(f"{path.name} {len(body)}\n".encode() + body)
    return digest.hexdigest()[:16]


def folder(root: Path = ROOT) -> Path:
    """Where the core compiled from this very source by this very Python stands, if it does."""
    return root / "var" / "compiled" / key(root)


def stands() -> bool:
    """Whether a process that starts now would run a compiled core."""
    return os.environ.get(VARIABLE) != "0" and (folder() / COMPLETE).exists()


def used() -> bool:
    """Whether the core of this process is the compiled one."""
    return not str(import_module(f"{PACKAGE}.matching").__file__).endswith(".py")


def use() -> bool:
    """Let later imports of the core find its compiled modules. Before the first of them; False where the source runs."""
    if not stands() or any(name.startswith(f"{PACKAGE}.") for name in sys.modules):
        return False
    here = folder()
    package = import_module(PACKAGE)
    if (compiled := str(here / "trading" / "engine")) not in package.__path__:
        package.__path__.insert(0, compiled)
        sys.path.append(str(here))  # the part that the modules share is found by its own name
    return True
