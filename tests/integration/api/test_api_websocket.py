"""The websocket against a running server. This file plays the engine: it publishes market data with holes, repeats and all."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from django.db import transaction
from django.utils import timezone
from websockets.sync.client import ClientConnection, connect

from exchange.outbox import services as outbox
from tests.integration.api.conftest import Customer, Exchange

PATIENCE_S = 60.0
BTC, ETH, LTC, CROSS = "BTC-USDT", "ETH-USDT", "LTC-USDT", "ETH-BTC"


class Reader:
    """A socket that keeps what it has read."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, **message: Any) -> None:
        self.connection.send(json.dumps(message))

    def read(self, timeout: float = PATIENCE_S) -> dict[str, Any]:
        return dict(orjson.loads(self.connection.recv(timeout)))

    def until(self, wanted: Callable[[dict[str, Any]], bool], timeout: float = PATIENCE_S) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        while True:
            message = self.read(max(0.01, deadline - time.monotonic()))
            if wanted(message):
                return message

    def of(self, channel: str, kind: str, timeout: float = PATIENCE_S) -> dict[str, Any]:
        return dict(self.until(lambda m: m.get("channel") == channel and m["type"] == kind, timeout)["data"])

    def subscribe(self, *channels: str) -> None:
        self.send(op="subscribe", channels=channels, id="s")
        answer = self.until(lambda m: m.get("id") == "s")
        assert answer == {"type": "subscribed", "channels": list(channels), "id": "s"}

    def silence(self, seconds: float = 0.4) -> None:
        with pytest.raises(TimeoutError):
            self.connection.recv(seconds)


@contextlib.contextmanager
def opened(exchange: Exchange, *, token: str | None = None, **options: Any) -> Iterator[Reader]:
    headers = {"X-Session-Token": token} if token else {}
    # Without a bound on what waits to be read: with one, a reader who leaves the rest unread would not see the close.
    options = {"open_timeout": PATIENCE_S, "close_timeout": PATIENCE_S, "max_queue": None, **options}
    with connect(
        exchange.websocket_url, additional_headers={**headers, **options.pop("headers", {})}, **options
    ) as connection:
        yield Reader(connection)


class Market:
    """The engine's part, played by the test."""

    def __init__(self, exchange: Exchange, symbol: str) -> None:
        self.exchange, self.symbol, self.u = exchange, symbol, 0
        self.bids: dict[str, str] = {}

    def store(self) -> None:
        book = {
            "market": self.symbol,
            "u": self.u,
            "time": "t",
            "bids": [[p, q] for p, q in self.bids.items()],
            "asks": [],
        }
        self.exchange.valkey.set(f"md:{self.symbol}:book", orjson.dumps(book))

    def publish(self, price: str, quantity: str, *, lost: bool = False, **more: Any) -> None:
        self.u += 1
        self.bids[price] = quantity
        if quantity == "0":
            del self.bids[price]
        message = {
            "market": self.symbol,
            "U": self.u,
            "u": self.u,
            "time": "t",
            "bids": [[price, quantity]],
            "asks": [],
        }
        if not lost:
            self.exchange.valkey.publish(
                f"md:{self.symbol}", orjson.dumps({**message, "trades": [], "candles": [], **more})
            )


@pytest.fixture
def ann(exchange: Exchange) -> Customer:
    return exchange.customer(f"ann-{time.time_ns()}")


def test_a_book_is_a_snapshot_and_updates_that_fit(exchange: Exchange) -> None:
    market = Market(exchange, BTC)
    market.bids, market.u = {"100": "1", "99.5": "2"}, 41
    market.store()
    with opened(exchange) as reader:
        reader.read()
        reader.subscribe(f"book:{BTC}")
        snapshot = reader.of(f"book:{BTC}", "snapshot")
        assert (snapshot["u"], snapshot["bids"]) == (41, [["100", "1"], ["99.5", "2"]])
        market.publish("100", "0")
        market.publish("101", "3")
        first, second = reader.of(f"book:{BTC}", "update"), reader.of(f"book:{BTC}", "update")
        assert (first["U"], first["u"], first["bids"]) == (42, 42, [["100", "0"]])
        assert (second["U"], second["u"], second["bids"]) == (43, 43, [["101", "3"]])
    with opened(exchange) as late:
        late.read()
        late.subscribe(f"book:{BTC}")
        snapshot = late.of(f"book:{BTC}", "snapshot")
        assert (snapshot["u"], snapshot["bids"]) == (43, [["101", "3"], ["99.5", "2"]])


def test_a_hole_is_announced_and_followed_by_a_snapshot(exchange: Exchange) -> None:
    market = Market(exchange, ETH)
    market.store()
    with opened(exchange) as reader:
        reader.read()
        reader.subscribe(f"book:{ETH}", f"trades:{ETH}")
        reader.of(f"book:{ETH}", "snapshot")
        market.publish("10", "1")
        reader.of(f"book:{ETH}", "update")
        market.publish("11", "1", lost=True)
        market.publish("12", "1")
        gap = reader.of(f"book:{ETH}", "gap")
        assert gap == {"reason": "feed", "expected": 2, "received": 3}
        market.publish("13", "1")
        market.store()
        snapshot = reader.of(f"book:{ETH}", "snapshot")
        assert snapshot["u"] >= 3
        assert ["11", "1"] in snapshot["bids"]
        market.publish("14", "1")
        reach = snapshot["u"]
        while reach < 5:
            update = reader.of(f"book:{ETH}", "update")
            assert update["U"] == reach + 1
            reach = update["u"]


def test_a_message_published_twice_arrives_once(exchange: Exchange) -> None:
    market = Market(exchange, LTC)
    market.store()
    with opened(exchange) as reader:
        reader.read()
        reader.subscribe(f"book:{LTC}")
        reader.of(f"book:{LTC}", "snapshot")
        market.publish("10", "1")
        market.u -= 1
        market.publish("10", "1")
        market.publish("11", "1")
        assert [reader.of(f"book:{LTC}", "update")["u"] for _ in range(2)] == [1, 2]


def test_trades_and_candles_come_from_the_same_message(exchange: Exchange) -> None:
    market = Market(exchange, LTC)
    market.u = 2
    market.store()
    trade = {"id": 1024, "price": "10", "quantity": "1", "side": "buy", "time": "2026-11-20T05:00:30.000000Z"}
    prices = dict.fromkeys(("open", "high", "low", "close"), "10")
    candle = {"interval": "1m", "time": "2026-11-20T05:00:00.000000Z", **prices, "volume": "1", "quote_volume": "10"}
    with opened(exchange) as reader:
        reader.read()
        reader.subscribe(f"trades:{LTC}", f"candles:{LTC}:1m", f"candles:{LTC}:1h")
        market.publish("12", "1", trades=[trade], candles=[candle])
        assert reader.of(f"trades:{LTC}", "update") == {"market": LTC, "trades": [trade]}
        shown = reader.of(f"candles:{LTC}:1m", "update")
        assert shown["candles"] == [{name: value for name, value in candle.items() if name != "interval"}]
    with opened(exchange) as late:
        late.read()
        late.subscribe(f"trades:{LTC}")
        assert late.of(f"trades:{LTC}", "snapshot")["trades"] == [trade]


def test_an_unsubscribed_channel_is_silent(exchange: Exchange) -> None:
    market = Market(exchange, CROSS)
    market.u = 1
    market.store()
    with opened(exchange) as reader:
        reader.read()
        reader.subscribe(f"book:{CROSS}")
        reader.of(f"book:{CROSS}", "snapshot")
        reader.send(op="unsubscribe", channels=[f"book:{CROSS}"], id=9)
        reader.until(lambda m: m.get("id") == 9)
        market.publish("1", "1")
        reader.silence()


def test_private_messages_reach_their_owner_alone(exchange: Exchange, ann: Customer) -> None:
    bob = exchange.customer(f"bob-{time.time_ns()}")
    with opened(exchange, token=ann.token) as hers, opened(exchange, token=bob.token) as his:
        for reader in (hers, his):
            reader.read()
            reader.subscribe("orders", "fills", "balances")
        order = {"id": 1024, "market": BTC, "state": "open", "user_id": ann.user_id}
        message = {"type": "order", "shard": 0, "seq": 1, "order": order}
        exchange.valkey.publish(f"user:{ann.user_id}", orjson.dumps(message))
        assert hers.of("orders", "update") == {"orders": [{"id": 1024, "market": BTC, "state": "open"}]}
        for channel in ("orders", "fills", "balances"):
            his.of(channel, "snapshot")
        his.silence()


def test_money_from_outside_the_engine_shows_at_once(exchange: Exchange, ann: Customer) -> None:
    with opened(exchange, token=ann.token) as reader:
        reader.read()
        reader.subscribe("balances")
        before = {row["asset"]: row["balance"] for row in reader.of("balances", "snapshot")["balances"]}
        assert before.get("BTC", "0") == "0"
        exchange.fund(ann, 1, 150_000_000)
        what = {
            "user_id": ann.user_id,
            "asset": "BTC",
            "asset_id": 1,
            "network": "bitcoin",
            "amount": "1.5",
            "txid": "00",
        }
        with transaction.atomic():
            outbox.append(topic="wallets.deposit_credited", key="address:x", payload=what, now=timezone.now())
        outbox.deliver(now=timezone.now())
        after = {row["asset"]: row["available"] for row in reader.of("balances", "snapshot")["balances"]}
        assert after["BTC"] == "1.5"


def test_prices_are_passed_on_when_they_change(exchange: Exchange) -> None:
    published = {
        "time": "2026-11-20T05:00:00.000000Z",
        "source": "simulated",
        "prices": [{"asset": "BTC", "usd": "67000.5", "as_of": "2026-11-20T05:00:00.000000Z"}],
    }
    with opened(exchange) as reader:
        reader.read()
        reader.subscribe("prices")
        reader.of("prices", "snapshot")
        exchange.valkey.publish("prices", orjson.dumps(published))
        (row,) = reader.of("prices", "update")["prices"]
        assert (row["asset"], row["currency"], row["price"], row["source"]) == ("BTC", "USD", "67000.5", "simulated")
        exchange.valkey.publish("prices", orjson.dumps(published))
        reader.silence()


def test_every_reader_hears_of_a_lost_feed_and_is_put_right(exchange: Exchange, ann: Customer) -> None:
    market = Market(exchange, BTC)
    market.u, market.bids = 100, {"5": "1"}
    market.store()
    with opened(exchange, token=ann.token) as reader:
        reader.read()
        reader.subscribe(f"book:{BTC}", "orders")
        exchange.valkey.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        assert reader.of(f"book:{BTC}", "gap")["reason"] == "feed"
        snapshot = reader.of(f"book:{BTC}", "snapshot")
        assert (snapshot["u"], snapshot["bids"]) == (100, [["5", "1"]])
    with opened(exchange, token=ann.token) as reader:
        reader.read()
        reader.subscribe("orders")
        exchange.valkey.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        assert reader.of("orders", "gap")["reason"] == "feed"
        assert reader.of("orders", "snapshot") == {"orders": []}


def test_a_change_that_came_just_before_we_listened_is_shown_on_a_silent_market(exchange: Exchange) -> None:
    market = Market(exchange, "ETH-BTC")
    market.u = 5
    market.store()
    with opened(exchange) as reader:
        reader.read()
        reader.subscribe("book:ETH-BTC")
        market.publish("10", "0.5", lost=True)
        reader.until(lambda m: m.get("type") == "snapshot" and m["data"]["u"] == 5)
        market.store()
        shown = reader.until(lambda m: m.get("type") == "snapshot" and m["data"]["u"] == 6)
        assert shown["data"]["bids"] == [["10", "0.5"]]


def test_a_slow_reader_is_brought_up_to_date_and_holds_nobody_up(exchange: Exchange) -> None:
    market = Market(exchange, BTC)
    market.u = 1000
    market.store()
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
    host, port = exchange.url.removeprefix("http://").split(":")
    small.connect((host, int(port)))
    filler = [[f"{price}", "1.23456789"] for price in range(2000, 2400)]
    with (
        connect(
            exchange.websocket_url,
            sock=small,
            max_queue=1,
            compression=None,
            ping_interval=None,
            open_timeout=PATIENCE_S,
        ) as slow_connection,
        opened(exchange, compression=None) as fast,
    ):
        slow = Reader(slow_connection)
        for reader in (slow, fast):
            reader.read()
            reader.subscribe(f"book:{BTC}")
        market.publish(
            "10", "0.5"
        )  # a jump from where other tests left the market: both start from the snapshot after it
        market.store()
        for reader in (slow, fast):
            reader.until(lambda m: m.get("type") in ("snapshot", "update") and m["data"]["u"] == 1001)
        rounds = 1000
        for number in range(rounds):
            market.publish("10", str(number), asks=filler)
            if number % 50 == 49:  # the fast one keeps up, so what it got is not merged
                fast.until(lambda m, u=market.u: m.get("type") == "update" and m["data"]["u"] == u)
        reach, messages, last = None, 0, None
        while reach != 1001 + rounds:
            message = slow.read()
            messages += 1
            if message["type"] == "update":
                assert reach is None or message["data"]["U"] == reach + 1
            if message["type"] in ("update", "snapshot"):
                reach, last = message["data"]["u"], dict(message["data"]["bids"])
        assert messages < rounds
        assert last is not None
        assert last["10"] == str(rounds - 1)
