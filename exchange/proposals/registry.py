"""What may be changed by two of staff: each room says in AppConfig.ready() how its change is shown, checked and made.

What must never happen here: a kind that makes its change without its own room's service, which locks, judges and records it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Wish:
    """An approved change, as its room is handed it. `actor_id` approved what `proposed_by` wished."""

    proposal_id: int
    subject: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    reason: str
    proposed_by: int
    actor_id: int
    origin: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that would change, in words. `before` is empty where nothing stood."""

    label: str
    before: str
    after: str


def _plain(before: Mapping[str, Any], after: Mapping[str, Any], subject: str) -> list[Line]:
    return [Line(name, _text(before.get(name)), _text(value)) for name, value in after.items()]


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _nobody(subject: str) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of change. `stands(subject, after)` gives what stands now under the names that `after` has."""

    name: str
    title: Any
    right: str  # the permission that both people need
    stands: Callable[[str, Mapping[str, Any]], dict[str, Any]]
    apply: Callable[[Wish], None]
    lines: Callable[[Mapping[str, Any], Mapping[str, Any], str], list[Line]] = _plain
    about: Callable[[str], int | None] = _nobody  # the person it is about, who has no say in it
    # What is wrong with a wish is told to whoever proposes it. Where the change is the database's alone, it is made and taken
    # back at once; an engine is asked nothing, so such a kind has a `check` of its own.
    check: Callable[[str, Mapping[str, Any]], None] | None = None
    same: Callable[[str, Mapping[str, Any], Mapping[str, Any]], bool] = field(
        default=lambda subject, one, two: one == two
    )


_kinds: dict[str, Kind] = {}
_judges: list[Callable[[int, str], bool]] = []


def register(kind: Kind) -> None:
    """Registering a name again replaces it, so that a second start changes nothing."""
    _kinds[kind.name] = kind


def kinds() -> dict[str, Kind]:
    return dict(_kinds)


def find(name: str) -> Kind | None:
    return _kinds.get(name)


def judged_by(judge: Callable[[int, str], bool]) -> None:
    """The room of people says who of staff has a right now: `judge(user_id, "app.right")`."""
    _judges[:] = [judge]


def may(user_id: int, right: str) -> bool:
    """Nobody may where nobody can say."""
    return bool(_judges) and _judges[0](user_id, right)
