"""How much of the customer's limits on bank money is used: what was credited, at the worth that was kept with it.

What must never happen here: something of which no price is known counted as nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Sum

from exchange.fiat.models import BankDeposit
from kyc import selectors as kyc


def came_in(*, user_id: int, since: Sequence[datetime], now: datetime) -> Sequence[int]:
    """Credited since each of these moments."""
    return [_credited(user_id, moment, now) for moment in since]


def went_out(*, user_id: int, since: Sequence[datetime], now: datetime) -> Sequence[int]:
    """Bank money leaves by no way yet that this room has."""
    return [0 for _ in since]


def _credited(user_id: int, moment: datetime, now: datetime) -> int:
    rows = BankDeposit.objects.filter(user_id=user_id, state=BankDeposit.State.SETTLED, settled_at__gt=moment)
    kept = int(rows.aggregate(sum=Sum("worth"))["sum"] or 0)
    without = rows.filter(worth=None).order_by().values("asset_id").annotate(sum=Sum("settled"))
    return kept + kyc.worth({row["asset_id"]: int(row["sum"]) for row in without}, now=now)
