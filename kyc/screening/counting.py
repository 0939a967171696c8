"""Screening's queue in numbers, and a customer's cases by their numbers. For staff.

What must never happen here: a customer's words, or a case shown to whom it is about.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q

from kyc.models import ScreeningCase


@dataclass(frozen=True, slots=True)
class CaseLine:
    """A case as a list shows it."""

    id: int
    kind: str
    state: str
    state_word: str
    strong: bool
    opened_at: datetime


def waiting(*, but_of: int) -> tuple[int, int, datetime | None]:
    """Open cases, the strong ones among them, and since when the oldest waits; without those about whoever looks."""
    found = ScreeningCase.objects.filter(state=ScreeningCase.State.OPEN).exclude(user_id=but_of)
    row = found.aggregate(cases=Count("id"), strong=Count("id", filter=Q(strong=True)), oldest=Min("opened_at"))
    return row["cases"], row["strong"], row["oldest"]


def of(user_id: int, *, limit: int = 10) -> list[CaseLine]:
    """The newest of them."""
    rows = ScreeningCase.objects.filter(user_id=user_id).order_by("-id")[:limit]
    return [
        CaseLine(row.pk, row.get_kind_display(), row.state, row.get_state_display(), row.strong, row.opened_at)
        for row in rows
    ]
