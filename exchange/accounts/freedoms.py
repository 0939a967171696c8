"""What a log-in may do unasked, because nothing of it is counted for its customer: the rooms above say so at start-up.

It is read with the log-in and trusted as long (`api.admission`), so whatever changes it must have log-ins read again
(`log_ins.read_again`). What must never happen here: a freedom that nobody granted.
"""

from __future__ import annotations

from collections.abc import Callable

TRADING = "trading"

_known: dict[str, Callable[[int], bool]] = {}


def register(name: str, holds: Callable[[int], bool]) -> None:
    """`holds` tells of a customer, by his id, whether he has it. Called from an upper room's ready()."""
    _known[name] = holds


def of(user_id: int) -> frozenset[str]:
    """Every freedom that the customer has now."""
    return frozenset(name for name, holds in _known.items() if holds(user_id))
