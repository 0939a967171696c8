"""Demo customers trade with each other around a moving price, through the same services as anybody.

They never trade where real people do (`refuse_production`), and a refusal of the exchange never stops them for good: the next
round asks again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.utils import timezone

from exchange.accounts import selectors as accounts
from exchange.assets.sources import simulated
from exchange.core.errors import DomainError
from exchange.ledger import selectors as ledger
from exchange.site.demo import cast, quoting, refuse_production
from trading import selectors
from trading.presentation import MarketView
from trading.services import orders

log = structlog.get_logger(__name__)

QUOTE_EVERY_S = 2.0
TAKE_EVERY_S = 2.5
PAUSE_AFTER_REFUSAL_S = 3.0
CHANGES_MAX = 6  # cancels and orders a maker makes in one round of one market


@dataclass(frozen=True, slots=True)
class Seat:
    """One trader at one market."""

    user_id: int
    quotes: bool
    market: MarketView
    chance: random.Random

    @property
    def precision(self) -> quoting.Precision:
        return quoting.Precision(self.market.price_decimals, self.market.quantity_decimals)


async def run() -> None:
    """Trades until cancelled."""
    refuse_production()
    seats = await database_sync_to_async(_seats)()
    async with asyncio.TaskGroup() as tasks:
        for seat in seats:
            act, every_s = (_quote, QUOTE_EVERY_S) if seat.quotes else (_take, TAKE_EVERY_S)
            tasks.create_task(_forever(seat, act, every_s))


def _seats() -> list[Seat]:
    seats = []
    for trader in cast.TRADERS:
        person = accounts.by_email(trader.email)
        if person is None:
            raise LookupError(f"{trader.email} is not there: run `manage.py demo_seed` first.")
        for market in selectors.markets():
            chance = random.Random(f"{trader.email} {market.symbol}")  # noqa: S311 - an invented market, not a secret
            seats.append(Seat(person.id, trader.quotes, market, chance))
    return seats


async def _forever(seat: Seat, act: Callable[[Seat, datetime], Awaitable[None]], every_s: float) -> None:
    await asyncio.sleep(seat.chance.random() * every_s)
    while True:
        pause_s = every_s * (0.6 + 0.8 * seat.chance.random())
        try:
            await act(seat, timezone.now())
        except DomainError as error:
            log.info("demo.refused", market=seat.market.symbol, user_id=seat.user_id, code=error.code)
            pause_s = PAUSE_AFTER_REFUSAL_S
        await asyncio.sleep(pause_s)


def _usd(code: str, now: datetime) -> Decimal:
    return simulated.price(code, at=now, seed=settings.PRICE_SIMULATION_SEED)


async def _quote(seat: Seat, now: datetime) -> None:
    """Moves a maker's ladder to where the price is now, a few orders a round."""
    market = seat.market
    quote_usd = _usd(market.quote, now)
    wanted = quoting.ladder(
        middle=_usd(market.base, now) / quote_usd, quote_usd=quote_usd, precision=seat.precision, chance=seat.chance
    )
    mine = await database_sync_to_async(selectors.open_orders)(seat.user_id, market.symbol)
    standing = [quoting.Standing(order.id, order.side, Decimal(order.price)) for order in mine if order.price]
    surplus, missing = quoting.plan(standing=standing, wanted=wanted)
    for order_id in surplus[:CHANGES_MAX]:
        try:
            await orders.cancel(user_id=seat.user_id, market=market.symbol, order_id=order_id, now=timezone.now())
        except orders.OrderClosed:
            continue  # filled while we thought about it
    room = max(0, 2 * quoting.LEVELS + CHANGES_MAX - len(standing) + len(surplus[:CHANGES_MAX]))
    for quote in missing[: min(CHANGES_MAX, room)]:
        try:
            await _place(seat, quote, time_in_force="GTC")
        except orders.InsufficientFunds:
            continue  # the other side of the book needs the other asset


async def _take(seat: Seat, now: datetime) -> None:
    """Crosses the spread with a small order."""
    market = seat.market
    quote_usd = _usd(market.quote, now)
    middle = _usd(market.base, now) / quote_usd
    base, quote = await database_sync_to_async(_holdings)(seat)
    share = quoting.base_share_ppm(base=base, quote=quote, middle=middle)
    wanted = quoting.taking(
        middle=middle, quote_usd=quote_usd, precision=seat.precision, base_share_ppm=share, chance=seat.chance
    )
    await _place(seat, wanted, time_in_force="IOC")


def _holdings(seat: Seat) -> tuple[Decimal, Decimal]:
    """What the trader has of the market's two assets, in whole units."""
    found = {balance.asset_id: balance.balance for balance in ledger.balances(owner_id=seat.user_id)}
    market = seat.market
    base = Decimal(found.get(market.base_asset_id, 0)).scaleb(-market.base_decimals)
    quote = Decimal(found.get(market.quote_asset_id, 0)).scaleb(-market.quote_decimals)
    return base, quote


async def _place(seat: Seat, quote: quoting.Quote, *, time_in_force: str) -> None:
    await orders.place(
        user_id=seat.user_id,
        market=seat.market.symbol,
        side=quote.side,
        type="limit",
        quantity=f"{quote.quantity:f}",
        price=f"{quote.price:f}",
        time_in_force=time_in_force,
        now=timezone.now(),
    )
