"""Enforces limits while money moves.

The caller locks the customer's row and asks, in the transaction that writes what is then counted; so two requests at once
cannot both use the same room. What was used before is told by the rooms that moved it (`kyc.uses`). What must never happen
here: an amount whose worth is not known counting as nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from django.conf import settings
from django.utils import timezone

from exchange.core import amounts
from exchange.core.errors import InvalidRequest
from kyc import selectors, uses
from kyc.kinds import DEPOSIT, FIAT_IN, FIAT_OUT, PERIODS, TITLES, TRADING, WINDOWS, WITHDRAWAL
from kyc.models import Customer


class LimitExceeded(InvalidRequest):
    """More than the customer's level allows in 24 hours or in 30 days."""

    code = "limit_exceeded"


def lock(user_id: int) -> None:
    """Makes everybody else who counts this customer's limits wait until the transaction ends. Take it before counting."""
    if not Customer.objects.select_for_update().filter(user_id=user_id).first():
        row = Customer(user_id=user_id, level_id=settings.KYC_FIRST_LEVEL, changed_at=timezone.now())
        Customer.objects.bulk_create([row], ignore_conflicts=True)
        Customer.objects.select_for_update().get(user_id=user_id)


def check(
    kind: str,
    *,
    user_id: int,
    asked: int,
    used: Mapping[int, int] | None = None,
    param: str = "amount",
    now: datetime,
) -> None:
    """Refuses what would pass one of the kind's limits; `asked` is base units of the reference currency, not counted yet, and
    `used` what is, by window, where the caller knows it.

    Raises LimitExceeded, and WorthUnknown where what was used before cannot be counted.
    """
    level = selectors.level(user_id)
    if not level.limited(kind):
        return
    if used is None:
        used = uses.of(kind, user_id=user_id, now=now)
    for seconds in WINDOWS:
        limit = level.limits[kind, seconds]
        if limit is not None and used[seconds] + asked > limit:
            left = amounts.format(max(0, limit - used[seconds]), decimals=level.decimals)
            whole = amounts.format(limit, decimals=level.decimals)
            raise LimitExceeded(
                f"This passes your limit. {TITLES[kind]}: {left} of {whole} {level.currency} in {PERIODS[seconds]} are left "
                f"at level “{level.name}”.",
                param=param,
            )


def check_withdrawal(*, user_id: int, asset_id: int, amount: int, now: datetime) -> int | None:
    """Coins that are to leave, at the price of this moment; what they are worth, to be kept with the request.

    None where no limit asks and no price is known. Raises LimitExceeded (param "amount") or WorthUnknown.
    """
    return _checked(WITHDRAWAL, user_id, {asset_id: amount}, now)


def check_deposit(*, user_id: int, asset_id: int, amount: int, now: datetime) -> int | None:
    """Coins that are to be credited; as `check_withdrawal`."""
    return _checked(DEPOSIT, user_id, {asset_id: amount}, now)


def check_fiat(
    direction: Literal["in", "out"], *, user_id: int, asset_id: int, amount: int, now: datetime
) -> int | None:
    """Bank or card money that comes or is to leave; as `check_withdrawal`."""
    return _checked(FIAT_IN if direction == "in" else FIAT_OUT, user_id, {asset_id: amount}, now)


def check_trading(*, user_id: int, asked: int, used: Mapping[int, int], param: str, now: datetime) -> None:
    """The most that an order may come to, and what is used, both worked out by who reserves it. Raises LimitExceeded."""
    check(TRADING, user_id=user_id, asked=asked, used=used, param=param, now=now)


def _checked(kind: str, user_id: int, moved: Mapping[int, int], now: datetime) -> int | None:
    if not selectors.is_limited(user_id, kind):
        return selectors.worth_if_known(moved, now=now)
    asked = selectors.worth(moved, now=now)
    check(kind, user_id=user_id, asked=asked, now=now)
    return asked
