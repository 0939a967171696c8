"""The way of an engine's state through the database and back: only what rows hold comes along, and JSON in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.properties.naive.state import State
from trading.engine.book import Order
from trading.engine.commands import Terms
from trading.engine.matching import Engine
from trading.engine.rules import Kind, MarketState, SelfTrade, Side, TimeInForce

Edit = Callable[[list[bytes]], list[bytes]]
NUMBERS = (
    "id", "rank", "market_id", "user_id", "price", "lots", "quote_units", "filled_lots", "filled_quote", "fee", "held",
    "base_account", "quote_account", "client_order_id", "created_at", "phase", "updated_at", "reason",
)  # fmt: skip
WORDS = {"side": Side, "kind": Kind, "time_in_force": TimeInForce}
BESIDE_TERMS = ("shown", "extreme", "cap", "partner", "stop_price")
AFTERWARDS = ("filled_lots", "filled_quote", "fee", "held", "phase", "updated_at", "reason", *BESIDE_TERMS)


def stored(order: Order) -> bytes:
    """A row of the table of orders."""
    row: dict[str, Any] = {name: getattr(order, name) for name in NUMBERS}
    row.update({name: int(getattr(order, name)) for name in WORDS})
    terms = {name: getattr(order.terms, name) for name in Terms.__match_args__}
    terms["self_trade"] = int(terms["self_trade"])
    row["terms"] = {**terms, **{name: getattr(order, name) for name in BESIDE_TERMS}}
    return json.dumps(row).encode()


def stored_rows(engine: Engine) -> list[bytes]:
    """Of every live order."""
    return [stored(order) for _, order in sorted(engine.orders.items()) if order.phase]


def id_of(row: bytes) -> int:
    return int(json.loads(row)["id"])


def loaded(row: bytes) -> Order:
    """The order in the row, as loading.py makes it."""
    given = json.loads(row)
    said = given["terms"]
    stop = 0 if given["kind"] == Kind.TRAILING_STOP else said["stop_price"]
    terms = Terms(**{
        **{name: said[name] for name in Terms.__match_args__}, "self_trade": SelfTrade(said["self_trade"]), "stop_price": stop
    })  # fmt: skip
    made = {name: given[name] for name in NUMBERS if name not in AFTERWARDS}
    order = Order(**made, **{name: word(given[name]) for name, word in WORDS.items()}, terms=terms)
    for name in AFTERWARDS:
        setattr(order, name, said[name] if name in BESIDE_TERMS else given[name])
    return order


def reloaded(engine: Engine, new: Any, state: State, edit: Edit = list) -> Engine:
    """A new engine with every live order of the old one; rules, rates and countdowns are those that were last stated.

    `edit` may change the rows on their way.
    """
    fresh = new(next_order=engine.next_order, next_trade=engine.next_trade)
    for id, market in state.markets.items():
        fresh.add_market(market.rules, MarketState(market.state), last_price=engine.books[id].last_price)
    rows = [stored(order) for order in sorted(engine.orders.values(), key=lambda order: order.rank) if order.phase]
    for row in edit(rows):
        fresh.load(loaded(row))
    for user, (maker, taker) in state.fees.items():
        fresh.load_fees(user, maker, taker)
    for user, until in state.countdowns.items():
        fresh.load_countdown(user, until)
    return fresh
