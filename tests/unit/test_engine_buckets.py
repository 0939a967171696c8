"""Candles known before they are written: what is told is what all trades come to, whatever was forgotten meanwhile."""

from __future__ import annotations

from collections.abc import Collection
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading import candles as grid
from trading.runner import record
from trading.runner.buckets import Bucket, Buckets, compare
from trading.runner.expected import Otherwise

START_US = 1_763_647_000_000_000
TRADES = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 5)), min_size=1, max_size=4)
STEPS = st.lists(
    st.tuples(st.integers(1, 200_000_000), TRADES, st.sampled_from(["written", "rolled back", "begun anew"])),
    max_size=30,
)


class Plain:
    """What the database does, one trade after another."""

    def __init__(self) -> None:
        self.rows: dict[int, list[int]] = {}
        self.looks = 0

    def write(self, at_us: int, trades: list[tuple[int, int, int]]) -> None:
        for market, price, lots in trades:
            for place, second in grid.buckets(at_us // 1_000_000):
                id = grid.candle_id(open_second=second, market_id=market, place=place)
                row = self.rows.setdefault(id, [market, place, second, price, price, price, price, 0, 0])
                row[4], row[5], row[6] = max(row[4], price), min(row[5], price), price
                row[7], row[8] = row[7] + lots, row[8] + price * lots

    def look(self, ids: Collection[int]) -> list[Bucket]:
        self.looks += 1
        return [tuple(self.rows[id]) for id in ids if id in self.rows]  # type: ignore[misc]


@given(STEPS)
def test_what_is_told_is_what_is_stored(steps: list[tuple[int, list[tuple[int, int, int]], str]]) -> None:
    plain, at_us = Plain(), START_US
    buckets = Buckets(plain.look)
    for later, trades, ending in steps:
        at_us += later
        rows = [SimpleNamespace(market_id=m, price=p, lots=n, quote_units=p * n) for m, p, n in trades]
        touched = record.touched_candles(rows, at_us=at_us)  # type: ignore[arg-type]
        told = buckets.after(touched)
        if ending == "rolled back":
            buckets.forget()
            continue
        plain.write(at_us, trades)
        compare([(*plain.rows[id][:7], str(plain.rows[id][7]), str(plain.rows[id][8])) for id in touched], told)
        if ending == "begun anew":
            buckets = Buckets(plain.look)


def test_a_market_is_looked_up_once() -> None:
    plain = Plain()
    buckets = Buckets(plain.look)
    for step in range(5):
        trade = SimpleNamespace(market_id=1, price=10, lots=1, quote_units=10)
        buckets.after(record.touched_candles([trade], at_us=START_US + step * 86_400_000_000))  # type: ignore[list-item]
    assert plain.looks == 1


def test_what_differs_is_not_told() -> None:
    told = [(1, 1, 60, 5, 6, 4, 5, "10", "50")]
    compare(told, told)
    for found in ([(1, 1, 60, 5, 6, 4, 5, "11", "50")], [], [*told, (1, 2, 60, 5, 6, 4, 5, "10", "50")]):
        with pytest.raises(Otherwise):
            compare(found, told)
