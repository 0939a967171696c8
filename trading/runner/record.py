"""What a batch has to tell, written down before anybody is told: the one source of replies and of market data.

A record is plain lists and text, stored with its batch in the same transaction. The messages are made from the record and
nothing else, so those sent after a crash are those that would have been sent before it.
What must never happen here: a message that needs to ask the book, or the database, what it meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trading import candles as grid
from trading.engine.book import Order
from trading.engine.events import Amended, Closed, Event, Reduced, Rested, Traded
from trading.engine.funds import Funds
from trading.engine.matching import Engine
from trading.presentation import MarketView
from trading.runner import terms
from trading.runner.store import First, state_of
from trading.wire import Asked

# A reply in the record: [process, uuid, code, order id or None, whether the order is in this record, first result or None],
# and where the command takes back many orders: how many it took
Reply = tuple[Any, ...]


_LEAVING = frozenset({Closed, Amended, Reduced})
Levels = tuple[set[int], set[int]]  # prices of bids, prices of asks


def packed(order: Order) -> tuple[Any, ...]:
    """An order in the form of `wire.unpack_order`: amounts of base units as text, for they may pass 64 bits."""
    row = (
        order.id, order.user_id, order.market_id, order.side + 0, order.kind + 0, order.time_in_force + 0, order.price,
        order.lots, f"{order.quote_units}", order.filled_lots, f"{order.filled_quote}", f"{order.fee}", state_of(order),
        order.reason, order.client_order_id, order.created_at, order.updated_at, order.phase, f"{order.held}",
    )  # fmt: skip
    if terms.plain(order):
        return row
    said = order.terms
    return (
        *row, order.stop_price, said.trail_ticks, said.trail_ppm, said.display_lots, said.post_only + 0, said.self_trade + 0,
        said.slippage_ppm, said.expires_at, order.partner,
    )  # fmt: skip


def touched_levels(engine: Engine, events: Iterable[Event], orders: Mapping[int, Order]) -> dict[int, Levels]:
    """The prices of every level that changed, by market. An order that left its place names it; one that took a place and
    left it again stands at another by now, but its leaving told. What waits for its trigger is on no level."""
    levels: dict[int, Levels] = {market_id: (set(), set()) for market_id in engine.books}
    for event in events:
        kind = type(event)
        if kind is Traded:
            levels[event.market_id][2 - event.taker_side].add(event.price)  # type: ignore[union-attr]
        elif kind is Rested:
            order = orders[event.order_id]  # type: ignore[union-attr]
            levels[order.market_id][order.side - 1].add(order.price)
        elif kind in _LEAVING and event.price:  # type: ignore[union-attr]
            order = orders[event.order_id]  # type: ignore[union-attr]
            levels[order.market_id][order.side - 1].add(event.price)  # type: ignore[union-attr]
    return {market_id: found for market_id, found in levels.items() if found[0] or found[1]}


def touched_candles(trades: Iterable[Traded], *, at_us: int) -> dict[int, list[int]]:
    """What this batch adds to each bucket, by candle id; the form of `store.write_candles`.

    A batch has one time, so all its trades of a market fall into the same bucket of each interval.
    """
    markets: dict[int, list[int]] = {}
    for trade in trades:
        price, found = trade.price, markets.get(trade.market_id)
        if found is None:
            markets[trade.market_id] = [price, price, price, price, trade.lots, trade.quote_units, 1]
            continue
        if price > found[1]:
            found[1] = price
        elif price < found[2]:
            found[2] = price
        found[3] = price
        found[4] += trade.lots
        found[5] += trade.quote_units
        found[6] += 1
    return {
        grid.candle_id(open_second=second, market_id=market_id, place=place): [market_id, place, second, *sums]
        for market_id, sums in markets.items()
        for place, second in grid.buckets(at_us // 1_000_000)
    }


def depth(engine: Engine, levels: Mapping[int, Levels], sequences: Mapping[int, int]) -> list[list[Any]]:
    """[market, u, [[price, lots] of bids], [… of asks]] with the quantities that now stand there."""
    told = []
    for market_id, (bids, asks) in levels.items():
        book = engine.books[market_id]
        told.append(
            [
                market_id,
                sequences[market_id],
                [(price, book.bids.lots_at(price)) for price in sorted(bids, reverse=True)],
                [(price, book.asks.lots_at(price)) for price in sorted(asks)],
            ]
        )
    return told


def balances(funds: Funds, orders: Iterable[Order], views: Mapping[int, MarketView]) -> list[list[Any]]:
    """[user, asset, balance, held] of every account that the batch changed."""
    missing = funds.balance_deltas.keys() | funds.held_deltas.keys()
    found: list[list[Any]] = []
    for order in orders:
        for account, of_base in ((order.base_account, True), (order.quote_account, False)):
            if account in missing:
                missing.remove(account)
                balance, held, _ = funds.standing(account)
                view = views[order.market_id]
                asset = view.base_asset_id if of_base else view.quote_asset_id
                found.append([order.user_id, asset, str(balance), str(held)])
    return found


def compose(
    *,
    shard: int,
    seq: int,
    at_us: int,
    replies: Sequence[Reply],
    orders: Iterable[Order],
    trades: Iterable[Traded],
    depth: list[list[Any]],
    candles: Sequence[Sequence[Any]],
    balances: list[list[Any]],
    states: Mapping[int, int],
    markets: Iterable[int],
) -> dict[str, Any]:
    """The record: numbers, text and lists of them, so that what comes back from the database is the same."""
    return {
        "shard": shard,
        "seq": seq,
        "at": at_us,
        "replies": replies,
        "orders": [packed(order) for order in orders],
        "trades": [
            (t.id, t.market_id, t.price, t.lots, int(t.taker_side), t.maker_order_id, t.taker_order_id, t.maker_id,
             t.taker_id, str(t.buyer_fee), str(t.seller_fee)) for t in trades
        ],
        "depth": depth,
        "candles": candles,
        "balances": balances,
        "states": list(states.items()),
        "markets": list(markets),
    }  # fmt: skip


def reply(
    asked: Asked, code: str, order_id: int | None, *, here: bool, first: First | None = None, count: int | None = None
) -> Reply:
    said = (asked.process, asked.uuid, code, order_id, here, tuple(first) if first is not None else None)
    return said if count is None else (*said, count)
