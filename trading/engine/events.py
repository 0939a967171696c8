"""What the engine did. Events are complete: whoever holds them can post the ledger and tell the world without asking back.

They are named tuples because a busy second makes a hundred thousand of them and a tuple is the cheapest frozen thing
there is. What must never happen here: an event that somebody changes after it was given out.
"""

from __future__ import annotations

from typing import NamedTuple

from trading.engine.rules import MarketState, Side


class Accepted(NamedTuple):
    """A new order has its id."""

    order_id: int
    user_id: int
    pay_account: int


class Traded(NamedTuple):
    """One fill. The buyer pays `quote_units` and gets base_units − buyer_fee; the seller the other way round."""

    id: int
    market_id: int
    price: int
    lots: int
    base_units: int
    quote_units: int
    taker_side: Side
    maker_order_id: int
    taker_order_id: int
    maker_id: int
    taker_id: int
    buyer_fee: int
    seller_fee: int
    buyer_base_account: int
    buyer_quote_account: int
    seller_base_account: int
    seller_quote_account: int


class Rested(NamedTuple):
    """The order stands in the book and holds `held` base units of what it pays with."""

    order_id: int
    pay_account: int
    lots: int
    held: int


class Closed(NamedTuple):
    """The order is done: filled, or cancelled with a reason. `released` is the hold it gives back (0 when it never rested)."""

    order_id: int
    pay_account: int
    released: int
    reason: str


class MarketStateSet(NamedTuple):
    market_id: int
    state: MarketState


class Refused(NamedTuple):
    """Nothing changed. `code` is stable and is what the customer's program sees."""

    code: str


Event = Accepted | Traded | Rested | Closed | MarketStateSet | Refused
