"""Who people are, for rooms that know them by id alone: e-mail, name, language.

What must never happen here: a password's hash, or any other credential, leaves the room.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from allauth.account.models import EmailAddress
from django.db.models import Exists, OuterRef, Q

from exchange.accounts.models import Pause, User
from exchange.core.errors import NotFound

UNTIL_LIFTED = datetime.max.replace(tzinfo=UTC)  # a pause that only staff end


class PersonNotFound(NotFound):
    code = "person_not_found"


@dataclass(frozen=True, slots=True)
class Person:
    """A customer or a member of staff."""

    id: int
    email: str
    email_verified: bool
    display_name: str
    is_staff: bool
    is_active: bool
    language: str
    created_at: datetime


def person(user_id: int) -> Person:
    """The person with this id; PersonNotFound. One query."""
    found = people([user_id])
    if user_id not in found:
        raise PersonNotFound("There is no such person.")
    return found[user_id]


def people(user_ids: Iterable[int]) -> dict[int, Person]:
    """Those of the ids that exist, by id. One query."""
    return {row.id: _person(row) for row in _rows().filter(id__in=list(user_ids))}


def by_email(email: str) -> Person | None:
    """The person who logs in with this address. For staff and set-up: what a page shows must not tell who exists."""
    row = _rows().filter(email=User.objects.normalize_email(email)).first()
    return None if row is None else _person(row)


def staff() -> list[Person]:
    """Active members of staff, for alerts."""
    return [_person(row) for row in _rows().filter(is_staff=True, is_active=True).order_by("id")]


def ids_after(user_id: int, *, limit: int) -> list[int]:
    """The next ids behind this one, for rooms that walk through everybody. One query."""
    return list(User.objects.filter(id__gt=user_id).order_by("id").values_list("id", flat=True)[:limit])


def paused_until(user_id: int, now: datetime) -> datetime | None:
    """Until when this customer's withdrawals wait: UNTIL_LIFTED where staff have to lift it, None where none does.
    One query."""
    standing = Pause.objects.filter(user_id=user_id, lifted_at=None).filter(Q(until=None) | Q(until__gt=now))
    return max((until or UNTIL_LIFTED for until in standing.values_list("until", flat=True)), default=None)


def frozen_among(user_ids: Iterable[int]) -> set[int]:
    """Those of the customers whose withdrawals wait until staff lift a freeze. One query."""
    standing = Pause.objects.filter(user_id__in=list(user_ids), lifted_at=None, until=None)
    return set(standing.values_list("user_id", flat=True))


def _rows():
    verified = EmailAddress.objects.filter(user=OuterRef("pk"), email__iexact=OuterRef("email"), verified=True)
    return User.objects.annotate(email_verified=Exists(verified))


def _person(row: User) -> Person:
    return Person(
        id=row.id,
        email=row.email,
        email_verified=row.email_verified,
        display_name=row.display_name,
        is_staff=row.is_staff,
        is_active=row.is_active,
        language=row.language,
        created_at=row.date_joined,
    )
