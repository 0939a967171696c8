"""From the database to a book that may be traded on: the way at every start, and after every doubt.

What must never happen here: a load before the epoch was raised, for then an old leader might still commit behind it.
"""

from __future__ import annotations

from typing import Any

from trading.engine.book import Order
from trading.engine.matching import Engine
from trading.engine.rules import Kind, Market, MarketState, Side, TimeInForce
from trading.presentation import MarketView
from trading.runner.leadership import Reign

_OPEN_ORDERS = """
SELECT o.id, o.market_id, o.user_id, o.side, o.kind, o.time_in_force, o.price, o.lots, o.filled_lots, o.filled_quote::text,
       o.fee::text, o.base_account, o.quote_account, o.client_order_id,
       (extract(epoch FROM o.created_at) * 1000000)::bigint, (extract(epoch FROM o.updated_at) * 1000000)::bigint
FROM trading_order o WHERE o.state = 1 AND o.market_id = ANY(%s) ORDER BY o.id
"""


def load(connection: Any, *, shard: int, reign: Reign, views: list[MarketView]) -> Engine:
    """The shard's engine with every open order in its place."""
    engine = Engine(shard=shard, next_order=reign.next_order, next_trade=reign.next_trade)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, state FROM trading_market WHERE shard_id = %s", (shard,))
        states = dict(cursor.fetchall())
        for view in views:
            engine.add_market(market(view), MarketState(states[view.id]))
    with connection.cursor(name="open_orders") as cursor:  # fetched in portions: there may be a million
        cursor.itersize = 10_000
        cursor.execute(_OPEN_ORDERS, ([view.id for view in views],))
        for row in cursor:
            engine.load(_order(row))
    connection.commit()
    return engine


def market(view: MarketView) -> Market:
    return Market(
        id=view.id,
        base_asset_id=view.base_asset_id,
        quote_asset_id=view.quote_asset_id,
        lot_base_units=view.lot_base_units,
        tick_quote_units=view.tick_quote_units,
        maker_fee_ppm=view.maker_fee_ppm,
        taker_fee_ppm=view.taker_fee_ppm,
    )


def _order(row: tuple[Any, ...]) -> Order:
    (id, market_id, user_id, side, kind, time_in_force, price, lots, filled_lots, filled_quote, fee,
     base_account, quote_account, client_order_id, created_at, updated_at) = row  # fmt: skip
    order = Order(
        id=id,
        market_id=market_id,
        user_id=user_id,
        side=Side(side),
        kind=Kind(kind),
        time_in_force=TimeInForce(time_in_force),
        price=price,
        lots=lots,
        quote_units=0,
        base_account=base_account,
        quote_account=quote_account,
        client_order_id=client_order_id,
        created_at=created_at,
    )
    order.filled_lots, order.filled_quote, order.fee = filled_lots, int(filled_quote), int(fee)
    order.updated_at = updated_at
    return order
