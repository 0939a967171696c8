"""How much of a customer's limits on coins is used: of what came in, when it was credited; of what leaves, when it was asked for.

Each counts at the worth that was kept with it. What has none, because no limit asked for it then, counts at today's price. What
must never happen here: something of which no price is known counted as nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet, Sum

from kyc import selectors as kyc
from wallets.models import Deposit
from wallets.services import windows


def deposits(*, user_id: int, since: Sequence[datetime], now: datetime) -> Sequence[int]:
    """Credited and not taken back since each of these moments."""
    rows = Deposit.objects.filter(owner_id=user_id, state=Deposit.State.CREDITED)
    return [_worth(rows.filter(credited_at__gt=moment), now) for moment in since]


def withdrawals(*, user_id: int, since: Sequence[datetime], now: datetime) -> Sequence[int]:
    """Asked for since each of these moments, and gone or may go yet."""
    rows = windows.counted().filter(owner_id=user_id)
    return [_worth(rows.filter(requested_at__gt=moment), now) for moment in since]


def _worth(rows: QuerySet[Any], now: datetime) -> int:
    kept = int(rows.aggregate(sum=Sum("worth"))["sum"] or 0)
    without = rows.filter(worth=None).order_by().values("asset_id").annotate(sum=Sum("amount"))
    return kept + kyc.worth({row["asset_id"]: int(row["sum"]) for row in without}, now=now)
