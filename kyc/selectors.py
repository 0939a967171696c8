"""How well we know a customer and what that allows him, for pages and for the rooms that move money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from exchange.assets import prices
from exchange.core.errors import Unavailable
from kyc.models import Customer, Level

FIRST_LEVEL = 1
PRICE_AGE_MAX = timedelta(hours=24)
CURRENCY, DECIMALS = "USD", 2


class WorthUnknown(Unavailable):
    """A limit cannot be counted, because a price is missing or older than a day."""

    code = "worth_unknown"


@dataclass(frozen=True, slots=True)
class LevelView:
    """A step of verification. Amounts are base units of `currency`; None means no limit."""

    number: int
    code: str
    name: str
    withdrawal_24h: int | None
    currency: str = CURRENCY
    decimals: int = DECIMALS


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may leave in 24 hours, what did, and what is left, in base units of `currency`; None means no limit."""

    limit: int | None
    used: int
    left: int | None
    currency: str = CURRENCY
    decimals: int = DECIMALS


def levels() -> list[LevelView]:
    """Every level, lowest first."""
    return [_view(row) for row in Level.objects.all()]


def level(user_id: int) -> LevelView:
    """The customer's level; the first where staff have not set one. At most two queries."""
    row = Customer.objects.select_related("level").filter(user_id=user_id).first()
    return _view(row.level if row is not None else Level.objects.get(number=FIRST_LEVEL))


def withdrawal_allowance(*, user_id: int, already: Mapping[int, int], now: datetime) -> Allowance:
    """What is left today, given what has left in the last 24 hours by asset. WorthUnknown where a price is missing."""
    limit = level(user_id).withdrawal_24h
    if limit is None:
        return Allowance(limit=None, used=0, left=None)
    used = worth(already, now=now)
    return Allowance(limit=limit, used=used, left=max(0, limit - used))


def worth(amounts: Mapping[int, int], *, now: datetime) -> int:
    """The sum of amounts by asset in US cents. Raises WorthUnknown rather than counting something as nothing."""
    counted = {asset_id: amount for asset_id, amount in amounts.items() if amount}
    valuations = prices.worths(amounts=counted, in_code=CURRENCY, now=now)
    for asset_id in counted:
        valuation = valuations.get(asset_id)
        if valuation is None or valuation.age_s > PRICE_AGE_MAX.total_seconds():
            raise WorthUnknown("A price that your limit is counted in is not known at the moment. Please try later.")
    return sum(valuation.amount for valuation in valuations.values())


def _view(row: Level) -> LevelView:
    return LevelView(number=row.number, code=row.code, name=row.name, withdrawal_24h=row.withdrawal_24h)
