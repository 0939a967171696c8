"""Named points at which a test may kill the real process, with a count of how often each was passed.

Armed by the environment alone: BOURSE_FAULTS names a folder. Each passage is counted in it, and where it holds an order
("point:n", the n-th passage from now on), whoever passes there takes the order away and dies by SIGKILL, as a machine
that loses its power does. Production settings refuse to start with it. It lies in this room because the signer and the
wallets above it both pass here.
What must never happen here: anything at all, unless armed.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

VARIABLE = "BOURSE_FAULTS"
ORDER = "order"
PASSED = "passed"
STRUCK = "struck"


def passing(name: str) -> None:
    """Count the passage; die here if that was ordered."""
    folder = os.environ.get(VARIABLE)
    if folder:
        _pass(Path(folder), name)


def _pass(folder: Path, name: str) -> None:
    _append(folder / PASSED, name)
    order = folder / ORDER
    try:
        wanted, left = order.read_text().rsplit(":", 1)
        if wanted != name:
            return
        if int(left) > 1:
            _replace(order, f"{name}:{int(left) - 1}")
            return
        order.unlink()  # whoever takes the file away has the order
    except (FileNotFoundError, ValueError):
        return
    _append(folder / STRUCK, name)
    os.kill(os.getpid(), signal.SIGKILL)


def _append(file: Path, name: str) -> None:
    # One short write with O_APPEND is whole, whatever other processes append.
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{name} {os.getpid()}\n".encode())
    finally:
        os.close(descriptor)


def _replace(file: Path, text: str) -> None:
    fresh = file.with_suffix(f".{os.getpid()}")
    fresh.write_text(text)
    fresh.replace(file)
