"""Whatever breaks under a market that trades, its readers are told of every hole and end with the truth.

An engine, a web process and a Valkey of their own, customers who place and cancel without pause, and readers who keep books,
tapes and orders as docs/api.md tells them to. Each test breaks something else; what a reader saw must then have no hole that
was not announced, and be what REST and the database say.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
from django.conf import settings
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from config import embedded
from tests.integration.api.conftest import Customer, Exchange
from tests.integration.api.test_api_websocket import opened
from trading import selectors
from trading.services import markets

MARKET = "BTC-USDT"


class Reader(threading.Thread):
    """Reads until it is stopped, and connects again when the line ends. `wrong` says what should not have been."""

    def __init__(self, exchange: Exchange, token: str) -> None:
        super().__init__(daemon=True)
        self.exchange, self.token = exchange, token
        self.channels = [f"book:{MARKET}", f"trades:{MARKET}", f"candles:{MARKET}:1s", "orders", "fills"]
        self.wrong: list[str] = []
        self.ends: list[int | None] = []
        self.gaps: dict[str, int] = dict.fromkeys(self.channels, 0)
        self.u: int | None = None
        self.levels: dict[str, dict[str, str]] = {}
        self.tapes: list[list[int]] = []  # trades seen in a row, a new row after each notice
        self.candles: dict[str, dict[str, Any]] = {}
        self.orders: dict[int, dict[str, Any]] = {}
        self.users: set[str] = set()
        self.waiting: set[str] = set()
        self.messages = 0
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()
        self.join(120)
        assert not self.is_alive()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                with connect(
                    self.exchange.websocket_url, additional_headers={"X-Session-Token": self.token}, open_timeout=60
                ) as line:
                    self._read(line)
            except ConnectionClosed as closed:
                self.ends.append(closed.rcvd.code if closed.rcvd else None)
            except (OSError, TimeoutError, InvalidHandshake):
                time.sleep(0.1)  # nobody is there yet
            except Exception as error:
                self.wrong.append(repr(error))
                raise

    def _read(self, line: Any) -> None:
        self.waiting = set(self.channels)
        line.send(orjson.dumps({"op": "subscribe", "channels": self.channels, "id": 1}).decode())
        while not self._stopping.is_set():
            try:
                text = line.recv(0.2)
            except TimeoutError:
                continue
            message = orjson.loads(text)
            if "user_id" in text:
                self.wrong.append(f"somebody's number: {text[:200]}")
            if "channel" in message:
                self.messages += 1
                self._take(message["channel"], message["type"], message["data"])
            elif "error" in message:
                time.sleep(0.2)
                return  # the feed is away for the moment: ask again

    def _take(self, channel: str, type: str, data: dict[str, Any]) -> None:
        if type == "gap":
            self.gaps[channel] += 1
            self.waiting.add(channel)
            return
        if type == "snapshot":
            self.waiting.discard(channel)
        elif channel in self.waiting:
            return  # of before the gap
        kind = channel.partition(":")[0]
        getattr(self, f"_{kind}")(type, data)

    def _book(self, type: str, data: dict[str, Any]) -> None:
        if type == "snapshot":
            self.levels = {side: dict(data[side]) for side in ("bids", "asks")}
        else:
            if data["U"] != (self.u or 0) + 1:
                self.wrong.append(f"a hole in the book: {self.u} and then {data['U']}..{data['u']}")
            for side, levels in self.levels.items():
                for price, quantity in data[side]:
                    levels[price] = quantity
                    if quantity == "0":
                        del levels[price]
        self.u = data["u"]

    def _trades(self, type: str, data: dict[str, Any]) -> None:
        if type == "snapshot":
            self.tapes.append([])
        self.tapes[-1] += [trade["id"] for trade in data["trades"]]

    def _candles(self, type: str, data: dict[str, Any]) -> None:
        if type == "snapshot":
            self.candles = {}
        self.candles.update({row["time"]: row for row in data["candles"]})

    def _orders(self, type: str, data: dict[str, Any]) -> None:
        if type == "snapshot":
            self.orders = {}
        self.orders.update({order["id"]: order for order in data["orders"]})

    def open(self) -> set[int]:
        """The orders that are open by what was told so far."""
        return {id for id, order in list(self.orders.items()) if order["state"] == "open"}

    def _fills(self, type: str, data: dict[str, Any]) -> None:
        self.users |= {fill["role"] for fill in data["fills"]}


class Trader(threading.Thread):
    """Places and cancels, whatever is answered, until it is stopped."""

    def __init__(self, customers: list[Customer]) -> None:
        super().__init__(daemon=True)
        self.customers, self.rng = customers, random.Random(3)
        self.placed, self.failed = 0, 0
        self.broken: Exception | None = None
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()
        self.join(120)
        assert not self.is_alive()
        assert self.broken is None, self.broken

    def run(self) -> None:
        own: list[tuple[Customer, int]] = []
        while not self._stopping.is_set():
            try:
                if own and self.rng.random() < 0.45:
                    customer, order = own.pop(self.rng.randrange(len(own)))
                    customer.delete(f"orders/{order}")
                    continue
                customer = self.rng.choice(self.customers)
                price = str(20_000 + self.rng.randint(-20, 20))
                body = {"market": MARKET, "side": self.rng.choice(("buy", "sell")), "type": "limit", "price": price,
                        "quantity": self.rng.choice(("0.001", "0.002", "0.005"))}  # fmt: skip
                answer = customer.post("orders", body)
                if answer.status_code == 201:
                    self.placed += 1
                    if answer.json()["state"] == "open":
                        own.append((customer, answer.json()["id"]))
                else:
                    self.failed += 1
            except requests.RequestException:
                self.failed += 1
                time.sleep(0.05)
            except Exception as error:
                self.broken = error
                return


@pytest.fixture(scope="module")
def customers(trading: Exchange) -> list[Customer]:
    found = [trading.customer(name) for name in ("ann", "bob")]
    for customer in found:
        trading.fund(customer, 1, 1_000 * 10**8)
        trading.fund(customer, 4, 100_000_000 * 10**6)
    return found


@contextlib.contextmanager
def storm(trading: Exchange, customers: list[Customer]) -> Iterator[tuple[Trader, Reader]]:
    """Trading and reading; what happens inside happens under both, and then everything must be true again."""
    trader, reader = Trader(customers), Reader(trading, customers[0].token)
    trader.start()
    reader.start()
    try:
        trading.wait(lambda: trader.placed > 20 and reader.messages > 20 and not reader.waiting)
        yield trader, reader
        resumed = trader.placed
        trading.wait(lambda: trader.placed > resumed + 20)
        trader.stop()
        _agree(trading, customers, reader)
    finally:
        trader.stop()
        reader.stop()


def _agree(trading: Exchange, customers: list[Customer], reader: Reader) -> None:
    def same() -> bool:
        book = customers[0].get(f"markets/{MARKET}/book", params={"depth": 1000}).json()
        return not reader.waiting and book.get("u") == reader.u and all(
            dict(map(tuple, book[side])) == reader.levels[side] for side in ("bids", "asks")
        )  # fmt: skip

    trading.wait(same)
    assert reader.wrong == []
    stored = [trade.id for trade in reversed(selectors.trades(MARKET, limit=1000))]
    for tape in reader.tapes:
        if tape and tape[0] >= stored[0]:
            assert tape == stored[stored.index(tape[0]) : stored.index(tape[-1]) + 1]
    trading.wait(lambda: reader.tapes[-1][-1:] == stored[-1:])  # it comes on a channel of its own
    open_now = {order["id"] for order in customers[0].get("orders").json()["data"]}
    trading.wait(lambda: reader.open() == open_now)
    rows = sorted(reader.candles.values(), key=lambda row: str(row["time"]))
    for before, row in itertools.pairwise(rows):
        if row["volume"] == "0":
            assert row["open"] == row["close"] == before["close"]


def test_an_engine_killed_under_load_leaves_no_hole(trading: Exchange, customers: list[Customer]) -> None:
    with storm(trading, customers) as (_, reader):
        trading.engine.send_signal(signal.SIGKILL)
        trading.engine.wait(60)
        trading.start_engine()
    assert reader.ends == []  # the readers' line is the web process's, not the engine's


def test_an_engine_that_is_restarted_leaves_no_hole(trading: Exchange, customers: list[Customer]) -> None:
    with storm(trading, customers) as (_, reader):
        trading.end(trading.engine)
        trading.start_engine()
    assert reader.ends == []


@pytest.mark.parametrize("emptied", [False, True], ids=["with its data", "emptied"])
def test_a_valkey_that_is_restarted_leaves_no_hole_unannounced(
    trading: Exchange, customers: list[Customer], emptied: bool
) -> None:
    path = Path(settings.REDIS_URL.removeprefix("unix://"))
    valkey = embedded._Valkey(embedded.state_folder(), path.stem)
    assert valkey.socket == path
    with storm(trading, customers) as (_, reader):
        if emptied:
            trading.valkey.flushall()
        valkey.stop()
        time.sleep(0.3)
        valkey.ensure()
    assert reader.gaps[f"book:{MARKET}"] >= 1
    assert reader.gaps["orders"] >= 1


def test_a_web_process_that_is_restarted_says_so_to_its_readers(trading: Exchange, customers: list[Customer]) -> None:
    with storm(trading, customers) as (_, reader):
        web = next(
            process for process in trading.processes if "uvicorn" in str(process.args) and process.poll() is None
        )
        port = trading.url.rpartition(":")[2]
        trading.end(web)
        trading.wait(lambda: len(reader.ends) > 0)
        trading.start_web(port=int(port))
    assert reader.ends[0] == 1012


def test_a_lost_subscription_is_announced_on_every_channel(trading: Exchange, customers: list[Customer]) -> None:
    with storm(trading, customers) as (_, reader):
        trading.valkey.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    assert all(gaps >= 1 for gaps in reader.gaps.values()), reader.gaps


def test_a_halt_shows_at_once(trading: Exchange, customers: list[Customer]) -> None:
    with opened(trading) as reader:
        reader.read()
        reader.subscribe(f"market:{MARKET}")
        assert reader.of(f"market:{MARKET}", "snapshot")["state"] == "open"
        for state in ("halted", "post_only", "open"):
            markets.set_state_sync(symbol=MARKET, state=state, actor_id=customers[0].user_id, now=timezone.now())
            assert reader.of(f"market:{MARKET}", "update")["state"] == state


def test_a_quiet_markets_candles_open_by_the_clock(trading: Exchange, customers: list[Customer]) -> None:
    for customer, side in zip(customers, ("sell", "buy"), strict=True):
        order = {"market": MARKET, "side": side, "type": "limit", "price": "20005", "quantity": "0.5"}
        assert customer.post("orders", order).status_code == 201
    with opened(trading) as reader:
        reader.read()
        reader.subscribe(f"candles:{MARKET}:1s")
        rows = list(reader.of(f"candles:{MARKET}:1s", "snapshot")["candles"])
        for _ in range(3):
            rows += reader.of(f"candles:{MARKET}:1s", "update")["candles"]
    newest = rows[-2:]
    assert all(row["volume"] == "0" and row["open"] == row["close"] for row in newest)
    shown = customers[0].get(f"markets/{MARKET}/candles", params={"interval": "1s", "limit": 1000}).json()["data"]
    assert [row for row in shown if row["time"] in {row["time"] for row in newest}] == newest


def expiring(customer: Customer) -> dict[str, Any]:
    """Ends in two seconds, or later where the machine is too busy to have it at the engine by then."""
    for seconds in (2, 20, 200):
        order = {
            "market": MARKET, "side": "sell", "type": "limit", "price": "20500", "quantity": "0.01", "time_in_force": "GTD",
            "expires_at": (timezone.now() + timedelta(seconds=seconds)).isoformat(),
        }  # fmt: skip
        answer = customer.post("orders", order)
        if answer.status_code == 201 and answer.json()["state"] == "open":
            return dict(answer.json())
    raise AssertionError(answer.text)


def test_every_kind_of_order_is_told_on_the_private_channel(trading: Exchange, customers: list[Customer]) -> None:
    ann, bob = customers
    for customer in customers:
        customer.delete("orders", params={"market": MARKET})
    for customer, side in ((ann, "sell"), (bob, "buy")):
        order = {"market": MARKET, "side": side, "type": "limit", "price": "20000", "quantity": "0.01"}
        assert customer.post("orders", order).status_code == 201

    with opened(trading, token=ann.token) as reader:
        reader.read()
        reader.subscribe("orders")
        reader.of("orders", "snapshot")

        def told(order_id: int, state: str) -> dict[str, Any]:
            message = reader.until(
                lambda m: (
                    m.get("channel") == "orders"
                    and any(order["id"] == order_id and order["state"] == state for order in m["data"]["orders"])
                )
            )
            return next(order for order in message["data"]["orders"] if order["id"] == order_id)

        stop = {"market": MARKET, "side": "sell", "type": "stop", "stop_price": "19900", "quantity": "0.01"}
        armed = ann.post("orders", stop).json()
        assert told(armed["id"], "pending")["stop_price"] == "19900"
        dated = expiring(ann)
        told(dated["id"], "open")
        order = {"market": MARKET, "side": "sell", "type": "limit", "price": "20400", "quantity": "0.02"}
        resting = ann.post("orders", order).json()
        told(resting["id"], "open")
        assert ann.call("PATCH", f"orders/{resting['id']}", json={"quantity": "0.01"}).status_code == 200
        assert told(resting["id"], "open")["quantity"] == "0.01"
        assert told(dated["id"], "expired")["reason"] == "expired"
        for customer, side, quantity in ((bob, "buy", "0.04"), (ann, "sell", "0.02")):
            order = {"market": MARKET, "side": side, "type": "limit", "price": "19900", "quantity": quantity}
            assert customer.post("orders", order).status_code == 201
        assert told(armed["id"], "filled")["average_price"] == "19900"
