"""The real engine process killed or stopped at named points: nothing acknowledged is lost, nothing is done twice."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import uuid4

import orjson
import psycopg2
import pytest
from django.db import connections

from exchange.ledger import reconciliation
from tests.integration.trading.conftest import ALICE, BOB, Engine, Money, eventually, now, shown_book
from trading import wire
from trading.models import Batch, Command, Order, Shard, Trade
from trading.runner import faults
from trading.services import line, orders

pytestmark = pytest.mark.django_db(transaction=True)
ORDERS = 12
UNHURRIED_MS = "2000"  # a leader that a busy machine holds up for a moment is not taken for a dead one


@pytest.fixture(autouse=True)
def _patient(settings: object) -> None:
    settings.ENGINE_REPLY_TIMEOUT_S = 120.0


class Crowd:
    """Customers who place orders at once, each in a thread that waits for its answer."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(max_workers=ORDERS)

    def place(self, number: int, **more: str) -> Future[orders.OrderOutcome]:
        """Alice offers 0.01 BTC at 20000 with even numbers, Bob takes as much with odd ones."""
        user, side = (ALICE, "sell") if number % 2 == 0 else (BOB, "buy")
        return self.pool.submit(self._place, user, side, f"order-{number}")

    @staticmethod
    def _place(user: int, side: str, client: str) -> orders.OrderOutcome:
        try:
            return orders.place_sync(
                user_id=user, market="BTC-USDT", side=side, type="limit", quantity="0.01", price="20000",
                client_order_id=client, now=now(),
            )  # fmt: skip
        finally:
            connections.close_all()


@pytest.fixture
def crowd() -> Crowd:
    return Crowd()


def check_books(money: Money) -> None:
    """Twelve orders, six trades, 0.06 BTC for 1200 USDT, and books that agree with themselves."""
    assert Order.objects.count() == ORDERS
    assert Trade.objects.count() == ORDERS // 2
    assert set(Order.objects.values_list("state", flat=True)) == {Order.State.FILLED}
    assert money.of(ALICE)["BTC"] == ("0.94", "0")
    assert money.of(BOB)["USDT"] == ("8800", "0")
    report = reconciliation.run(now=now())
    assert report.ok, report


@pytest.mark.parametrize("point", faults.POINTS)
def test_killed_at_a_named_point(point: str, engine: Engine, money: Money, crowd: Crowd) -> None:
    money.fund(ALICE, BTC="1")
    money.fund(BOB, USDT="10000")
    first = engine.start(fault=f"{point}:2:SIGKILL")
    waiting = [crowd.place(0)]
    waiting[0].result(timeout=150)
    waiting += [crowd.place(number) for number in range(1, ORDERS)]
    assert engine.wait_dead(first) == -signal.SIGKILL
    assert engine.hits() == [f"{point} 2 SIGKILL"], "the point was never passed"
    engine.start()
    outcomes = [future.result(timeout=150) for future in waiting]
    assert len({outcome.order.id for outcome in outcomes}) == ORDERS
    assert not any(outcome.duplicate for outcome in outcomes)
    for number in range(ORDERS):  # whoever asks again is told the same
        again = crowd.place(number).result(timeout=150)
        assert again.duplicate and again.order.id == outcomes[number].order.id
    check_books(money)


def test_kill_at_random_under_load(engine: Engine, money: Money, crowd: Crowd) -> None:
    money.fund(ALICE, BTC="1")
    money.fund(BOB, USDT="10000")
    engine.start()
    waiting = []
    for number in range(ORDERS):
        waiting.append(crowd.place(number))
        if number % 4 == 3:
            time.sleep(0.003 * number)
            engine.processes[-1].kill()
            engine.processes[-1].wait()
            engine.start()
    for future in waiting:
        future.result(timeout=150)
    check_books(money)


def test_valkey_loses_everything(engine: Engine, money: Money, crowd: Crowd) -> None:
    money.fund(ALICE, BTC="1")
    money.fund(BOB, USDT="10000")
    engine.start()
    for number in range(4):
        crowd.place(number).result(timeout=150)
    engine.valkey.flushdb()
    for number in range(4, 8):
        crowd.place(number).result(timeout=150)
    engine.processes[-1].kill()
    engine.processes[-1].wait()
    engine.valkey.flushdb()
    engine.start()
    assert eventually("the new leader's book", shown_book).bids == ()
    for number in range(ORDERS):
        assert crowd.place(number).result(timeout=150).duplicate == (number < 8)
    check_books(money)


def test_the_same_command_read_twice_is_done_once(engine: Engine, money: Money) -> None:
    money.fund(ALICE, BTC="1", USDT="1")
    engine.start()
    body = wire.encode_place(
        uuid=uuid4(), process="", asked_at_ms=time.time_ns() // 1_000_000, user_id=ALICE, market_id=1, side=2, kind=1,
        time_in_force=1, price=2_000_000, lots=100, quote_units=0, client_order_id=None,
    )  # fmt: skip
    for _ in range(3):
        engine.valkey.xadd(wire.stream(0), {"c": body})
    eventually("the order", Order.objects.exists)
    engine.valkey.xadd(wire.stream(0), {"c": body})
    engine.valkey.set(wire.generation(0), "another life")  # and once more, all of it
    engine.valkey.xadd(wire.stream(0), {"c": b"not a command"})
    engine.valkey.xadd(wire.stream(0), {"c": b'{"op":"place",\n"id":5}'})
    orders.place_sync(
        user_id=ALICE, market="BTC-USDT", side="sell", type="limit", quantity="0.1", price="30000", now=now()
    )
    assert sorted(Order.objects.values_list("price", flat=True)) == [2_000_000, 3_000_000]
    assert Command.objects.filter(user_id=ALICE).count() == 2
    assert money.of(ALICE)["BTC"] == ("1", "0.11")


def test_a_stopped_leader_is_fenced(engine: Engine, money: Money, crowd: Crowd) -> None:
    """SIGSTOP inside its transaction, takeover by a standby, SIGCONT: the old one commits nothing."""
    money.fund(ALICE, BTC="1")
    money.fund(BOB, USDT="10000")
    epoch = Shard.objects.get(id=0).epoch
    old = engine.start(fault="inside_transaction:2:SIGSTOP", ENGINE_HEARTBEAT_MS=UNHURRIED_MS)
    standby = engine.start(wait=False, ENGINE_HEARTBEAT_MS=UNHURRIED_MS)
    crowd.place(0).result(timeout=150)
    waiting = [crowd.place(number) for number in range(1, 4)]
    engine.wait_until_leading(standby)
    assert engine.hits() == ["inside_transaction 2 SIGSTOP"]
    for future in waiting:
        future.result(timeout=150)
    assert Shard.objects.get(id=0).epoch == epoch + 2
    old.send_signal(signal.SIGCONT)
    ended = ("engine in doubt", "engine fenced")
    eventually("the old leader's end", lambda: any(words in engine.log(old) for words in ended))
    for number in range(4, ORDERS):
        crowd.place(number).result(timeout=150)
    check_books(money)


def test_unreleased_batches_are_told_at_the_next_start(engine: Engine, money: Money, crowd: Crowd) -> None:
    money.fund(ALICE, BTC="1")
    batches = Batch.objects.count()
    first = engine.start(fault="after_commit:1:SIGKILL")
    waiting = crowd.place(0)
    engine.wait_dead(first)
    assert Order.objects.count() == 1 and not waiting.done()
    assert Batch.objects.count() == batches + 1
    feed = engine.valkey.pubsub(ignore_subscribe_messages=True)
    feed.subscribe("md:BTC-USDT")
    engine.start()
    assert waiting.result(timeout=150).order.state == "open"
    crowd.place(2).result(timeout=150)  # behind its word, nothing of the first order's can come any more
    told, until = [], time.monotonic() + 60
    while not told or told[-1] < 2:
        assert time.monotonic() < until, told
        if message := feed.get_message(timeout=0.1):
            told.append(orjson.loads(message["data"])["u"])
    assert told == [1, 2]


def test_a_clean_end_finishes_the_batch_and_hands_over(engine: Engine, money: Money, crowd: Crowd) -> None:
    money.fund(ALICE, BTC="1")
    money.fund(BOB, USDT="10000")
    first = engine.start()
    waiting = [crowd.place(number) for number in range(ORDERS)]
    standby = engine.start(wait=False)
    time.sleep(0.05)
    first.terminate()
    assert engine.wait_dead(first) == 0
    engine.wait_until_leading(standby)
    for future in waiting:
        future.result(timeout=150)
    check_books(money)
    shard = Shard.objects.get(id=0)
    assert shard.published_seq > 0


def end_sessions(url: str, seconds: float = 60.0) -> None:
    """End every session of the engine's; waits until there is one."""
    killer, until = psycopg2.connect(url), time.monotonic() + seconds
    killer.autocommit = True
    with killer.cursor() as cursor:
        ended = 0
        while not ended:
            assert time.monotonic() < until, "the engine has no session"
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE usename = current_user AND datname = current_database() AND pid <> pg_backend_pid()"
            )
            (ended,) = cursor.fetchone()
    killer.close()


def test_its_database_sessions_are_ended_under_it(
    engine: Engine, money: Money, crowd: Crowd, database_url: Callable[[str], str]
) -> None:
    """The engine loads anew, refuses nobody, and goes on in the same process."""
    money.fund(ALICE, BTC="1")
    money.fund(BOB, USDT="10000")
    process = engine.start()
    waiting = []
    for number in range(ORDERS):
        waiting.append(crowd.place(number))
        if number % 4 == 3:
            end_sessions(database_url("engine"))
    for future in waiting:
        future.result(timeout=150)
    assert process.poll() is None and engine.log(process).count("engine leads") > 1
    check_books(money)


def test_no_engine_no_silence(money: Money, settings: object, valkey: object) -> None:
    """Without an engine the answer is that nobody knows; with a full backlog, that nothing was taken."""
    settings.ENGINE_REPLY_TIMEOUT_S = 0.3
    money.fund(ALICE, BTC="1")
    order = {"user_id": ALICE, "market": "BTC-USDT", "side": "sell", "type": "limit", "quantity": "0.1", "price": "1"}
    with pytest.raises(line.EngineOutcomeUnknown):
        orders.place_sync(**order, now=now())
    settings.ENGINE_REPLY_TIMEOUT_S = 60.0
    settings.ENGINE_BACKLOG_MAX = 1
    with pytest.raises(line.Backlogged):
        orders.place_sync(**order, now=now())
