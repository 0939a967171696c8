"""Who knows how much of a limit is used: the rooms above, which move the money, say so at start-up.

This room lies below them and cannot look into their tables. What must never happen here: a kind that nobody counts taken for
one that nobody has used.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from kyc.kinds import KINDS, WINDOWS


class Count(Protocol):
    """What a customer has used since each of these moments, worth in the reference currency as it was kept when it happened."""

    def __call__(self, *, user_id: int, since: Sequence[datetime], now: datetime) -> Sequence[int]: ...


_counts: dict[str, Count] = {}


def register(kind: str, count: Count) -> None:
    """Called from an upper room's ready()."""
    if kind not in KINDS:
        raise ValueError(f"there is no limit of this kind: {kind}")
    _counts[kind] = count


def of(kind: str, *, user_id: int, now: datetime) -> dict[int, int]:
    """Used in each window, by its seconds. LookupError where nobody counts this kind."""
    since = [now - timedelta(seconds=seconds) for seconds in WINDOWS]
    return dict(zip(WINDOWS, _counts[kind](user_id=user_id, since=since, now=now), strict=True))
