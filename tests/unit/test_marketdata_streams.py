"""One market in memory: what was read and what was published meanwhile make one row without a hole or a double."""

from __future__ import annotations

from typing import Any

import pytest

from exchange.core.errors import InvalidRequest
from trading.marketdata import channels
from trading.marketdata.books import Verdict
from trading.marketdata.channels import INTERVALS, Channel
from trading.marketdata.streams import CANDLES_KEPT, TRADES_KEPT, Stream

MARKET = "BTC-USDT"


def published(u: int, trades: list[int] | None = None, candles: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    rows = [{"id": number, "price": "1", "quantity": "1", "side": "buy", "time": "t"} for number in trades or []]
    return {
        "market": MARKET,
        "U": u,
        "u": u,
        "time": f"t{u}",
        "bids": [["10", str(u)]],
        "asks": [],
        "trades": rows,
        "candles": candles or [],
    }


def candle(time: str, close: str, interval: str = "1m") -> dict[str, Any]:
    return {
        "interval": interval,
        "time": time,
        "open": "1",
        "high": "1",
        "low": "1",
        "close": close,
        "volume": "1",
        "quote_volume": "1",
    }


def ready_stream(u: int = 0, trades: list[int] | None = None) -> Stream:
    stream = Stream(MARKET)
    stream.restore_rows(trades=published(0, trades)["trades"], candles={interval: [] for interval in INTERVALS})
    stream.book.restore({"u": u, "bids": [], "asks": []})
    return stream


def trade_ids(stream: Stream) -> list[int]:
    return [trade["id"] for trade in stream.snapshot(Channel("trades", MARKET))["trades"]]


def test_nothing_is_shown_before_it_is_known() -> None:
    stream = Stream(MARKET)
    assert stream.snapshot(Channel("book", MARKET)) is None
    assert stream.snapshot(Channel("trades", MARKET)) is None
    assert stream.snapshot(Channel("candles", MARKET, "1m")) is None


def test_one_message_feeds_book_trades_and_candles() -> None:
    stream = ready_stream()
    verdict, updates = stream.take(published(1, trades=[7], candles=[candle("a", "5"), candle("b", "6", "1h")]))
    assert verdict is Verdict.APPLIED
    assert {name: sorted(data) for name, data in updates} == {
        "book:BTC-USDT": ["U", "asks", "bids", "market", "time", "u"],
        "trades:BTC-USDT": ["market", "trades"],
        "candles:BTC-USDT:1m": ["candles", "interval", "market"],
        "candles:BTC-USDT:1h": ["candles", "interval", "market"],
    }
    assert stream.snapshot(Channel("candles", MARKET, "1h"))["candles"][0]["close"] == "6"


def test_trades_published_while_the_last_ones_were_read_are_neither_lost_nor_doubled() -> None:
    stream = Stream(MARKET)
    for u in (1, 2, 3):
        stream.take(published(u, trades=[u]))
    stream.restore_rows(trades=published(0, [1, 2])["trades"], candles={interval: [] for interval in INTERVALS})
    assert trade_ids(stream) == [1, 2, 3]


def test_a_message_published_again_adds_no_trade() -> None:
    stream = ready_stream()
    stream.take(published(1, trades=[1]))
    verdict, updates = stream.take(published(1, trades=[1]))
    assert (verdict, updates, trade_ids(stream)) == (Verdict.REPEAT, [], [1])


def test_a_hole_takes_trades_and_candles_out_of_sight_too() -> None:
    stream = ready_stream(u=1, trades=[1])
    verdict, updates = stream.take(published(3, trades=[3]))
    assert (verdict, updates) == (Verdict.GAP, [])
    assert stream.snapshot(Channel("trades", MARKET)) is None
    stream.restore_rows(trades=published(0, [1, 2])["trades"], candles={interval: [] for interval in INTERVALS})
    assert trade_ids(stream) == [1, 2, 3]


def test_a_candle_is_replaced_by_its_newer_state_and_old_ones_go() -> None:
    stream = ready_stream()
    for u in range(1, CANDLES_KEPT + 20):
        stream.take(published(u, candles=[candle(f"{u:05}", "1")]))
        stream.take(published(u, candles=[candle(f"{u:05}", "repeat")]))
    stream.take(published(CANDLES_KEPT + 20, candles=[candle(f"{CANDLES_KEPT + 19:05}", "2")]))
    rows = stream.snapshot(Channel("candles", MARKET, "1m"))["candles"]
    assert len(rows) == CANDLES_KEPT
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert (rows[-1]["time"], rows[-1]["close"], rows[-2]["close"]) == (f"{CANDLES_KEPT + 19:05}", "2", "1")


def test_only_the_last_trades_are_kept() -> None:
    stream = ready_stream()
    for u in range(1, 200):
        stream.take(published(u, trades=[u]))
    assert trade_ids(stream) == list(range(200 - TRADES_KEPT, 200))


@pytest.mark.parametrize(
    "name", ["book:BTC-USDT", "trades:X", "ticker:X", "candles:X:1m", "tickers", "prices", "orders", "fills"]
)
def test_a_channel_has_one_name(name: str) -> None:
    assert channels.parse(name).name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "book",
        "book:",
        "orders:5",
        "user:5",
        "md:BTC-USDT",
        "candles:X",
        "candles:X:2m",
        "tickers:X",
        "a" * 100,
        5,
        None,
        ["book:X"],
    ],
)
def test_what_is_no_channel_is_refused(name: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        channels.parse(name)
    assert (refused.value.code, refused.value.param) == ("channel_invalid", "channels")
