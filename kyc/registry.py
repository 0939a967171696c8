"""Who is asked when a person applies and when he is about to be approved. Filled in AppConfig.ready().

What must never happen here: an answer that is lost. A function that raises a DomainError from `before_approval` stops the
approval; one that raises in `on_submitted` stops the handing in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Person:
    """Whom an application is about. `names` is the full name, `given` and `family` its parts; `birth_date` is ISO; `country` and
    `nationality` two letters."""

    user_id: int
    names: str
    birth_date: str
    country: str
    nationality: str
    given: str = ""
    family: str = ""


class Asked(Protocol):
    def __call__(self, person: Person, *, now: datetime) -> None: ...


_submitted: dict[str, Asked] = {}
_approving: dict[str, Asked] = {}


def on_submitted(name: str) -> Callable[[Asked], Asked]:
    """Registers a function that hears of each application as it is handed in, in its transaction."""

    def register(fn: Asked) -> Asked:
        _submitted[name] = fn
        return fn

    return register


def before_approval(name: str) -> Callable[[Asked], Asked]:
    """Registers a function that may refuse an approval by raising a DomainError, in its transaction."""

    def register(fn: Asked) -> Asked:
        _approving[name] = fn
        return fn

    return register


def forget(name: str) -> None:
    """Takes a function out again; for tests."""
    _submitted.pop(name, None)
    _approving.pop(name, None)


def submitted(person: Person, *, now: datetime) -> None:
    for fn in list(_submitted.values()):
        fn(person, now=now)


def approving(person: Person, *, now: datetime) -> None:
    for fn in list(_approving.values()):
        fn(person, now=now)
