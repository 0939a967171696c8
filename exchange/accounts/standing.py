"""How a person's account stands in the eyes of staff: what shut it, what paused it, which programs may act for it.

What must never happen here: a session's key, a device's or a program's secret, or a query for each row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exchange.accounts.models import Closure, FactorReset, Freeze, Pause, User

SHOWN_MAX = 10


@dataclass(frozen=True, slots=True)
class Restraint:
    """One freeze, closure or pause: `ended_at` is None while it stands."""

    what: str
    model: str
    id: int
    began_at: datetime
    ended_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The row of a person, for staff."""

    id: int
    email: str
    display_name: str
    language: str
    is_active: bool
    is_staff: bool
    joined_at: datetime
    last_log_in: datetime | None
    restraints: tuple[Restraint, ...]

    @property
    def open_restraints(self) -> tuple[Restraint, ...]:
        return tuple(each for each in self.restraints if each.ended_at is None)


def of(user_id: int, *, now: datetime) -> Standing | None:
    """Five queries; None where there is nobody."""
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        return None
    return Standing(
        id=user.pk,
        email=user.email,
        display_name=user.display_name,
        language=user.language,
        is_active=user.is_active,
        is_staff=user.is_staff,
        joined_at=user.date_joined,
        last_log_in=user.last_login,
        restraints=tuple(sorted(_restraints(user_id, now), key=lambda each: each.began_at, reverse=True)),
    )


def sign_ups(*, since: datetime, until: datetime) -> int:
    """How many people came in a stretch of time."""
    return User.objects.filter(date_joined__gte=since, date_joined__lt=until, is_staff=False).count()


def resets_waiting() -> int:
    return FactorReset.objects.filter(done=None).count()


def _restraints(user_id: int, now: datetime) -> list[Restraint]:
    frozen = Freeze.objects.filter(user_id=user_id).order_by("-id")[:SHOWN_MAX]
    closed = Closure.objects.filter(user_id=user_id).order_by("-id")[:SHOWN_MAX]
    paused = Pause.objects.filter(user_id=user_id).order_by("-id")[:SHOWN_MAX]
    return [
        *(Restraint("frozen_by_owner", "freeze", row.pk, row.frozen_at, row.lifted_at, row.reason) for row in frozen),
        *(Restraint("closed", "closure", row.pk, row.closed_at, row.reopened_at, "") for row in closed),
        *(Restraint("paused", "pause", row.pk, row.began_at, _ended(row, now), row.reason) for row in paused),
    ]


def _ended(row: Pause, now: datetime) -> datetime | None:
    if row.lifted_at is not None:
        return row.lifted_at
    return row.until if row.until is not None and row.until <= now else None
