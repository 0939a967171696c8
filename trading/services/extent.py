"""What an order may come to at most, and what came of it, in the asset that says so exactly.

A buy that says what it pays at most (by amount, or with a price) is counted in the asset of payment; whatever fills at a price
that nobody knows before (every sale, every buy by quantity at the market) in the quantity that it trades. What fills is never
more than what was counted, at whatever price. What must never happen here: a fraction, or a bound that a fill can pass.
"""

from __future__ import annotations

from typing import NamedTuple

from trading.engine.rules import Side
from trading.models import Order
from trading.presentation import MarketView


class Extent(NamedTuple):
    """Base units of an asset."""

    asset_id: int
    units: int


def most(view: MarketView, *, side: int, price: int, lots: int, quote_units: int) -> Extent:
    """Of a new order, as its command says."""
    if quote_units:
        return Extent(view.quote_asset_id, quote_units)
    if side == Side.BUY and price:
        return Extent(view.quote_asset_id, lots * price * view.tick_quote_units)
    return Extent(view.base_asset_id, lots * view.lot_base_units)


def changed(view: MarketView, order: Order, *, price: int, lots: int) -> Extent:
    """Of an open order that is to be changed, whenever in between it fills; 0 leaves a number as it is."""
    return most(
        view,
        side=order.side,
        price=max(price, order.price) if order.price else 0,
        lots=lots or order.lots,
        quote_units=int(order.quote_units),
    )


def stands(view: MarketView, order: Order) -> Extent:
    """Of an order as it stands: what is filled, and the most that the rest can come to."""
    whole = most(view, side=order.side, price=order.price, lots=order.lots, quote_units=int(order.quote_units))
    if order.quote_units or whole.asset_id == view.base_asset_id:
        return whole
    rest = (order.lots - order.filled_lots) * order.price * view.tick_quote_units
    return Extent(whole.asset_id, int(order.filled_quote) + rest)


def filled(view: MarketView, order: Order, *, asset_id: int) -> int:
    """What of it has filled, in the asset in which it is counted."""
    return int(order.filled_quote) if asset_id == view.quote_asset_id else order.filled_lots * view.lot_base_units
