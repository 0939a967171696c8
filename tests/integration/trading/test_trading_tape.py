"""Candles and tickers as they are read, against what a plain look at every trade says."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest

from trading import candles as grid
from trading import selectors
from trading.presentation import CandleView
from trading.runner import record, store
from trading.runner.buckets import Buckets

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime.now(UTC).replace(microsecond=250_000)
BTC, ETH = 1, 2


class Tape:
    """Trades as the engine stores their candles, and the same trades kept in a list."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor
        self.buckets = Buckets(partial(store.look_at_candles, cursor))
        self.trades: list[tuple[int, int, int, int, int]] = []  # second, market, price, lots, quote units

    def batch(self, at: datetime, *trades: tuple[int, int, int]) -> None:
        """(market, price, lots) of each trade of one batch."""
        rows = [
            SimpleNamespace(market_id=market, price=price, lots=lots, quote_units=price * lots * 10)
            for market, price, lots in trades
        ]
        at_us = int(at.timestamp() * 1_000_000)
        touched = record.touched_candles(rows, at_us=at_us)
        self.buckets.forget()  # these batches come in no order of time; an engine's do
        store.write_candles(self.cursor, touched, self.buckets.after(touched))
        self.trades += [(at_us // 1_000_000, row.market_id, row.price, row.lots, row.quote_units) for row in rows]

    def plain(self, symbol: str, market: int, interval: str) -> list[CandleView]:
        """Every candle from the first trade to now, by looking at all trades."""
        view = selectors.market(symbol)
        buckets: dict[int, list[tuple[int, int, int]]] = {}
        for second, where, price, lots, quote in self.trades:
            if where == market:
                buckets.setdefault(grid.opened(interval, second), []).append((price, lots, quote))
        found, close = [], 0
        last = max(grid.opened(interval, int(NOW.timestamp())), *buckets)
        for opening in grid.openings(interval, first=min(buckets), last=last):
            trades = buckets.get(opening) or [(close, 0, 0)]
            prices = [price for price, _, _ in trades]
            close = prices[-1]
            shown = [view.price(price) for price in (prices[0], max(prices), min(prices), close)]
            volumes = view.quantity(sum(lots for _, lots, _ in trades)), view.quote_amount(sum(q for _, _, q in trades))
            found.append(CandleView(datetime.fromtimestamp(opening, UTC), *shown, *volumes))
        return found


@pytest.fixture
def tape(database_url: Callable[[str], str]) -> Any:
    connection = psycopg2.connect(database_url("engine"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(store.SESSION)
        yield Tape(cursor)
    connection.close()


def traded_at_random(tape: Tape, *, seed: int, begins: datetime, batches: int, pause_s: int = 4_000) -> None:
    rng, at = random.Random(seed), begins
    for _ in range(batches):
        at += timedelta(seconds=rng.choice((0.4, 1, 1, 7, 61, 333, pause_s)))
        if at > NOW:
            break
        tape.batch(
            at,
            *(
                (rng.choice((BTC, BTC, ETH)), rng.randint(100, 200), rng.randint(1, 9))
                for _ in range(rng.randint(1, 4))
            ),
        )


@pytest.mark.parametrize("interval", grid.BY_LENGTH)
def test_candles_are_those_of_the_trades_without_a_gap(tape: Tape, interval: str) -> None:
    traded_at_random(tape, seed=1, begins=NOW - timedelta(hours=30), batches=160)
    plain = tape.plain("BTC-USDT", BTC, interval)
    shown = selectors.candles("BTC-USDT", interval, limit=1000, now=NOW)
    assert shown == plain[-1000:]
    assert any(candle.volume == "0" for candle in plain) or interval not in ("1s", "1m")
    assert selectors.candles("LTC-USDT", interval, now=NOW) == []


@pytest.mark.parametrize("interval", ["1s", "1m", "30m", "1d", "1M"])
def test_pages_fit_together_in_both_directions(tape: Tape, interval: str) -> None:
    traded_at_random(tape, seed=2, begins=NOW - timedelta(minutes=50), batches=90, pause_s=200)
    plain = tape.plain("BTC-USDT", BTC, interval)
    back: list[CandleView] = []
    before = None
    while page := selectors.candles("BTC-USDT", interval, before=before, limit=37, now=NOW):
        back, before = page + back, page[0].time
    assert back == plain
    forth: list[CandleView] = []
    after = datetime(1, 1, 1, tzinfo=UTC)
    while page := selectors.candles("BTC-USDT", interval, after=after, limit=41, now=NOW):
        forth, after = forth + page, page[-1].time
    assert forth == plain
    inside = selectors.candles("BTC-USDT", interval, after=plain[0].time, before=plain[-1].time, limit=1000, now=NOW)
    assert inside == plain[1:-1][:1000]


def test_bounds_that_lie_anywhere_are_answered(tape: Tape) -> None:
    tape.batch(NOW - timedelta(minutes=3), (BTC, 100, 1))
    for bound in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)):
        for interval in grid.INTERVALS:
            before = selectors.candles("BTC-USDT", interval, before=bound, now=NOW)
            after = selectors.candles("BTC-USDT", interval, after=bound, now=NOW)
            assert bool(before) is not bool(after)
    between = NOW - timedelta(minutes=2, seconds=1.5)
    times = [candle.time for candle in selectors.candles("BTC-USDT", "1s", after=between, before=NOW, now=NOW)]
    assert times[0] == between.replace(microsecond=0) + timedelta(seconds=1)
    assert times[-1] == NOW.replace(microsecond=0)


def test_candles_of_an_engine_whose_clock_is_ahead_are_shown(tape: Tape) -> None:
    tape.batch(NOW + timedelta(seconds=3), (BTC, 100, 1))
    assert len(selectors.candles("BTC-USDT", "1s", now=NOW)) == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_ticker_is_exactly_the_last_86400_seconds(tape: Tape, seed: int) -> None:
    traded_at_random(tape, seed=seed, begins=NOW - timedelta(hours=25), batches=140)
    edge = int(NOW.timestamp()) - 86_400
    for second in (edge, edge + 1, edge + 30):  # the first lies outside by one second, the others inside
        tape.batch(datetime.fromtimestamp(second, UTC), (BTC, 90 if second == edge else 95, 3))
    tape.trades.sort(key=lambda trade: trade[0])
    view, found = selectors.market("BTC-USDT"), selectors.ticker("BTC-USDT", now=NOW)
    inside = [trade for trade in tape.trades if trade[1] == BTC and trade[0] > edge]
    assert found.volume == view.quantity(sum(lots for _, _, _, lots, _ in inside))
    assert found.quote_volume == view.quote_amount(sum(quote for *_, quote in inside))
    assert found.high == view.price(max(price for _, _, price, _, _ in inside))
    assert found.low == view.price(min(price for _, _, price, _, _ in inside))
    assert found.open == view.price(inside[0][2])


def test_the_new_intervals_are_made_of_what_was_stored_before(tape: Tape, owner_connection: Any) -> None:
    traded_at_random(tape, seed=9, begins=NOW - timedelta(days=2), batches=120)
    made = ("30m", "12h", "1w", "1M")
    shown = {interval: selectors.candles("BTC-USDT", interval, limit=1000, now=NOW) for interval in made}
    with owner_connection.cursor() as cursor:
        cursor.execute("DELETE FROM trading_candle WHERE interval IN (7, 8, 9, 10, 11)")
        cursor.execute(importlib.import_module("trading.migrations.0003_candles").FILL)
    for interval in made:
        assert selectors.candles("BTC-USDT", interval, limit=1000, now=NOW) == shown[interval]


def test_where_a_day_saw_no_trade_the_last_price_stands(tape: Tape) -> None:
    assert selectors.ticker("BTC-USDT", now=NOW).last is None
    tape.batch(NOW - timedelta(days=3), (BTC, 150, 2))
    found = selectors.ticker("BTC-USDT", now=NOW)
    assert {found.last, found.open, found.high, found.low} == {selectors.market("BTC-USDT").price(150)}
    assert (found.volume, found.quote_volume, found.change) == ("0", "0", "0")
