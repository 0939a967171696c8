"""The room in numbers, for the back office: what waits and since when, and what moved in a day.

By partial indexes and ranges of ids alone. What must never happen here: a count of a table that only grows, or a write.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Sum

from exchange.core import ids
from wallets import desk
from wallets.lifecycle import State
from wallets.models import ColdProposal, Deposit, HotLevel, HotShare, Withdrawal

# From first seen to credited, and from asked to final, takes less than this; what takes longer is counted by nobody's plot.
SLOW = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What somebody has to look at."""

    review: int
    review_since: datetime | None
    held: int
    held_since: datetime | None
    stuck: int
    cold: int
    shares: int


@dataclass(frozen=True, slots=True)
class Moved:
    """What one asset did in a stretch of time."""

    asset_id: int
    units: int
    count: int


@dataclass(frozen=True, slots=True)
class Level:
    """Where our coins of an asset on a network lie, as the last look found."""

    asset_id: int
    network_id: int
    hot: int
    deposit: int
    cold: int
    low_since: datetime | None
    looked_at: datetime


def waiting(*, now: datetime) -> Waiting:
    """Five queries over what is open."""
    review = Withdrawal.objects.filter(closed_at=None, state=State.REVIEW).aggregate(
        n=Count("id"), since=Min("requested_at")
    )
    held = Deposit.objects.filter(state=Deposit.State.HELD).aggregate(n=Count("id"), since=Min("held_at"))
    open_shares = HotShare.objects.filter(approved_at=None, replaced_at=None).count()
    return Waiting(
        review=review["n"],
        review_since=review["since"],
        held=held["n"],
        held_since=held["since"],
        stuck=Withdrawal.objects.filter(desk.stuck(now=now), closed_at=None).count(),
        cold=ColdProposal.objects.filter(approved_at=None, signed_at=None, cancelled_at=None).count(),
        shares=open_shares,
    )


def credited(*, since: datetime, until: datetime) -> list[Moved]:
    """Deposits by asset. Reads the ids of a few days."""
    rows = Deposit.objects.filter(
        id__gte=ids.floor(since - SLOW), state=Deposit.State.CREDITED, credited_at__gte=since, credited_at__lt=until
    )
    return _moved(rows)


def sent(*, since: datetime, until: datetime) -> list[Moved]:
    """Withdrawals that became final, by asset."""
    rows = Withdrawal.objects.filter(
        id__gte=ids.floor(since - SLOW), state=State.FINAL, closed_at__gte=since, closed_at__lt=until
    )
    return _moved(rows)


def levels() -> list[Level]:
    return [
        Level(row.asset_id, row.network_id, row.hot, row.deposit, row.cold, row.low_since, row.looked_at)
        for row in HotLevel.objects.order_by("network_id", "asset_id")
    ]


def _moved(rows: object) -> list[Moved]:
    found = rows.values("asset_id").annotate(units=Sum("amount"), count=Count("id"))  # type: ignore[attr-defined]
    return [Moved(row["asset_id"], int(row["units"]), row["count"]) for row in found.order_by("asset_id")]
