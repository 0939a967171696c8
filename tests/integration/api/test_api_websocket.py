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
import requests
from django.db import transaction
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from exchange.outbox import services as outbox
from tests.integration.api.conftest import PASSWORD, Customer, Exchange

BTC, ETH, LTC, CROSS = "BTC-USDT", "ETH-USDT", "LTC-USDT", "ETH-BTC"


class Reader:
    """A socket that keeps what it has read."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, **message: Any) -> None:
        self.connection.send(json.dumps(message))

    def read(self, timeout: float = 10) -> dict[str, Any]:
        return dict(orjson.loads(self.connection.recv(timeout)))

    def until(self, wanted: Callable[[dict[str, Any]], bool], timeout: float = 10) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        while True:
            message = self.read(max(0.01, deadline - time.monotonic()))
            if wanted(message):
                return message

    def of(self, channel: str, kind: str, timeout: float = 10) -> dict[str, Any]:
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


def test_a_visitor_is_greeted_and_answered(exchange: Exchange) -> None:
    with opened(exchange) as reader:
        hello = reader.read()
        assert (hello["type"], hello["authenticated"]) == ("hello", False)
        reader.send(op="ping", id=7)
        pong = reader.read()
        assert (pong["type"], pong["id"]) == ("pong", 7)


BAD_MESSAGES: list[tuple[str | bytes, str, str | None]] = [
    ("{bad", "message_invalid", None),
    ("[]", "message_invalid", None),
    ('{"op":"dance"}', "message_invalid", "op"),
    ('{"op":"ping","id":[1]}', "message_invalid", "id"),
    ('{"op":"ping","id":true}', "message_invalid", "id"),
    ('{"op":"ping","channel":"x"}', "message_invalid", "channel"),
    ('{"op":"subscribe","id":1}', "channel_invalid", "channels"),
    ('{"op":"subscribe","channels":[],"id":1}', "channel_invalid", "channels"),
    ('{"op":"subscribe","channels":["nothing"],"id":1}', "channel_invalid", "channels"),
    ('{"op":"subscribe","channels":["candles:BTC-USDT:2m"],"id":1}', "channel_invalid", "channels"),
    ('{"op":"subscribe","channels":["book:NO-NO"],"id":1}', "market_not_found", "channels"),
    ('{"op":"subscribe","channels":["tickers","orders"],"id":1}', "not_authenticated", "channels"),
    ('{"op":"login","session_token":"wrong","id":1}', "session_token_invalid", None),
    ('{"op":"login","id":1}', "message_invalid", "session_token"),
    (b"\xff\xfe", "message_invalid", None),
]


@pytest.mark.parametrize(("text", "code", "param"), BAD_MESSAGES)
def test_what_is_wrong_is_answered_in_the_one_shape_and_the_line_stays(
    exchange: Exchange, text: str | bytes, code: str, param: str | None
) -> None:
    with opened(exchange) as reader:
        reader.read()
        reader.connection.send(text)
        answer = reader.read()
        assert set(answer["error"]) == {"type", "code", "message", "param"}
        assert (answer["error"]["code"], answer["error"]["param"]) == (code, param)
        if b'"id":1}' in (text if isinstance(text, bytes) else text.encode()):
            assert answer["id"] == 1
        reader.send(op="ping")
        assert reader.read()["type"] == "pong"


def test_a_refused_subscribe_leaves_nothing_behind(exchange: Exchange) -> None:
    market = Market(exchange, CROSS)
    market.store()
    with opened(exchange) as reader:
        reader.read()
        reader.send(op="subscribe", channels=[f"book:{CROSS}", "orders"], id=1)
        assert reader.read()["error"]["code"] == "not_authenticated"
        market.publish("1", "1")
        reader.silence()


def test_a_message_too_long_is_refused_and_the_line_lives_on(exchange: Exchange) -> None:
    with opened(exchange) as reader:
        reader.read()
        reader.connection.send('{"op":"ping","id":"' + "x" * 16_400 + '"}')
        assert reader.read()["error"]["code"] == "message_too_large"
        reader.connection.send('{"op":"ping","id":"' + "é" * 8_200 + '"}')  # counted in bytes
        assert reader.read()["error"]["code"] == "message_too_large"
        reader.send(op="ping", id=1)
        assert reader.read()["type"] == "pong"


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_a_message_may_come_in_any_form(exchange: Exchange, ann: Customer, compression: str | None) -> None:
    """Plain, in pieces, as bytes, compressed, with pings in between: each gets its answer, in turn."""
    with opened(exchange, token=ann.token, compression=compression) as reader:
        reader.read()
        reader.send(op="amend", id=1)
        reader.connection.send(['{"op":"am', 'end","id"', ":2}"])
        reader.connection.ping()
        reader.connection.send(b'{"op":"amend","id":3}')
        reader.connection.send([b'{"op":"amend"', b',"id":4}'])
        reader.send(op="amend", id=5)
        reader.connection.send('{"op":"nonsense","id":6')
        answers = [reader.read() for _ in range(6)]
        assert sorted(answer.get("id", 0) for answer in answers) == [0, 1, 2, 3, 4, 5]
        assert {answer["error"]["code"] for answer in answers} == {"order_reference_required", "message_invalid"}
        assert reader.connection.ping().wait(5)


def test_a_command_does_not_overtake_the_log_in_before_it(exchange: Exchange, ann: Customer) -> None:
    with opened(exchange) as reader:
        reader.read()
        reader.send(op="login", session_token=ann.token, id=1)
        reader.send(op="amend", id=2)
        assert [reader.read().get("type"), reader.read()["error"]["code"]] == [
            "authenticated",
            "order_reference_required",
        ]


def test_too_many_messages_are_refused_but_the_line_stays(exchange: Exchange) -> None:
    with opened(exchange) as reader:
        reader.read()
        for number in range(60):
            reader.send(op="ping", id=number)
        answers = [reader.read() for _ in range(60)]
        refused = [answer for answer in answers if "error" in answer]
        assert 20 <= len(refused) <= 40  # sixty at once fall into one or two seconds of twenty
        assert {answer["error"]["code"] for answer in refused} == {"too_many_messages"}
        time.sleep(1.1)
        reader.send(op="ping")
        assert reader.read()["type"] == "pong"


def test_a_page_of_another_site_is_turned_away(exchange: Exchange) -> None:
    for origin in ("https://evil.example", "null", exchange.url.replace("127.0.0.1", "127.0.0.1.evil.example")):
        with pytest.raises(InvalidStatus) as refused, opened(exchange, headers={"Origin": origin}):
            pass
        assert refused.value.response.status_code == 403


def cookies(exchange: Exchange, email: str) -> requests.Session:
    session = requests.Session()
    session.get(f"{exchange.url}/accounts/login/", timeout=20)
    form = {"login": email, "password": PASSWORD, "csrfmiddlewaretoken": session.cookies["csrftoken"]}
    assert (
        session.post(f"{exchange.url}/accounts/login/", data=form, allow_redirects=False, timeout=20).status_code == 302
    )
    return session


def test_the_cookie_counts_on_our_own_pages_only(exchange: Exchange, ann: Customer) -> None:
    cookie = {"Cookie": f"sessionid={cookies(exchange, ann.email).cookies['sessionid']}"}
    with opened(exchange, headers={**cookie, "Origin": exchange.url}) as reader:
        assert reader.read()["authenticated"] is True
    with opened(exchange, headers=cookie) as reader:  # no Origin: not a browser, so no cookie
        assert reader.read()["authenticated"] is False


def test_a_log_out_ends_the_line(exchange: Exchange, ann: Customer) -> None:
    with opened(exchange, token=ann.token) as reader:
        assert reader.read()["authenticated"] is True
        reader.subscribe("orders")
        requests.delete(
            f"{exchange.url}/_allauth/app/v1/auth/session", headers={"X-Session-Token": ann.token}, timeout=20
        )
        answer = reader.until(lambda m: "error" in m, timeout=20)
        assert answer["error"]["code"] == "log_in_ended"
        with pytest.raises(ConnectionClosed) as closed:
            reader.read()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


def test_a_log_in_by_message_opens_the_private_channels(exchange: Exchange, ann: Customer) -> None:
    with opened(exchange) as reader:
        reader.read()
        reader.send(op="login", session_token=ann.token, id=1)
        assert reader.read() == {"type": "authenticated", "id": 1}
        reader.subscribe("orders")
        assert reader.of("orders", "snapshot") == {"orders": []}


def test_connections_of_one_customer_are_bounded(exchange: Exchange, ann: Customer) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            assert stack.enter_context(opened(exchange, token=ann.token)).read()["type"] == "hello"
        one_more = stack.enter_context(opened(exchange, token=ann.token))
        assert one_more.read()["error"]["code"] == "too_many_connections"
        with pytest.raises(ConnectionClosed) as closed:
            one_more.read()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4429


def test_channels_of_one_connection_are_bounded(exchange: Exchange) -> None:
    every = [
        f"candles:{market}:{interval}"
        for market in (BTC, ETH, LTC, CROSS)
        for interval in ("1m", "5m", "15m", "1h", "4h", "1d")
    ]
    with opened(exchange) as reader:
        reader.read()
        reader.send(op="subscribe", channels=every * 3, id=1)
        assert (
            reader.read()["error"]["code"] == "channel_invalid"
        )  # 72 names are more than the 64 that a connection may have
        reader.send(op="subscribe", channels=every, id=2)
        assert reader.until(lambda m: m.get("id") == 2)["type"] == "subscribed"


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
            exchange.websocket_url, sock=small, max_queue=1, compression=None, ping_interval=None
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
        rounds, started = 1000, time.monotonic()
        for number in range(rounds):
            market.publish("10", str(number), asks=filler)
            if number % 50 == 49:  # the fast one keeps up, so what it got is not merged
                fast.until(lambda m, u=market.u: m.get("type") == "update" and m["data"]["u"] == u)
        assert time.monotonic() - started < 60
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
