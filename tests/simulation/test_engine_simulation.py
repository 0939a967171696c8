"""Seeded runs of the whole engine on real PostgreSQL and Valkey, with a fault every few steps.

Commands come twice, or in bursts, or never; the process dies at its named points; its database session is ended under it; Valkey
loses everything. Afterwards the stored commands, replayed by the naive exchange in their order, must give the stored orders,
trades and balances, and whoever was told something must have been told what is stored.
A failing seed replays: SIMULATE_SEED=7 runs that one alone.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable
from uuid import uuid4

import orjson
import psycopg2
import pytest
import redis

from exchange.ledger import reconciliation
from exchange.ledger import selectors as ledger
from tests.integration.trading.conftest import Money, now
from tests.properties.naive_exchange import NaiveExchange
from trading import wire
from trading.models import Command, Order, Trade
from trading.runner import faults, store
from trading.runner.leadership import Doubt, Fenced
from trading.runner.process import Reigning
from trading.runner.shard import ShardProcess

pytestmark = pytest.mark.django_db(transaction=True)
SEEDS = [int(os.environ["SIMULATE_SEED"])] if "SIMULATE_SEED" in os.environ else [1, 2, 3]
USERS = [1, 2, 3, 4]
STEPS = 120
LOT, TICK, PROCESS = 10_000, 1, "simulated"


class Crash(BaseException):
    """The process dies here. No `except Exception` may save it."""


class Simulation:
    def __init__(self, seed: int, valkey: redis.Redis, engine_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rng = random.Random(seed)
        self.valkey = valkey
        self.engine_url = engine_url
        self.process = ShardProcess(shard=0, client=valkey)
        self.crash_at: str | None = None
        self.happened = {"crash": 0, "terminated": 0, "emptied": 0, "again": 0, "rebuilt": 0}
        self.sent: list[bytes] = []
        self.told: dict[str, set[str]] = {}
        self.orders_named = 0
        self.reign: Reigning | None = None
        self.replies = valkey.pubsub(ignore_subscribe_messages=True)
        self.replies.subscribe(wire.replies(PROCESS))
        self.append = valkey.register_script(wire.APPEND)
        monkeypatch.setattr(faults, "point", self.point)

    def point(self, name: str) -> None:
        if name == self.crash_at and name != faults.AFTER_RELEASE:  # that one is on the releasing thread
            self.crash_at = None
            raise Crash(name)

    def lead(self) -> None:
        self.connection = psycopg2.connect(self.engine_url)
        with self.connection.cursor() as cursor:
            cursor.execute(store.SESSION)
        self.connection.commit()
        self.reign = Reigning(self.process, self.connection)

    def die(self) -> None:
        assert self.reign is not None
        self.reign.close(seconds=0.0)
        self.connection.close()
        self.reign = None
        self.happened["rebuilt"] += 1

    def step(self) -> None:
        draw = self.rng.random()
        if draw < 0.06:
            self.crash_at = self.rng.choice([faults.INSIDE_TRANSACTION, faults.BEFORE_COMMIT, faults.AFTER_COMMIT])
        elif draw < 0.10 and self.reign is not None:
            self.terminate()
        elif draw < 0.12:
            self.valkey.flushdb()
            self.happened["emptied"] += 1
        for _ in range(self.rng.choice([1, 1, 2, 5, 20])):
            self.send(self.command())
        if self.reign is None:
            self.lead()
        try:
            if self.valkey.exists(wire.stream(0)):
                self.reign.step()
        except Crash:
            self.happened["crash"] += 1
            self.die()
        except (Doubt, Fenced, psycopg2.OperationalError, psycopg2.InterfaceError):
            self.die()
        self.listen(0.0)

    def terminate(self) -> None:
        pid = self.connection.info.backend_pid
        admin = psycopg2.connect(self.engine_url)
        with admin, admin.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        admin.close()
        self.happened["terminated"] += 1

    def send(self, body: bytes) -> None:
        self.append(keys=[wire.stream(0), wire.generation(0)], args=[100_000, str(uuid4()), body])
        self.sent.append(body)
        if self.rng.random() < 0.05:
            self.append(keys=[wire.stream(0), wire.generation(0)], args=[100_000, "x", self.rng.choice(self.sent)])
            self.happened["again"] += 1

    def command(self) -> bytes:
        rng, user = self.rng, self.rng.choice(USERS)
        head = {"uuid": uuid4(), "process": PROCESS, "asked_at_ms": time.time_ns() // 1_000_000, "user_id": user}
        draw = rng.random()
        if draw < 0.25:
            open_ids = [order.id for order in self.reign._engine.orders.values()] if self.reign else []
            return wire.encode_cancel(**head, order_id=rng.choice(open_ids or [1]), client_order_id=None)
        side, lots, quote, price = rng.choice([1, 2]), rng.randint(1, 40), 0, rng.randint(95, 105)
        client = f"c{rng.randint(1, 400)}" if rng.random() < 0.3 else None
        if draw > 0.85:
            price = 0
            if draw > 0.93:
                lots, quote = 0, rng.randint(1, 5_000)
        return wire.encode_place(
            **head, market_id=1, side=side, kind=1 if price else 2, time_in_force=1 if price and draw < 0.8 else 2,
            price=price, lots=lots, quote_units=quote, client_order_id=client,
        )  # fmt: skip

    def listen(self, seconds: float) -> None:
        while message := self.replies.get_message(timeout=seconds):
            for reply in orjson.loads(message["data"]):
                self.told.setdefault(reply["id"], set()).add(reply["code"])


def replay(balances: dict[tuple[int, str], int]) -> NaiveExchange:
    """The stored commands through the naive exchange; each verdict must be its own."""
    naive = NaiveExchange(lot=LOT, tick=TICK, maker_ppm=1_000, taker_ppm=2_000, shard=0, balances=balances)
    for command in Command.objects.order_by("id"):
        body = orjson.loads(command.body)
        if command.verdict == wire.DUPLICATE or command.user_id == 0:  # the engine's own: it opened its markets
            continue
        if command.verdict == "client_order_id_taken":
            raise AssertionError("the key table should have answered before")
        if body["op"] == "cancel":
            events = naive.cancel(user=body["user"], order_id=body["order"])
            expected = "order_not_found" if events[0][0] == "refused" else wire.ACCEPTED
        else:
            events = naive.place(
                user=body["user"], side="buy" if body["side"] == 1 else "sell", price=body["price"] or None,
                lots=body["lots"] or None, quote=int(body["quote"]) or None, ioc=body["tif"] == 2,
            )  # fmt: skip
            expected = events[0][1] if events[0][0] == "refused" else wire.ACCEPTED
        assert command.verdict == expected, (command.id, body, events)
    return naive


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seeded_run_with_faults(
    seed: int, valkey: redis.Redis, money: Money, database_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = {}
    for user in USERS:
        money.fund(user, BTC="0.05", USDT="0.05")
        start |= {(user, "base"): 5_000_000, (user, "quote"): 50_000}
    simulation = Simulation(seed, valkey, database_url("engine"), monkeypatch)
    for _ in range(STEPS):
        simulation.step()
    simulation.crash_at = None
    if simulation.reign is None:
        simulation.lead()
    while valkey.xlen(wire.stream(0)):
        with contextlib.suppress(redis.RedisError):
            simulation.reign.step()
    simulation.listen(0.2)
    live = simulation.reign._engine.state_hash()
    simulation.die()
    simulation.lead()
    assert simulation.reign._engine.state_hash() == live, "a restart does not give the same book"
    simulation.die()
    print(f"seed {seed}: {simulation.happened}, {Command.objects.count()} commands, {Trade.objects.count()} trades")

    naive = replay(start)
    assert [(t.id, t.maker_order_id, t.taker_order_id, t.lots) for t in Trade.objects.order_by("id")] == naive.trades
    assert set(Order.objects.filter(state=1).values_list("id", flat=True)) == {order.id for order in naive.resting}
    for user in USERS:
        for balance in ledger.balances(owner_id=user):
            asset = {1: "base", 4: "quote"}[balance.asset_id]
            assert (balance.balance, balance.held) == (naive.balances[user, asset], naive.held(user, asset))
    stored = {orjson.loads(c.body)["id"]: c.verdict for c in Command.objects.all()}
    assert len(stored) == Command.objects.count(), "a command was done twice"
    named = [(o.user_id, o.client_order_id) for o in Order.objects.exclude(client_order_id=None)]
    assert len(named) == len(set(named)), "a client's order id names two orders"
    assert simulation.told, "nobody was told anything"
    assert {uuid: codes for uuid, codes in simulation.told.items() if codes != {stored.get(uuid)}} == {}
    assert reconciliation.run(now=now()).ok
    assert simulation.happened["crash"] and simulation.happened["rebuilt"], simulation.happened
