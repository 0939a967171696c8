"""Counts each day's figures, a little behind: a worker's task, so that the dashboard reads a few hundred rows and no more.

Fees are kept as what was ever taken by a day's end; a day's fees are the difference of two. What must never happen here: a day
written over once it is past its morning, when everything that belongs to it has arrived.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import transaction

from exchange.accounts import standing
from exchange.backoffice.models import Figure
from exchange.core import times
from exchange.ledger.journal import Kind as AccountKind
from exchange.ledger.selectors import exploring
from trading import figures as trading
from wallets import figures as wallets

DAYS = 30
# After midnight a day is counted for so long: candles close and deposits are credited meanwhile.
MORNING = timedelta(hours=2)
_K = Figure.Kind


def count(*, now: datetime) -> int:
    """Counts today, yesterday while it is morning, and the days of the last month that nobody counted; how many days."""
    today = now.date()
    known = set(Figure.objects.filter(day__gte=today - timedelta(days=DAYS)).values_list("day", flat=True))
    days = [day for day in (today - timedelta(days=back) for back in range(DAYS, 0, -1)) if day not in known]
    if now - times.begins(today) < MORNING and today - timedelta(days=1) not in days:
        days.append(today - timedelta(days=1))
    for day in (*days, today):
        _count(day, fees=day == today, now=now)
    return len(days) + 1


@transaction.atomic
def _count(day: date, *, fees: bool, now: datetime) -> None:
    since, until = times.begins(day), times.ends(day)
    credited, sent = wallets.credited(since=since, until=until), wallets.sent(since=since, until=until)
    found: dict[tuple[str, int], int] = {
        (_K.SIGN_UPS, 0): standing.sign_ups(since=since, until=until),
        (_K.DEPOSITS_COUNT, 0): sum(each.count for each in credited),
        (_K.WITHDRAWALS_COUNT, 0): sum(each.count for each in sent),
    }
    found |= {(_K.VOLUME, asset_id): units for asset_id, units in trading.traded(opened=since).items()}
    found |= {(_K.DEPOSITS, each.asset_id): each.units for each in credited}
    found |= {(_K.WITHDRAWALS, each.asset_id): each.units for each in sent}
    if fees:  # what was taken by the end of another day nobody can say any more
        sums = exploring.house_sums(AccountKind.HOUSE_FEES.value)
        found |= {(_K.FEES, asset_id): max(0, units) for asset_id, units in sums.items()}
    Figure.objects.bulk_create(
        [Figure(day=day, kind=kind, asset_id=asset, units=units, counted_at=now) for (kind, asset), units in found.items()],
        update_conflicts=True, unique_fields=["day", "kind", "asset_id"], update_fields=["units", "counted_at"],
    )  # fmt: skip
