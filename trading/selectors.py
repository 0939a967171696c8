"""Reading the trading room: markets, orders, fills, trades, candles, tickers, the book.

What must never happen here: a write, an unbounded page, or an order shown to somebody who does not own it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db.models import Q, Sum

from exchange.core import amounts
from exchange.core.errors import InvalidRequest, NotFound, Unavailable
from trading import candles as candle_grid
from trading import presentation, tape
from trading.models import AccountFee, Command, CommandKey, FeeTier, Market, Order, OrderKey, Trade, Volume
from trading.presentation import (
    BookView,
    CandleView,
    FeesView,
    FillView,
    MarketFees,
    MarketView,
    OrderRow,
    OrderView,
    TickerView,
    TradeRow,
    TradeView,
)

PAGE_MAX = 1_000
VOLUME_DAYS = 30
USD_DECIMALS = 2
OPEN_ORDERS_MAX = 1_000
BOOK_DEPTH_MAX = 1_000


class MarketNotFound(NotFound):
    """No market has this symbol."""

    code = "market_not_found"


class OrderNotFound(NotFound):
    """No such order, or it is somebody else's."""

    code = "order_not_found"


class IntervalInvalid(InvalidRequest):
    """Candles come in fixed intervals only."""

    code = "interval_invalid"


class BookUnavailable(Unavailable):
    """No engine has shown this market's book yet."""

    code = "book_unavailable"


def markets() -> list[MarketView]:
    """All markets, oldest first. One query."""
    return [_market(row) for row in Market.objects.order_by("id")]


def market(symbol: str) -> MarketView:
    """Raises MarketNotFound."""
    return _by_symbol(symbol)


def open_orders(
    user_id: int, market: str | None = None, *, side: str | None = None, limit: int = 200
) -> list[OrderView]:
    """Open orders, newest first, at most OPEN_ORDERS_MAX."""
    found = _narrowed(Order.objects.filter(user_id=user_id, state=Order.State.OPEN), side=side)
    return _orders(found, market=market, limit=min(limit, OPEN_ORDERS_MAX))


def orders(
    user_id: int,
    *,
    market: str | None = None,
    side: str | None = None,
    type: str | None = None,
    state: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[OrderView]:
    """A page of orders, newest first: made at `since` or later and before `until`; `before` is the last id of the page before."""
    found = _narrowed(Order.objects.filter(user_id=user_id), side=side)
    if type is not None:
        found = found.filter(kind=_number(presentation.KINDS, type))
    if state is not None:
        found = found.filter(_STATES[state])
    if since is not None:
        found = found.filter(created_at__gte=since)
    if until is not None:
        found = found.filter(created_at__lt=until)
    if before is not None:
        found = found.filter(id__lt=before)
    return _orders(found, market=market, limit=min(limit, PAGE_MAX))


# The words for an order's state, as presentation shows them.
_STATES = {
    "open": Q(state=Order.State.OPEN, phase=presentation.RESTING),
    "pending": Q(state=Order.State.OPEN) & ~Q(phase=presentation.RESTING),
    "filled": Q(state=Order.State.FILLED),
    "cancelled": Q(state=Order.State.CANCELLED) & ~Q(reason="expired"),
    "expired": Q(state=Order.State.CANCELLED, reason="expired"),
    "done": ~Q(state=Order.State.OPEN),  # of any of these three
}


def _narrowed(found: Any, *, side: str | None) -> Any:
    return found if side is None else found.filter(side=_number(presentation.SIDES, side))


def _number(words: dict[int, str], wanted: str) -> int:
    """The number of a word that the caller has checked."""
    return next(number for number, word in words.items() if word == wanted)


def order(user_id: int, *, order_id: int | None = None, client_order_id: str | None = None) -> OrderView:
    """One order by our id or the customer's own. Raises OrderNotFound."""
    if order_id is None and client_order_id is not None:
        key = OrderKey.objects.filter(user_id=user_id, client_order_id=client_order_id).first()
        command = Command.objects.filter(id=key.command_id).first() if key else None
        order_id = command.order_id if command else None
    row = Order.objects.filter(id=order_id, user_id=user_id).first() if order_id is not None else None
    if row is None:
        raise OrderNotFound(
            "There is no such order.", param="order_id" if client_order_id is None else "client_order_id"
        )
    return presentation.order(_markets_by_id()[row.market_id], order_row(row))


def fees(user_id: int, *, now: datetime) -> FeesView:
    """A customer's tier, volume and what counts in each market. A few queries."""
    rows = Volume.objects.filter(user_id=user_id, day__gt=now.date() - timedelta(days=VOLUME_DAYS))
    volume = int(rows.aggregate(total=Sum("usd_units"))["total"] or 0)
    tiers = list(FeeTier.objects.order_by("volume_from"))
    reached = [tier for tier in tiers if tier.volume_from <= volume]
    tier = reached[-1] if reached else None
    further = tiers[len(reached)] if len(reached) < len(tiers) else None
    own = {row.shard_id: row for row in AccountFee.objects.filter(user_id=user_id)}
    return FeesView(
        tier=tier.name if tier else None,
        volume=amounts.format(volume, decimals=USD_DECIMALS),
        currency="USD",
        maker_fee=amounts.format(tier.maker_fee_ppm, decimals=6) if tier else None,
        taker_fee=amounts.format(tier.taker_fee_ppm, decimals=6) if tier else None,
        next_tier=further.name if further else None,
        next_volume=amounts.format(int(further.volume_from), decimals=USD_DECIMALS) if further else None,
        markets=tuple(_market_fees(view, own.get(view.shard)) for view in markets()),
    )


def market_fees(user_id: int, *, market: str) -> MarketFees:
    """What counts for a customer in one market. Raises MarketNotFound."""
    view = _by_symbol(market)
    return _market_fees(view, AccountFee.objects.filter(id=user_id << 10 | view.shard).first())


def _market_fees(view: MarketView, own: AccountFee | None) -> MarketFees:
    """The better of the market's rates and the customer's, each for itself, as in every fill."""
    maker, taker = view.maker_fee_ppm, view.taker_fee_ppm
    if own is not None:
        maker, taker = min(maker, own.maker_fee_ppm), min(taker, own.taker_fee_ppm)
    return MarketFees(
        market=view.symbol,
        maker_fee=amounts.format(maker, decimals=6),
        taker_fee=amounts.format(taker, decimals=6),
    )


def first_result(*, user_id: int, client_order_id: str | None) -> dict[str, Any]:
    """What became of the first command that used this id: {"code", "order_id"}. Raises OrderNotFound."""
    key = OrderKey.objects.filter(user_id=user_id, client_order_id=client_order_id).first()
    command = Command.objects.filter(id=key.command_id).first() if key else None
    if command is None:
        raise OrderNotFound("There is no such order.", param="client_order_id")
    return {"code": command.verdict, "order_id": command.order_id}


def closed_by(*, command_uuid: str) -> int:
    """How many orders a cancel of all closed: its customer's that were done at the time of its batch, for its reason or as the
    other of a pair. Of two such commands in one batch each is given both's."""
    key = CommandKey.objects.filter(command_uuid=command_uuid).first()
    command = Command.objects.filter(id=key.command_id).first() if key else None
    if command is None:
        return 0
    done = Order.objects.filter(user_id=command.user_id, state=Order.State.CANCELLED, updated_at=command.at)
    return done.filter(reason__in=[orjson.loads(command.body)["reason"], "oco"]).count()


def has_open_orders(user_id: int) -> bool:
    return Order.objects.filter(user_id=user_id, state=Order.State.OPEN).exists()


def owners_of_open_orders(market: str, *, limit: int) -> list[int]:
    """Customers who have orders open in a market, at most `limit` of them. Raises MarketNotFound."""
    found = Order.objects.filter(market_id=_by_symbol(market).id, state=Order.State.OPEN)
    return list(found.values_list("user_id", flat=True).distinct()[:limit])


def fills(
    user_id: int,
    *,
    market: str | None = None,
    order_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[FillView]:
    """A page of a customer's fills, newest first: made at `since` or later and before `until`."""
    known = _markets_by_id()
    found = Trade.objects.all()
    if market is not None:
        found = found.filter(market_id=_id_of(known, market))
    if order_id is not None:
        found = found.filter(Q(maker_order_id=order_id) | Q(taker_order_id=order_id))
    if since is not None:
        found = found.filter(at__gte=since)
    if until is not None:
        found = found.filter(at__lt=until)
    if before is not None:
        found = found.filter(id__lt=before)
    limit = min(limit, PAGE_MAX)
    # Two index scans, not one over an OR: each side's newest are found without reading the other's.
    rows: dict[int, Trade] = {}
    for own in ({"maker_id": user_id}, {"taker_id": user_id}):
        rows.update({row.id: row for row in found.filter(**own).order_by("-id")[:limit]})
    newest = sorted(rows.values(), key=lambda row: row.id, reverse=True)[:limit]
    return [presentation.fill(known[row.market_id], trade_row(row), user_id=user_id) for row in newest]


def trades(market: str, *, before: int | None = None, limit: int = 50) -> list[TradeView]:
    """A page of a market's trades, newest first. Raises MarketNotFound."""
    view = _by_symbol(market)
    found = Trade.objects.filter(market_id=view.id)
    if before is not None:
        found = found.filter(id__lt=before)
    return [presentation.trade(view, trade_row(row)) for row in found.order_by("-id")[: min(limit, PAGE_MAX)]]


def candles(
    market: str,
    interval: str,
    *,
    after: datetime | None = None,
    before: datetime | None = None,
    limit: int = 300,
    now: datetime,
) -> list[CandleView]:
    """A page of candles without a gap, oldest first; see tape.candles. Raises MarketNotFound, IntervalInvalid."""
    view = _by_symbol(market)
    if interval not in candle_grid.INTERVALS:
        raise IntervalInvalid(f"An interval is one of {', '.join(candle_grid.BY_LENGTH)}.", param="interval")
    return tape.candles(view, interval, after=after, before=before, limit=max(1, min(limit, PAGE_MAX)), now=now)


def tickers(*, now: datetime) -> list[TickerView]:
    """Every market's last 24 hours. A few queries in all."""
    return tape.tickers(markets(), now=now)


def day_lines(interval: str, *, points: int, now: datetime) -> dict[int, list[tuple[int, int, int]]]:
    """For a small picture of each market's last candles: see tape.lines. By the market's id. One query."""
    if interval not in candle_grid.INTERVALS:
        raise IntervalInvalid(f"An interval is one of {', '.join(candle_grid.BY_LENGTH)}.", param="interval")
    return tape.lines(interval, points=points, now=now)


def ticker(market: str, *, now: datetime) -> TickerView:
    """Raises MarketNotFound."""
    return tape.ticker(_by_symbol(market), now=now)


def book(market: str, depth: int = 100) -> BookView:
    """The book as the engine last showed it (at most 100 ms behind). Raises MarketNotFound, BookUnavailable."""
    shown = tape.book(_by_symbol(market), depth=max(1, min(depth, BOOK_DEPTH_MAX)))
    if shown is None:
        raise BookUnavailable("This market's order book is not available at the moment.", param="market")
    return shown


def order_row(row: Order) -> OrderRow:
    terms: dict[str, int] = row.terms or {}
    return OrderRow(
        id=row.id,
        user_id=row.user_id,
        market_id=row.market_id,
        side=row.side,
        kind=row.kind,
        time_in_force=row.time_in_force,
        price=row.price,
        lots=row.lots,
        quote_units=int(row.quote_units),
        filled_lots=row.filled_lots,
        filled_quote=int(row.filled_quote),
        fee=int(row.fee),
        state=row.state,
        reason=row.reason,
        client_order_id=row.client_order_id,
        created_at=presentation.microseconds(row.created_at),
        updated_at=presentation.microseconds(row.updated_at),
        phase=row.phase,
        held=int(row.held),
        stop_price=terms.get("stop", 0),
        trail_ticks=terms.get("trail_ticks", 0),
        trail_ppm=terms.get("trail_ppm", 0),
        display_lots=terms.get("display", 0),
        post_only=bool(terms.get("post_only", False)),
        self_trade=terms.get("self_trade", 1),
        slippage_ppm=terms.get("slippage", 0),
        expires_at=terms.get("expires_at", 0),
        partner=terms.get("partner", 0),
    )


def trade_row(row: Trade) -> TradeRow:
    values: dict[str, Any] = {name: getattr(row, name) for name in TradeRow._fields}
    values["buyer_fee"], values["seller_fee"] = int(row.buyer_fee), int(row.seller_fee)
    values["at"] = presentation.microseconds(row.at)
    return TradeRow(**values)


def held_by_open_orders(cursor: Any) -> Iterable[tuple[int, int]]:
    """What open orders hold, by ledger account: this room's part in the reconciliation."""
    cursor.execute(
        """
        SELECT CASE side WHEN 1 THEN quote_account ELSE base_account END AS account, sum(held)::text
        FROM trading_order WHERE state = 1 GROUP BY account
        """
    )
    return [(account, int(held)) for account, held in cursor.fetchall()]


def _by_symbol(symbol: str) -> MarketView:
    row = Market.objects.filter(symbol=symbol).first()
    if row is None:
        raise MarketNotFound("There is no such market.", param="market")
    return _market(row)


def _orders(found: Any, *, market: str | None, limit: int) -> list[OrderView]:
    known = _markets_by_id()
    if market is not None:
        found = found.filter(market_id=_id_of(known, market))
    return [presentation.order(known[row.market_id], order_row(row)) for row in found.order_by("-id")[:limit]]


def _markets_by_id() -> dict[int, MarketView]:
    return {view.id: view for view in markets()}


def _id_of(known: dict[int, MarketView], symbol: str) -> int:
    for view in known.values():
        if view.symbol == symbol:
            return view.id
    raise MarketNotFound("There is no such market.", param="market")


def _market(row: Market) -> MarketView:
    base, quote = row.symbol.split("-")
    return MarketView(
        id=row.id,
        symbol=row.symbol,
        base=base,
        quote=quote,
        base_asset_id=row.base_asset_id,
        quote_asset_id=row.quote_asset_id,
        base_decimals=row.base_decimals,
        quote_decimals=row.quote_decimals,
        price_decimals=row.price_decimals,
        price_step=row.price_step,
        quantity_decimals=row.quantity_decimals,
        quantity_step=row.quantity_step,
        lot_base_units=int(row.lot_base_units),
        tick_quote_units=int(row.tick_quote_units),
        maker_fee_ppm=row.maker_fee_ppm,
        taker_fee_ppm=row.taker_fee_ppm,
        tick_size=amounts.format(row.price_step, decimals=row.price_decimals),
        lot_size=amounts.format(row.quantity_step, decimals=row.quantity_decimals),
        maker_fee=amounts.format(row.maker_fee_ppm, decimals=6),
        taker_fee=amounts.format(row.taker_fee_ppm, decimals=6),
        state=presentation.MARKET_STATES[row.state],
        shard=row.shard_id,
        min_notional_units=int(row.min_notional),
        band_ppm=row.band_ppm,
        slippage_ppm=row.slippage_ppm,
        max_open_orders=row.max_open_orders,
        opened=row.opened,
        min_notional=amounts.format(int(row.min_notional), decimals=row.quote_decimals),
        price_band=presentation.percent(row.band_ppm) if row.band_ppm else None,
        slippage=presentation.percent(row.slippage_ppm),
    )
