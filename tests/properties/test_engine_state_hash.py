"""The hash of state tells apart whatever could make a later command do something else: each stored field of each order, what a
customer pays and when his switch goes off, each rule of a market. An engine loaded from rows of which one field differs is
another engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.properties.naive.checks import waits_for_a_rise
from tests.properties.naive.state import RESTING, WAITING
from tests.properties.orders_grammar import Grammar, Seeded
from tests.properties.runs import begin
from tests.properties.side_by_side import SideBySide
from tests.properties.stored_orders import BESIDE_TERMS, NUMBERS, WORDS, reloaded
from trading.engine.commands import Terms
from trading.engine.rules import MarketState, SelfTrade

STEPS = 100
OF_NO_EFFECT = {"created_at", "updated_at", "reason"}  # what is told, and never looked at
FIELDS = sorted({*NUMBERS, *WORDS} - OF_NO_EFFECT)
TERMS = sorted({*Terms.__match_args__, *BESIDE_TERMS} - {"stop_price"})
COUNTS = {"side": 2, "kind": 7, "time_in_force": 4, "self_trade": len(SelfTrade)}


@pytest.fixture(scope="module")
def pair() -> SideBySide:
    """An exchange with orders that wait for a rise, for a fall, and for their turn."""
    for seed in range(50):
        grammar = Grammar(Seeded(seed))
        pair = begin(grammar)
        for _ in range(STEPS):
            pair.do(grammar.command(pair.naive.state))
            orders = pair.naive.state.orders.values()
            places = {(order.phase, waits_for_a_rise(order)) for order in orders if order.phase != RESTING}
            if (
                len(places) > 2
                and any(phase == WAITING for phase, _ in places)
                and any(order.partner for order in orders)
            ):
                pair.settle(0)
                return pair
    raise AssertionError("no seed leads there")


def other(name: str, value: Any) -> Any:
    """Another value of the same kind."""
    if name in COUNTS:
        return value % COUNTS[name] + 1
    if name == "post_only":
        return not value
    if name == "client_order_id":
        return "another"
    return value + 1


def changed_rows(row: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in FIELDS:
        if name in ("id", "market_id", "phase"):  # these decide where it stands, and have tests of their own
            continue
        yield name, {**row, name: other(name, row[name])}
    for name in TERMS:
        yield name, {**row, "terms": {**row["terms"], name: other(name, row["terms"][name])}}


def rehashed(pair: SideBySide, *, at: int = -1, instead: dict[str, Any] | None = None) -> str:
    """The hash after the way through the database, on which the row `at` became another."""

    def edit(rows: list[bytes]) -> list[bytes]:
        return [json.dumps(instead).encode() if place == at else row for place, row in enumerate(rows)]

    return reloaded(pair.bare, pair.new_engine, pair.naive.state, edit).state_hash()


def test_every_field_of_an_order_counts(pair: SideBySide) -> None:
    rows: list[bytes] = []
    reloaded(pair.bare, pair.new_engine, pair.naive.state, lambda found: rows.extend(found) or found)
    same = pair.bare.state_hash()
    assert rehashed(pair) == same
    blind = []
    for at, row in enumerate(json.loads(row) for row in rows):
        for name, instead in changed_rows(row):
            try:
                found = rehashed(pair, at=at, instead=instead)
            except (KeyError, AssertionError):  # an engine that refuses such a row is not fooled by it either
                continue
            if found == same:
                blind.append((row["phase"], name))
        gone = [other for place, other in enumerate(rows) if place != at]
        assert reloaded(pair.bare, pair.new_engine, pair.naive.state, lambda _, gone=gone: gone).state_hash() != same
    assert not blind


def test_markets_tiers_switches_and_counters_count(pair: SideBySide) -> None:
    seen = {pair.bare.state_hash()}

    def differs(engine: Any) -> None:
        found = engine.state_hash()
        assert found not in seen
        seen.add(found)

    def fresh(**counters: int) -> Any:
        return reloaded(pair.bare, lambda **given: pair.new_engine(**{**given, **counters}), pair.naive.state)

    differs(fresh(next_order=pair.bare.next_order + 1))
    differs(fresh(next_trade=pair.bare.next_trade + 1))
    for user, until in ((1, 77_000), (1, 78_000), (2, 77_000)):
        engine = fresh()
        engine.load_countdown(user, until)
        differs(engine)
    for user, maker, taker in ((1, 3, 4), (1, 3, 5), (1, 2, 4), (2, 3, 4)):
        engine = fresh()
        engine.load_fees(user, maker, taker)
        differs(engine)
    for id, book in pair.bare.books.items():
        engine = fresh()
        engine.books[id].last_price += 1
        differs(engine)
        engine = fresh()
        engine.books[id].state = next(state for state in MarketState if state is not book.state)
        differs(engine)
        for name in (
            "lot_base_units", "tick_quote_units", "maker_fee_ppm", "taker_fee_ppm", "min_notional", "band_ppm",
            "max_open_orders",
        ):  # fmt: skip
            engine = fresh()
            engine.books[id].market = book.market.but(**{name: getattr(book.market, name) + 1})
            differs(engine)
        engine = fresh()
        slippage = book.market.slippage_ppm
        engine.books[id].market = book.market.but(slippage_ppm=slippage - 1 if slippage > 1 else 2)
        differs(engine)
