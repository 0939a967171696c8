"""The lists in force as an index in this process's memory, made anew when a version is taken.

What must never happen here: a customer screened against an index and noted as screened against a newer one.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from kyc.models import ListedEntry
from kyc.screening import entries, selectors
from kyc.screening.matching import Index


@dataclass(frozen=True, slots=True)
class Current:
    """`rows` are the ids of the entries' rows, in the order of the index's entries."""

    epoch: int
    index: Index
    rows: tuple[int, ...]


_lock = threading.Lock()
_held: Current | None = None


def lists() -> Current:
    """The lists in force. One query; where they changed, all entries are read and indexed, which takes seconds."""
    global _held
    epoch = selectors.epoch()
    held = _held
    if held is not None and held.epoch == epoch:
        return held
    with _lock:
        # Read before the entries: a version that is taken in between makes them newer than they are called, never older.
        epoch = selectors.epoch()
        if _held is None or _held.epoch != epoch:
            found = list(ListedEntry.objects.filter(last_version=None).order_by("id").values_list("id", "body"))
            index = Index([entries.read(body) for _, body in found])
            _held = Current(epoch, index, tuple(row_id for row_id, _ in found))
        return _held


def forget() -> None:
    """Drops what is held; for tests, whose databases come and go under one process."""
    global _held
    _held = None
