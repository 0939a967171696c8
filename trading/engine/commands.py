"""What can be asked of the engine. A command is a fact once it is here: its form was checked at the edge, its time is given.

Named tuples, like the events, and for the same reason.

What must never happen here: a default that hides a decision (an order's price, size and accounts are always stated).
"""

from __future__ import annotations

from typing import NamedTuple

from trading.engine.rules import Kind, MarketState, Side, TimeInForce


class Place(NamedTuple):
    """A new order. Exactly one of `lots` and `quote_units` is above zero; `price` is 0 for a market order.

    `base_account` and `quote_account` are the owner's ledger accounts: integers that the core hands back in its events
    and never looks into. `at` is in microseconds since 1970.
    """

    market_id: int
    user_id: int
    side: Side
    kind: Kind
    time_in_force: TimeInForce
    price: int
    lots: int
    quote_units: int
    base_account: int
    quote_account: int
    client_order_id: str | None
    at: int


class Cancel(NamedTuple):
    """Take an order of `user_id` out of the book, named by its id, or by the owner's own id for it where `order_id` is 0."""

    user_id: int
    order_id: int
    client_order_id: str | None
    at: int


class SetMarketState(NamedTuple):
    """Staff opens, narrows or halts a market."""

    market_id: int
    state: MarketState
    at: int


Command = Place | Cancel | SetMarketState
