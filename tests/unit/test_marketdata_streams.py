"""One market in memory: what was read and what was published meanwhile make one row without a hole or a double."""

from __future__ import annotations

from typing import Any

import pytest

from exchange.core.errors import InvalidRequest
from trading.candles import BY_LENGTH
from trading.marketdata import channels
from trading.marketdata.books import Verdict
from trading.marketdata.channels import Channel
from trading.marketdata.series import KEPT, Series
from trading.marketdata.streams import TRADES_KEPT, Stream

MARKET = "BTC-USDT"


def published(u: int, trades: list[int] | None = None, candles: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    rows = [{"id": number, "price": "1", "quantity": "1", "side": "buy", "time": "t"} for number in trades or []]
    return {
        "market": MARKET, "U": u, "u": u, "time": f"t{u}", "bids": [["10", str(u)]], "asks": [], "trades": rows,
        "candles": candles or [],
    }  # fmt: skip


def candle(minute: int, close: str, interval: str = "", **more: str) -> dict[str, Any]:
    time = f"2026-11-20T{5 + minute // 60:02}:{minute % 60:02}:00.000000Z"
    row = {
        "time": time,
        "open": "1",
        "high": "9",
        "low": "1",
        "close": close,
        "volume": "1",
        "quote_volume": "1",
        **more,
    }
    return {"interval": interval, **row} if interval else row


def ready_stream(u: int = 0, trades: list[int] | None = None, *intervals: str) -> Stream:
    stream = Stream(MARKET)
    stream.intervals.update(intervals)
    stream.restore_trades(published(0, trades)["trades"])
    for interval in intervals:
        stream.restore_candles(interval, [])
    stream.settled()
    stream.restore_book({"u": u, "bids": [], "asks": []})
    return stream


def trade_ids(stream: Stream) -> list[int]:
    return [trade["id"] for trade in stream.snapshot(Channel("trades", MARKET))["trades"]]


def test_nothing_is_shown_before_it_is_known() -> None:
    stream = Stream(MARKET)
    for channel in ("book", "bbo", "trades"):
        assert stream.snapshot(Channel(channel, MARKET)) is None
    assert stream.snapshot(Channel("book", MARKET, "5")) is None
    assert stream.snapshot(Channel("candles", MARKET, "1m")) is None


def test_one_message_feeds_book_best_prices_trades_and_candles() -> None:
    stream = ready_stream(0, None, "1m", "1h")
    verdict, updates = stream.take(published(1, trades=[7], candles=[candle(0, "5", "1m"), candle(0, "6", "1h")]))
    assert verdict is Verdict.APPLIED
    assert {name: sorted(data) for name, data in updates} == {
        "book:BTC-USDT": ["U", "asks", "bids", "market", "time", "u"],
        "bbo:BTC-USDT": ["ask", "bid", "market", "time", "u"],
        "trades:BTC-USDT": ["market", "trades"],
        "candles:BTC-USDT:1m": ["candles", "interval", "market"],
        "candles:BTC-USDT:1h": ["candles", "interval", "market"],
    }
    assert stream.snapshot(Channel("candles", MARKET, "1h"))["candles"][0]["close"] == "6"


def test_candles_that_nobody_asked_for_are_not_kept() -> None:
    stream = ready_stream(0, None, "1m")
    _, updates = stream.take(published(1, candles=[candle(0, "5", "1m"), candle(0, "6", "1h")]))
    assert [name for name, _ in updates if name.startswith("candles")] == ["candles:BTC-USDT:1m"]


def test_best_prices_are_told_when_they_change_and_only_then() -> None:
    stream = ready_stream()
    assert stream.snapshot(Channel("bbo", MARKET)) == {"market": MARKET, "u": 0, "time": "", "bid": None, "ask": None}
    told = []
    for u, bids, asks in (
        (1, [["10", "1"]], []),
        (2, [["9", "5"]], [["12", "3"]]),
        (3, [["9", "6"]], []),
        (4, [["10", "0"]], []),
    ):
        _, updates = stream.take({**published(u), "bids": bids, "asks": asks})
        told += [(u, data["bid"], data["ask"]) for name, data in updates if name.startswith("bbo")]
    assert told == [(1, ["10", "1"], None), (2, ["10", "1"], ["12", "3"]), (4, ["9", "6"], ["12", "3"])]


def test_best_prices_are_told_again_after_they_were_read_anew() -> None:
    stream = ready_stream()
    stream.take({**published(1), "bids": [["10", "1"]]})
    stream.lose()
    stream.restore_book({"u": 5, "bids": [["11", "1"]], "asks": []})
    _, updates = stream.take({**published(6), "bids": [["11", "0"], ["10", "1"]]})
    assert [data["bid"] for name, data in updates if name.startswith("bbo")] == [["10", "1"]]


def test_trades_published_while_the_last_ones_were_read_are_neither_lost_nor_doubled() -> None:
    stream = Stream(MARKET)
    for u in (1, 2, 3):
        stream.take(published(u, trades=[u]))
    stream.restore_trades(published(0, [1, 2])["trades"])
    assert trade_ids(stream) == [1, 2, 3]


def test_candles_published_while_they_were_read_are_in_them() -> None:
    stream = ready_stream()
    stream.intervals.add("1m")
    stream.take(published(1, candles=[candle(1, "5", "1m")]))
    stream.restore_candles("1m", [candle(0, "3")])
    stream.settled()
    rows = stream.snapshot(Channel("candles", MARKET, "1m"))["candles"]
    assert [(row["close"], row["volume"]) for row in rows] == [("3", "1"), ("5", "1")]


def test_a_repeat_says_nothing_and_a_hole_is_seen() -> None:
    stream = ready_stream(u=5, trades=[1])
    assert stream.take(published(5, trades=[2])) == (Verdict.REPEAT, [])
    verdict, updates = stream.take(published(7, trades=[3]))
    assert (verdict, updates) == (Verdict.GAP, [])
    assert stream.snapshot(Channel("trades", MARKET)) is None


def test_trades_kept_are_bounded() -> None:
    stream = ready_stream()
    for u in range(1, TRADES_KEPT * 2):
        stream.take(published(u, trades=[u]))
    assert trade_ids(stream) == list(range(TRADES_KEPT, TRADES_KEPT * 2))


# --- Candles by the clock -----------------------------------------------------------------------------------------------


def shown(rows: list[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    return [(row["time"][11:16], row["open"], row["close"], row["volume"]) for row in rows]


def minute(number: int) -> int:
    return 1_795_150_800 + number * 60  # 2026-11-20T05:00:00Z


def test_a_quiet_market_opens_a_flat_candle_by_the_clock() -> None:
    series = Series("1m", [candle(0, "3")])
    assert series.roll(minute(1) - 1) == []
    assert shown(series.roll(minute(1))) == [("05:01", "3", "3", "0")]
    assert series.roll(minute(1) + 30) == []
    assert shown(series.roll(minute(4))) == [
        ("05:02", "3", "3", "0"),
        ("05:03", "3", "3", "0"),
        ("05:04", "3", "3", "0"),
    ]


def test_what_trades_after_a_pause_comes_with_the_flat_ones_before_it() -> None:
    series = Series("1m", [candle(0, "3")])
    assert shown(series.take(candle(3, "7"))) == [
        ("05:01", "3", "3", "0"),
        ("05:02", "3", "3", "0"),
        ("05:03", "1", "7", "1"),
    ]
    assert shown(series.take(candle(3, "8", volume="2"))) == [("05:03", "1", "8", "2")]


def test_a_last_moment_trade_moves_the_flat_ones_behind_it() -> None:
    series = Series("1m", [candle(0, "3")])
    series.roll(minute(2))
    assert shown(series.take(candle(0, "4", volume="2"))) == [
        ("05:00", "1", "4", "2"), ("05:01", "4", "4", "0"), ("05:02", "4", "4", "0"),
    ]  # fmt: skip
    assert shown(series.take(candle(1, "5"))) == [("05:01", "1", "5", "1"), ("05:02", "5", "5", "0")]
    assert shown(series.rows())[1:] == [("05:01", "1", "5", "1"), ("05:02", "5", "5", "0")]


def test_before_the_first_trade_the_clock_opens_nothing() -> None:
    assert Series("1m").roll(minute(9)) == []


def test_candles_kept_are_bounded_whatever_the_clock_does() -> None:
    series = Series("1m", [candle(0, "3")])
    series.roll(minute(10 * KEPT))
    rows = series.rows()
    assert len(rows) == KEPT
    assert len({row["time"] for row in rows}) == KEPT
    assert series.take(candle(0, "9")) == []


def test_a_stream_rolls_every_interval_that_is_read() -> None:
    stream = ready_stream(0, None, "1m", "5m")
    stream.take(published(1, candles=[candle(0, "5", "1m"), candle(0, "5", "5m")]))
    assert [name for name, _ in stream.roll(minute(2))] == ["candles:BTC-USDT:1m"]
    assert sorted(name for name, _ in stream.roll(minute(5))) == ["candles:BTC-USDT:1m", "candles:BTC-USDT:5m"]


# --- Names --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["book:BTC-USDT", "book:BTC-USDT:20", "bbo:BTC-USDT", "trades:BTC-USDT", "ticker:BTC-USDT", "market:BTC-USDT", "tickers",
     "prices", "orders", "fills", "balances", "notifications", *(f"candles:BTC-USDT:{interval}" for interval in BY_LENGTH)],
)  # fmt: skip
def test_a_channel_has_one_name(name: str) -> None:
    assert channels.parse(name).name == name


@pytest.mark.parametrize(
    "name",
    ["", "book", "book:", "book:BTC-USDT:", "book:BTC-USDT:7", "book:BTC-USDT:1m", "candles:BTC-USDT", "candles:BTC-USDT:2m",
     "candles:BTC-USDT:20", "bbo:BTC-USDT:5", "orders:7", "tickers:BTC-USDT", "x" * 61, None, 7, ["book:BTC-USDT"]],
)  # fmt: skip
def test_other_names_are_refused(name: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        channels.parse(name)
    assert refused.value.code == "channel_invalid"
