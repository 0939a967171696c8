"""Who reads which topic. Rooms fill it in AppConfig.ready(), so that news can go up without an import going up.

A reader runs inside its delivery's own transaction: what it writes to the database happens exactly once; what it does
outside (an e-mail, a call) may happen again after a crash, so it must bear that. What must never happen here: two readers
of one name, for the name is what a delivery remembers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """What a reader is given; `attempt` counts from 1, `now` is the clock as the delivery read it."""

    id: int
    topic: str
    key: str
    payload: dict[str, Any]
    created_at: datetime
    attempt: int
    now: datetime


@dataclass(frozen=True, slots=True)
class Reader:
    """A function that takes events of one topic, under a name that lasts."""

    name: str
    topic: str
    read: Callable[[Event], None]


_readers: dict[str, Reader] = {}


def reader(topic: str, *, name: str) -> Callable[[Callable[[Event], None]], Callable[[Event], None]]:
    """Registers a function for a topic: `reader("wallets.deposit_credited", name="notifications.deposit")(fn)`."""

    def register(read: Callable[[Event], None]) -> Callable[[Event], None]:
        known = _readers.get(name)
        assert known is None or known.read is read, f"two outbox readers are named {name}"
        _readers[name] = Reader(name=name, topic=topic, read=read)
        return read

    return register


def forget(name: str) -> None:
    """Takes a reader out again; what waits for it stays pending. For tests, and for a room that is switched off."""
    _readers.pop(name, None)


def by_name(name: str) -> Reader | None:
    """The reader of this name, or None where this process does not know it."""
    return _readers.get(name)


def all_readers() -> list[Reader]:
    """Every reader this process knows."""
    return list(_readers.values())
