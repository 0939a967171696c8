"""Remembers what was done from which inputs, so that a second run skips it. A stamp is written after the work, never before."""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path


def of(inputs: Iterable[Path], *, more: str = "") -> str:
    """A digest of the files' names and contents, and of the Python that set-up runs with."""
    digest = hashlib.sha256(f"{sys.version_info[:3]} {more}".encode())
    for path in sorted(inputs):
        digest.update(path.name.encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def fresh(stamp: Path, value: str) -> bool:
    return stamp.exists() and stamp.read_text().strip() == value


def write(stamp: Path, value: str) -> None:
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(value + "\n")
