"""Opens and writes the files that only the signer's own user may see: keystore, passphrase, limits, velocity log.

What must never happen here: a secret read from, or written into, a place that another user can read or change.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path


class FileExposed(RuntimeError):
    """A file, or the folder it stands in, belongs to somebody else or is open to others. Nothing was read from it."""


def read(path: Path, *, size_max: int = 1_000_000, others_may_read: bool = False) -> bytes:
    """The content of a file of ours. Raises FileExposed, FileNotFoundError or another OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as handle:
        check(path, os.fstat(descriptor), others_may_read=others_may_read)
        content = handle.read(size_max + 1)
    if len(content) > size_max:
        raise FileExposed(f"{path} is larger than such a file can be")
    return content


def check(path: Path, found: os.stat_result, *, others_may_read: bool = False) -> None:
    """Raises FileExposed unless the opened file and its folder are ours alone."""
    if not stat.S_ISREG(found.st_mode):
        raise FileExposed(f"{path} is not a plain file")
    if found.st_uid != os.geteuid():
        raise FileExposed(f"{path} belongs to another user")
    forbidden = 0o022 if others_may_read else 0o077
    if found.st_mode & forbidden:
        raise FileExposed(f"{path} is open to other users: chmod {'go-w' if others_may_read else '600'} it")
    folder = path.resolve().parent.stat()
    if folder.st_uid not in (os.geteuid(), 0) or (folder.st_mode & 0o022 and not folder.st_mode & stat.S_ISVTX):
        raise FileExposed(f"others can replace files in {path.resolve().parent}: chmod go-w it")


def write_new(path: Path, content: bytes) -> None:
    """Writes a file of mode 600 that does not exist yet, durably. Raises FileExistsError; an old file is never touched."""
    _prepare_folder(path)
    part = _part(path)
    try:
        _write(part, content)
        os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def replace(path: Path, content: bytes) -> None:
    """Writes a file of mode 600 in place of an older one, durably and at once."""
    _prepare_folder(path)
    part = _part(path)
    try:
        _write(part, content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the folder's own entries durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _part(path: Path) -> Path:
    """A name that nothing has: what a killed process left behind must not stand in the way of the next."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def _prepare_folder(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
