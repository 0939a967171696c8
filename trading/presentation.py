"""How markets, orders, fills and trades look outside: decimal strings of the market, words in place of numbers.

One set of shapes for pages, REST, websockets and the engine's own messages. Pure: rows in, frozen dataclasses out.
What must never happen here: a float, or an amount shown with another market's decimals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

from exchange.core import amounts
from exchange.core.times import iso
from trading.engine.rules import Market

SIDES = {1: "buy", 2: "sell"}
KINDS = {
    1: "limit", 2: "market", 3: "stop", 4: "stop_limit", 5: "take_profit", 6: "take_profit_limit", 7: "trailing_stop",
}  # fmt: skip
TIMES_IN_FORCE = {1: "GTC", 2: "IOC", 3: "FOK", 4: "GTD"}
SELF_TRADE = {1: "cancel_newest", 2: "cancel_oldest", 3: "cancel_both", 4: "decrement"}
MARKET_STATES = {1: "open", 2: "cancel_only", 3: "halted", 4: "post_only"}
LIVE, FILLED = 1, 2
RESTING = 1
PERCENT_DECIMALS = 4  # a part per million is a ten-thousandth of a percent
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MarketView:
    """A market and its rules: strings are decimal, integers are what they are made of.

    `min_notional` is in quote; `price_band` and `slippage` are percentages, None where there is no band.
    """

    id: int
    symbol: str
    base: str
    quote: str
    base_asset_id: int
    quote_asset_id: int
    base_decimals: int
    quote_decimals: int
    price_decimals: int
    price_step: int
    quantity_decimals: int
    quantity_step: int
    lot_base_units: int
    tick_quote_units: int
    maker_fee_ppm: int
    taker_fee_ppm: int
    tick_size: str
    lot_size: str
    maker_fee: str
    taker_fee: str
    state: str
    shard: int
    min_notional_units: int
    band_ppm: int
    slippage_ppm: int
    max_open_orders: int
    opened: bool
    min_notional: str
    price_band: str | None
    slippage: str

    def price(self, ticks: int) -> str:
        return amounts.format(ticks * self.price_step, decimals=self.price_decimals)

    def quantity(self, lots: int) -> str:
        return amounts.format(lots * self.quantity_step, decimals=self.quantity_decimals)

    def base_amount(self, units: int) -> str:
        return amounts.format(units, decimals=self.base_decimals)

    def quote_amount(self, units: int) -> str:
        return amounts.format(units, decimals=self.quote_decimals)


class OrderRow(NamedTuple):
    """An order as the engine keeps it: ticks, lots, base units; times in microseconds since 1970.

    `phase`: 0 done, 1 in the book, 2 waits for its trigger, 3 triggered and not yet run. What follows `held` is as a plain
    order has it.
    """

    id: int
    user_id: int
    market_id: int
    side: int
    kind: int
    time_in_force: int
    price: int
    lots: int
    quote_units: int
    filled_lots: int
    filled_quote: int
    fee: int
    state: int
    reason: str
    client_order_id: str | None
    created_at: int
    updated_at: int
    phase: int = RESTING
    held: int = 0
    stop_price: int = 0  # as it now is: a trailing stop's moves
    trail_ticks: int = 0
    trail_ppm: int = 0
    display_lots: int = 0
    post_only: bool = False
    self_trade: int = 1
    slippage_ppm: int = 0
    expires_at: int = 0
    partner: int = 0


class TradeRow(NamedTuple):
    """A trade as the engine keeps it; `at` in microseconds since 1970."""

    id: int
    market_id: int
    price: int
    lots: int
    taker_side: int
    maker_order_id: int
    taker_order_id: int
    maker_id: int
    taker_id: int
    buyer_fee: int
    seller_fee: int
    at: int


@dataclass(frozen=True, slots=True)
class OrderView:
    """`fee` is what was paid so far, in `fee_asset`, the asset received, and below zero where it was a rebate.

    `average_price` is None before the first fill. `trail` is an amount of quote, `trail_percent` and `slippage` are
    percentages. `oco_order_id` names the other order of a pair of which one cancels the other.
    """

    id: int
    client_order_id: str | None
    user_id: int
    market: str
    side: str
    type: str
    time_in_force: str
    price: str | None
    quantity: str | None
    quote_amount: str | None
    filled_quantity: str
    filled_quote: str
    average_price: str | None
    fee: str
    fee_asset: str
    stop_price: str | None
    trail: str | None
    trail_percent: str | None
    display_quantity: str | None
    post_only: bool
    self_trade: str
    slippage: str | None
    expires_at: datetime | None
    oco_order_id: int | None
    state: str
    reason: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class FillView:
    """One side of a trade, as its owner sees it. `id` is the trade's."""

    id: int
    order_id: int
    market: str
    side: str
    role: str
    price: str
    quantity: str
    quote_amount: str
    fee: str
    fee_asset: str
    time: datetime


@dataclass(frozen=True, slots=True)
class TradeView:
    """A public trade; `side` is the taker's."""

    id: int
    price: str
    quantity: str
    side: str
    time: datetime


@dataclass(frozen=True, slots=True)
class CandleView:
    time: datetime
    open: str
    high: str
    low: str
    close: str
    volume: str
    quote_volume: str


@dataclass(frozen=True, slots=True)
class TickerView:
    """The last 24 hours. What nobody can know yet (no trade, no order) is None. `change` is a fraction: "0.0123"."""

    market: str
    last: str | None
    bid: str | None
    ask: str | None
    open: str | None
    high: str | None
    low: str | None
    volume: str
    quote_volume: str
    change: str | None
    time: datetime


@dataclass(frozen=True, slots=True)
class MarketFees:
    """What a customer pays in one market, as fractions: "0.001"; below zero, a rebate."""

    market: str
    maker_fee: str
    taker_fee: str


@dataclass(frozen=True, slots=True)
class TierView:
    """What holds from a volume of thirty days on; fees as fractions."""

    name: str
    volume_from: str
    maker_fee: str
    taker_fee: str


@dataclass(frozen=True, slots=True)
class FeesView:
    """A customer's tier by the volume of the last thirty days, in `currency`, as it was last counted.

    `maker_fee` and `taker_fee` are the tier's, None below the lowest; `markets` has what counts, the better of the tier's and
    the market's. `next_volume` is where `next_tier` begins.
    """

    tier: str | None
    volume: str
    currency: str
    maker_fee: str | None
    taker_fee: str | None
    next_tier: str | None
    next_volume: str | None
    markets: tuple[MarketFees, ...]


@dataclass(frozen=True, slots=True)
class BookView:
    """Levels as (price, quantity), best first, as of the market's sequence `u`."""

    market: str
    u: int
    bids: tuple[tuple[str, str], ...]
    asks: tuple[tuple[str, str], ...]


def moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def rules(market: MarketView) -> Market:
    """The market as the engine's core knows it."""
    return Market(
        id=market.id, base_asset_id=market.base_asset_id, quote_asset_id=market.quote_asset_id,
        lot_base_units=market.lot_base_units, tick_quote_units=market.tick_quote_units,
        maker_fee_ppm=market.maker_fee_ppm, taker_fee_ppm=market.taker_fee_ppm, min_notional=market.min_notional_units,
        band_ppm=market.band_ppm, slippage_ppm=market.slippage_ppm, max_open_orders=market.max_open_orders,
    )  # fmt: skip


def percent(ppm: int) -> str:
    return amounts.format(ppm, decimals=PERCENT_DECIMALS)


def order_state(row: OrderRow) -> str:
    """open: in the book. pending: waits for its trigger, or for its turn. filled, cancelled, expired: done."""
    if row.state == LIVE:
        return "open" if row.phase == RESTING else "pending"
    if row.state == FILLED:
        return "filled"
    return "expired" if row.reason == "expired" else "cancelled"


def order(market: MarketView, row: OrderRow) -> OrderView:
    """Made for every order of every reply, so what a fresh order has none of is not worked out."""
    buying, created_at = row.side == 1, moment(row.created_at)
    return OrderView(
        id=row.id,
        client_order_id=row.client_order_id,
        user_id=row.user_id,
        market=market.symbol,
        side=SIDES[row.side],
        type=KINDS[row.kind],
        time_in_force=TIMES_IN_FORCE[row.time_in_force],
        price=market.price(row.price) if row.price else None,
        quantity=market.quantity(row.lots) if row.lots else None,
        quote_amount=market.quote_amount(row.quote_units) if row.quote_units else None,
        filled_quantity=market.quantity(row.filled_lots) if row.filled_lots else "0",
        filled_quote=market.quote_amount(row.filled_quote) if row.filled_lots else "0",
        average_price=_average_price(market, row) if row.filled_lots else None,
        fee=_fee(market, row) if row.filled_lots else "0",
        fee_asset=market.base if buying else market.quote,
        stop_price=market.price(row.stop_price) if row.stop_price else None,
        trail=market.price(row.trail_ticks) if row.trail_ticks else None,
        trail_percent=percent(row.trail_ppm) if row.trail_ppm else None,
        display_quantity=market.quantity(row.display_lots) if row.display_lots else None,
        post_only=row.post_only,
        self_trade=SELF_TRADE[row.self_trade],
        slippage=percent(row.slippage_ppm) if row.slippage_ppm else None,
        expires_at=moment(row.expires_at) if row.expires_at else None,
        oco_order_id=row.partner or None,
        state=order_state(row),
        reason="" if row.reason == "filled" else row.reason,
        created_at=created_at,
        updated_at=created_at if row.updated_at == row.created_at else moment(row.updated_at),
    )


def _fee(market: MarketView, row: OrderRow) -> str:
    return market.base_amount(row.fee) if row.side == 1 else market.quote_amount(row.fee)


def _average_price(market: MarketView, row: OrderRow) -> str:
    """Quote paid by base moved, cut to eight places beyond the tick: a figure to read, never one to compute with."""
    decimals = market.price_decimals + 8
    shift = decimals + market.base_decimals - market.quote_decimals
    numerator = row.filled_quote * 10 ** max(shift, 0)
    denominator = row.filled_lots * market.lot_base_units * 10 ** max(-shift, 0)
    return amounts.format(numerator // denominator, decimals=decimals)


def fill(market: MarketView, row: TradeRow, *, user_id: int) -> FillView:
    """The trade from the side of `user_id`, who must be its maker or its taker."""
    taking = row.taker_id == user_id
    buying = (row.taker_side == 1) == taking
    return FillView(
        id=row.id,
        order_id=row.taker_order_id if taking else row.maker_order_id,
        market=market.symbol,
        side="buy" if buying else "sell",
        role="taker" if taking else "maker",
        price=market.price(row.price),
        quantity=market.quantity(row.lots),
        quote_amount=market.quote_amount(row.price * row.lots * market.tick_quote_units),
        fee=market.base_amount(row.buyer_fee) if buying else market.quote_amount(row.seller_fee),
        fee_asset=market.base if buying else market.quote,
        time=moment(row.at),
    )


def trade(market: MarketView, row: TradeRow) -> TradeView:
    return TradeView(
        id=row.id,
        price=market.price(row.price),
        quantity=market.quantity(row.lots),
        side=SIDES[row.taker_side],
        time=moment(row.at),
    )


def message(view: Any) -> dict[str, Any]:
    """The JSON form of a view: its fields by name, times as text. Never a user id: nobody needs to be told their own."""
    names, values, times = _shape(type(view))
    shown = dict(zip(names, values(view), strict=True))
    for name in times:
        at = shown[name]
        shown[name] = iso(at) if at is not None else None
    return shown


@cache
def _shape(kind: type) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]], tuple[str, ...]]:
    """A view's fields, how to get them all at once, and which are times."""
    told = [field for field in fields(kind) if field.name != "user_id"]
    names = tuple(field.name for field in told)
    return names, attrgetter(*names), tuple(field.name for field in told if "datetime" in str(field.type))
