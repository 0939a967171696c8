"""Small private files that are whole or not there: written beside, fsynced, renamed; named by UUIDs of ours alone.

What must never happen here: a name that came from outside (a path is built from a UUID, never from text), a file that is
half written under its own name, or a failed fsync that is tried again as if nothing were lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

SUFFIX = ".sealed"
_NEW = ".new"


def path(folder: Path, name: UUID) -> Path:
    """Where the file of that name lies: 256 folders, so that none grows too large."""
    if not isinstance(name, UUID):
        raise TypeError("A private file is named by a UUID.")
    return folder / name.hex[:2] / f"{name}{SUFFIX}"


def write(folder: Path, name: UUID, data: bytes) -> None:
    """Puts the file there for good, in place of an earlier one. It survives a power cut once this returns."""
    final = path(folder, name)
    fresh = not final.parent.exists()
    final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if fresh:
        _sync_folder(final.parent.parent)
    beside = final.with_name(f"{uuid4()}{_NEW}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(final)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(final.parent)


def read(folder: Path, name: UUID) -> bytes | None:
    """Its bytes, or None where there is no such file."""
    try:
        handle = os.open(path(folder, name), os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as file:
        return file.read()


def remove(folder: Path, name: UUID) -> bool:
    """Overwrites and unlinks it; False where it was gone already."""
    target = path(folder, name)
    try:
        handle = os.open(target, os.O_WRONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    with os.fdopen(handle, "wb") as file:
        file.write(b"\x00" * os.fstat(file.fileno()).st_size)
        file.flush()
        os.fsync(file.fileno())
    target.unlink(missing_ok=True)
    _sync_folder(target.parent)
    return True


def listed(folder: Path) -> Iterator[tuple[UUID, float]]:
    """The names of the files, and when each was last written (Unix seconds)."""
    for file in folder.glob(f"??/*{SUFFIX}"):
        try:
            yield UUID(file.name.removesuffix(SUFFIX)), file.stat().st_mtime
        except (ValueError, FileNotFoundError):
            continue


def remove_unfinished(folder: Path, *, older_than: float) -> int:
    """Removes what a killed process left half written; how many."""
    removed = 0
    for file in folder.glob(f"??/*{_NEW}"):
        try:
            if file.stat().st_mtime < older_than:
                file.unlink()
                removed += 1
        except FileNotFoundError:
            continue
    return removed


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
