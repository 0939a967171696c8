"""What other rooms and staff may know of screening: whether a customer may go on, and how the lists stand.

An open case about coins that came in holds those coins alone: anybody can send to anybody, and would block whom he likes for
the price of a small deposit. Once confirmed it blocks like every other. What must never happen here: an answer that tells a
customer why. Rooms that refuse him use the words of `REFUSED`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Max, Q

from exchange.core.errors import Conflict
from kyc.models import ListVersion, ScreeningCase

LIVE = (ScreeningCase.State.OPEN, ScreeningCase.State.CONFIRMED)
_BLOCKING = Q(state=ScreeningCase.State.CONFIRMED) | (
    Q(state=ScreeningCase.State.OPEN) & ~Q(kind=ScreeningCase.Kind.DEPOSIT)
)
# The same words whatever the reason is: to tell a customer of a case would warn him.
REFUSED = "This cannot be done at the moment. Please write to support."


class UnderReview(Conflict):
    """Something has to be looked at by staff first. The message does not say what."""

    code = "under_review"


@dataclass(frozen=True, slots=True)
class ListView:
    """A version of a list as it stands in force or was refused."""

    id: int
    list_code: str
    state: str
    published: date | None
    loaded_at: datetime
    entries: int
    names: int
    addresses: int
    refusal: str


def blocked(user_id: int) -> bool:
    """Whether a case about him or where he pays to is open, or any confirmed: no higher level and no coins out until staff have
    cleared it. One query."""
    return ScreeningCase.objects.filter(_BLOCKING, user_id=user_id, state__in=LIVE).exists()


def blocked_among(user_ids: Iterable[int]) -> set[int]:
    """Those of the customers who are blocked. One query."""
    rows = ScreeningCase.objects.filter(_BLOCKING, user_id__in=list(user_ids), state__in=LIVE)
    return set(rows.values_list("user_id", flat=True))


def check(user_id: int) -> None:
    """Raises UnderReview where the customer is blocked."""
    if blocked(user_id):
        raise UnderReview(REFUSED)


def deposit_held(deposit_id: object) -> bool:
    """Whether a case about this very deposit is open or confirmed. One query."""
    return ScreeningCase.objects.filter(subject=f"deposit:{deposit_id}", state__in=LIVE).exists()


def epoch() -> int:
    """The highest version of any list in force; 0 before the first. Rises with every list that is taken. One query."""
    found = ListVersion.objects.filter(state=ListVersion.State.IN_FORCE).aggregate(last=Max("id"))["last"]
    return found or 0


def lists() -> list[ListView]:
    """Every version in force, and the newest refusal of each list where it came after it."""
    found: dict[str, list[ListView]] = {}
    for row in ListVersion.objects.exclude(state=ListVersion.State.REPLACED).order_by("-id"):
        known = found.setdefault(row.list_code, [])
        if not any(view.state == ListVersion.State.IN_FORCE for view in known) and len(known) < 2:
            known.append(_view(row))
    return [view for known in found.values() for view in known]


def _view(row: ListVersion) -> ListView:
    return ListView(
        id=row.id,
        list_code=row.list_code,
        state=row.state,
        published=row.published,
        loaded_at=row.loaded_at,
        entries=row.entries,
        names=row.names,
        addresses=row.addresses,
        refusal=row.refusal,
    )
