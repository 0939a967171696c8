"""What the naive exchange says it did: the names and fields that the engine's events must have, written down once more."""

from __future__ import annotations

from typing import NamedTuple


class Accepted(NamedTuple):
    order_id: int
    user_id: int
    pay_account: int


class Traded(NamedTuple):
    id: int
    market_id: int
    price: int
    lots: int
    base_units: int
    quote_units: int
    taker_side: int
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
    order_id: int
    pay_account: int
    lots: int
    held: int


class Armed(NamedTuple):
    order_id: int
    pay_account: int
    lots: int
    held: int


class Triggered(NamedTuple):
    order_id: int
    pay_account: int
    released: int


class Queued(NamedTuple):
    order_id: int
    pay_account: int


class Ratcheted(NamedTuple):
    order_id: int
    pay_account: int
    stop_price: int
    released: int


class Reduced(NamedTuple):
    order_id: int
    pay_account: int
    price: int
    lots: int
    released: int


class Amended(NamedTuple):
    order_id: int
    user_id: int
    pay_account: int
    price: int
    released: int


class Closed(NamedTuple):
    order_id: int
    pay_account: int
    price: int
    released: int
    reason: str


class MarketOpened(NamedTuple):
    market_id: int
    state: int


class MarketSet(NamedTuple):
    market_id: int


class MarketStateSet(NamedTuple):
    market_id: int
    state: int


class FeesSet(NamedTuple):
    user_id: int
    maker_fee_ppm: int
    taker_fee_ppm: int


class CountdownSet(NamedTuple):
    user_id: int
    until: int


class Ticked(NamedTuple):
    pass


class Refused(NamedTuple):
    code: str
