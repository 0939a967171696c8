"""From the database to a book that may be traded on: the way at every start, and after every doubt.

What must never happen here: a load before the epoch was raised, for then an old leader might still commit behind it; or an
order that holds something else than it says.
"""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from trading.engine.book import RESTING, Order
from trading.engine.matching import Engine
from trading.engine.rules import Kind, Market, MarketState, Side, TimeInForce
from trading.runner import terms

_SHARD = "SELECT next_order, next_trade, last_prices FROM trading_shard WHERE id = %s"
_MARKETS = """
SELECT id, state, base_asset_id, quote_asset_id, lot_base_units::text, tick_quote_units::text, maker_fee_ppm, taker_fee_ppm,
       min_notional::text, band_ppm, slippage_ppm, max_open_orders
FROM trading_market WHERE shard_id = %s AND opened ORDER BY id
"""
_FEES = "SELECT user_id, maker_fee_ppm, taker_fee_ppm FROM trading_account_fee WHERE shard_id = %s"
_COUNTDOWNS = "SELECT user_id, until_us FROM trading_countdown WHERE shard_id = %s"
# In the order of ranks: at one price that is whose turn it is, and so it is among those that wait to run.
_OPEN_ORDERS = """
SELECT o.id, o.market_id, o.user_id, o.side, o.kind, o.time_in_force, o.price, o.lots, o.quote_units::text, o.filled_lots,
       o.filled_quote::text, o.fee::text, o.base_account, o.quote_account, o.client_order_id, o.rank, o.phase, o.held::text,
       o.terms, (extract(epoch FROM o.created_at) * 1000000)::bigint, (extract(epoch FROM o.updated_at) * 1000000)::bigint
FROM trading_order o WHERE o.state = 1 AND o.market_id = ANY(%s) ORDER BY o.rank
"""
# The session's settings are those of a batch, which looks up a few rows; here all are read, and sorted in memory. No helpers
# of the database's: they take longer to come than there is to do, and the processors are the engine's, too.
_WHOLE_BOOK = (
    "SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on; SET LOCAL cursor_tuple_fraction = 1; "
    "SET LOCAL work_mem = '64MB'; SET LOCAL max_parallel_workers_per_gather = 0"
)
PORTION = 5_000  # there may be a million
_SIDES, _KINDS = {int(side): side for side in Side}, {int(kind): kind for kind in Kind}
_TIMES_IN_FORCE = {int(time_in_force): time_in_force for time_in_force in TimeInForce}


class HoldDiffers(RuntimeError):
    """An order in the table holds something else than it may cost. Nobody may trade on such a book."""


def load(connection: Any, *, shard: int) -> Engine:
    """The shard's engine with every open order in its place. In the caller's transaction, which stays open.

    Raises HoldDiffers.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SHARD, (shard,))
        next_order, next_trade, last_prices = cursor.fetchone()
        engine = Engine(shard=shard, next_order=next_order, next_trade=next_trade)
        cursor.execute(_MARKETS, (shard,))
        for row in cursor.fetchall():
            engine.add_market(_market(row), MarketState(row[1]), last_price=last_prices.get(str(row[0]), 0))
        cursor.execute(_FEES, (shard,))
        for user_id, maker_fee_ppm, taker_fee_ppm in cursor.fetchall():
            engine.load_fees(user_id, maker_fee_ppm, taker_fee_ppm)
        cursor.execute(_COUNTDOWNS, (shard,))
        for user_id, until in cursor.fetchall():
            engine.load_countdown(user_id, until)
    collecting = gc.isenabled()
    gc.disable()  # a book is made of objects that stay: looking among them for garbage takes longer than making them
    try:
        _load_orders(connection, engine)
    finally:
        if collecting:
            gc.enable()
    return engine


def _load_orders(connection: Any, engine: Engine) -> None:
    """One portion is fetched while the one before is made into orders: both take about as long."""
    with connection.cursor() as cursor:
        cursor.execute(_WHOLE_BOOK)
    with ThreadPoolExecutor(1) as fetching, connection.cursor(name="open_orders") as cursor:
        cursor.execute(_OPEN_ORDERS, (list(engine.books),))
        coming = fetching.submit(cursor.fetchmany, PORTION)
        while rows := coming.result():
            coming = fetching.submit(cursor.fetchmany, PORTION)
            for row in rows:
                order = _order(row)
                _check_hold(engine, order)
                engine.load(order)


def _market(row: tuple[Any, ...]) -> Market:
    id, _, base_asset_id, quote_asset_id, lot, tick, maker, taker, min_notional, band, slippage, max_open = row
    return Market(
        id=id,
        base_asset_id=base_asset_id,
        quote_asset_id=quote_asset_id,
        lot_base_units=int(lot),
        tick_quote_units=int(tick),
        maker_fee_ppm=maker,
        taker_fee_ppm=taker,
        min_notional=int(min_notional),
        band_ppm=band,
        slippage_ppm=slippage,
        max_open_orders=max_open,
    )


def _check_hold(engine: Engine, order: Order) -> None:
    """An order holds what its open part can cost at worst; the stop of a pair only what that is beyond the limit's hold,
    which has the lower rank and is here already."""
    said = order.hold(engine.books[order.market_id].market)
    other = engine.order(order.partner) if order.kind is not Kind.LIMIT else None
    if order.held != (said if other is None else max(0, said - other.held)):
        raise HoldDiffers(f"order {order.id} holds {order.held}, and may cost {said}")


def _order(row: tuple[Any, ...]) -> Order:
    (id, market_id, user_id, side, kind, time_in_force, price, lots, quote_units, filled_lots, filled_quote, fee,
     base_account, quote_account, client_order_id, rank, phase, held, stated, created_at, updated_at) = row  # fmt: skip
    order = Order(
        id=id,
        market_id=market_id,
        user_id=user_id,
        side=_SIDES[side],
        kind=_KINDS[kind],
        time_in_force=_TIMES_IN_FORCE[time_in_force],
        price=price,
        lots=lots,
        quote_units=int(quote_units),
        base_account=base_account,
        quote_account=quote_account,
        client_order_id=client_order_id,
        created_at=created_at,
        rank=rank,
    )
    order.filled_lots, order.filled_quote, order.fee, order.held = filled_lots, int(filled_quote), int(fee), int(held)
    order.updated_at, order.phase = updated_at, phase
    if stated is not None:
        terms.restore(order, stated)
    if phase == RESTING:
        order.shown = stated["shown"] if order.terms.display_lots else lots - filled_lots
    return order
