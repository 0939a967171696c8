"""Enforces limits while money moves.

The caller locks the customer's row, counts what has left, and asks; in one transaction, so that two requests at once
cannot both use the same room. What must never happen here: an amount whose worth is not known counting as nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.utils import timezone

from exchange.core import amounts
from exchange.core.errors import InvalidRequest
from kyc import selectors
from kyc.models import Customer


class LimitExceeded(InvalidRequest):
    """More than the customer's level allows in 24 hours."""

    code = "limit_exceeded"


def lock(user_id: int) -> None:
    """Makes everybody else who counts this customer's limits wait until the transaction ends. Take it before counting."""
    Customer.objects.bulk_create(
        [Customer(user_id=user_id, level_id=selectors.FIRST_LEVEL, changed_at=timezone.now())], ignore_conflicts=True
    )
    Customer.objects.select_for_update().get(user_id=user_id)


def check_withdrawal(*, user_id: int, asset_id: int, amount: int, already: Mapping[int, int], now: datetime) -> None:
    """Refuses what would pass the limit; `already` is what has left in the last 24 hours, by asset, this one not counted.

    Raises LimitExceeded (param "amount") or WorthUnknown.
    """
    level = selectors.level(user_id)
    if level.withdrawal_24h is None:
        return
    asked = selectors.worth({asset_id: amount}, now=now)
    used = selectors.worth(already, now=now)
    if used + asked > level.withdrawal_24h:
        left = amounts.format(max(0, level.withdrawal_24h - used), decimals=level.decimals)
        raise LimitExceeded(
            f"This passes your limit: {left} {level.currency} may leave in the next 24 hours at level “{level.name}”.",
            param="amount",
        )
