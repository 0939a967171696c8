"""Best prices, best levels and silence, with this file as the engine; and the same over a server that offers no lines."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from tests.integration.api.conftest import Exchange
from tests.integration.api.test_api_websocket import BTC, CROSS, ETH, LTC, Market, opened


def test_best_prices_and_best_levels_follow_the_book(exchange: Exchange) -> None:
    market = Market(exchange, BTC)
    market.bids, market.u = {str(100 - place): "1" for place in range(8)}, 10
    market.store()
    with opened(exchange) as reader:
        reader.read()
        reader.subscribe(f"bbo:{BTC}", f"book:{BTC}:5")
        best, levels = reader.of(f"bbo:{BTC}", "snapshot"), reader.of(f"book:{BTC}:5", "snapshot")
        assert (best["u"], best["bid"], best["ask"]) == (10, ["100", "1"], None)
        assert (levels["u"], levels["depth"], [price for price, _ in levels["bids"]]) == (
            10,
            5,
            ["100", "99", "98", "97", "96"],
        )
        market.publish("93", "2")  # deeper than anybody here looks
        market.publish("100", "0")
        seen = [reader.read() for _ in range(2)]
        assert {message["channel"]: message["data"]["u"] for message in seen} == {f"bbo:{BTC}": 12, f"book:{BTC}:5": 12}
        shown = {message["channel"]: message["data"] for message in seen}
        assert shown[f"bbo:{BTC}"]["bid"] == ["99", "1"]
        assert [price for price, _ in shown[f"book:{BTC}:5"]["bids"]] == ["99", "98", "97", "96", "95"]
        reader.silence()


def test_best_levels_come_at_most_ten_times_a_second_and_end_with_the_last(exchange: Exchange) -> None:
    market = Market(exchange, LTC)
    market.store()
    with opened(exchange) as reader:
        reader.read()
        reader.subscribe(f"book:{LTC}:5")
        reader.of(f"book:{LTC}:5", "snapshot")
        started, count = time.monotonic(), 0
        for number in range(1, 400):
            market.publish("7", str(number))
            time.sleep(0.002)
        while True:
            count += 1
            if reader.of(f"book:{LTC}:5", "update")["bids"] == [["7", "399"]]:
                break
        assert 2 <= count <= (time.monotonic() - started) * 10 + 2


def test_what_was_lost_before_a_market_fell_silent_is_found(exchange: Exchange) -> None:
    market = Market(exchange, CROSS)
    market.u = 50
    market.store()
    with opened(exchange) as reader:
        reader.read()
        reader.subscribe(f"book:{CROSS}")
        reader.of(f"book:{CROSS}", "snapshot")
        time.sleep(1)  # the look that follows a snapshot is over
        market.publish("3", "1", lost=True)
        market.store()
        gap = reader.of(f"book:{CROSS}", "gap")
        assert gap == {"reason": "feed", "expected": 51, "received": 51}
        snapshot = reader.of(f"book:{CROSS}", "snapshot")
        assert (snapshot["u"], snapshot["bids"]) == (51, [["3", "1"]])


def test_a_quiet_market_is_not_taken_for_a_broken_one(exchange: Exchange) -> None:
    market = Market(exchange, CROSS)
    market.u = 90
    market.store()
    with opened(exchange) as reader:
        reader.read()
        reader.subscribe(f"book:{CROSS}")
        reader.until(lambda m: m.get("type") == "snapshot" and m["data"]["u"] == 90)
        reader.silence(5)


@pytest.fixture
def plain(exchange: Exchange) -> Any:
    """The same served without lines; afterwards the others go on with the first server."""
    before = exchange.url, exchange.websocket_url
    process = exchange.start_web(line=False)
    yield exchange
    exchange.end(process)
    exchange.url, exchange.websocket_url = before


def test_without_lines_readers_get_the_same(plain: Exchange) -> None:
    market = Market(plain, ETH)
    market.u = 500
    market.store()
    with opened(plain) as reader:
        reader.read()
        reader.subscribe(f"book:{ETH}", f"bbo:{ETH}")
        assert reader.of(f"book:{ETH}", "snapshot")["u"] == 500
        for number in range(1, 200):
            market.publish("7", str(number))
        reach = 500
        while reach < 699:
            update = reader.of(f"book:{ETH}", "update")
            assert update["U"] == reach + 1
            reach = update["u"]
        reader.send(op="ping", id=3)
        assert reader.until(lambda m: m.get("id") == 3)["type"] == "pong"


def test_figures_tell_of_subscriptions_and_conflation(exchange: Exchange) -> None:
    text = requests.get(f"{exchange.url}/metrics", timeout=60).text
    for name in (
        "bourse_marketdata_subscriptions",
        "bourse_marketdata_conflated_total",
        "bourse_marketdata_restarted_total",
    ):
        assert name in text
