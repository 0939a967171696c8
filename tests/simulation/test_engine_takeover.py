"""The hot standby: it takes over from a leader stopped in the worst place, killed, or cut off, and only then.

How quickly it does is measured by `make bench-takeover`; here a leader whom the machine lets wait is not to be taken for a dead
one, so its heart may be silent for longer.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest
import redis
from django.conf import settings

from config import embedded
from exchange.ledger import reconciliation
from exchange.ledger import selectors as ledger
from tests.integration.trading.conftest import ALICE, Money, now
from tests.simulation.rig import takeover
from tests.simulation.rig.engines import Engines
from tests.simulation.rig.recorder import Recorder
from trading import wire
from trading.models import Command, Order, Shard
from trading.runner import leadership

pytestmark = pytest.mark.django_db(transaction=True)
TAKEOVERS = 3
SILENT_MS = 2_000  # where the leader is to be replaced
UNHURRIED_MS = 20_000  # and where it is not
OWN_VALKEY = "valkey-lost"


@pytest.fixture
def engines(tmp_path: Path, valkey: redis.Redis) -> Iterator[Engines]:
    yield from _ended(Engines(tmp_path, valkey, heartbeat_ms=SILENT_MS))


@pytest.fixture
def unhurried(tmp_path: Path, valkey: redis.Redis) -> Iterator[Engines]:
    yield from _ended(Engines(tmp_path, valkey, heartbeat_ms=UNHURRIED_MS))


def _ended(engines: Engines) -> Iterator[Engines]:
    with engines:
        yield engines
    for each in engines.started:
        print(each.log)


@pytest.fixture
def recorder(valkey: redis.Redis) -> Iterator[Recorder]:
    recorder = Recorder(settings.REDIS_URL)
    yield recorder
    recorder.close()


def offer() -> tuple[str, bytes]:
    """Alice offers one lot."""
    uuid = uuid4()
    return str(uuid), wire.encode_place(
        uuid=uuid, process=offer.process, asked_at_ms=time.time_ns() // 1_000_000, user_id=ALICE, market_id=1, side=2,
        kind=1, time_in_force=1, price=2_000_000, lots=1, quote_units=0, client_order_id=None,
    )  # fmt: skip


def place(recorder: Recorder) -> str:
    offer.process = recorder.name
    uuid, body = offer()
    recorder.send([(0, uuid, body)])
    return uuid


def check_books(recorder: Recorder, money: Money) -> None:
    """Every command once, with the verdict that was told; each order's lot is held; the books agree."""
    assert recorder.unanswered == 0
    told = {uuid: {reply.code for reply in replies} for uuid, replies in recorder.told.replies.items()}
    assert all(codes == {wire.ACCEPTED} for codes in told.values()), told
    users_own = Command.objects.filter(user_id=ALICE)
    assert users_own.count() == Order.objects.count() == len(recorder.sent)
    assert money.of(ALICE)["BTC"][1] == f"{len(recorder.sent) * 0.0001:.4f}".rstrip("0")
    report = reconciliation.run(now=now())
    assert report.ok, report


def test_a_leader_stopped_inside_its_transaction_is_replaced(
    engines: Engines, recorder: Recorder, money: Money, database_url: Callable[[str], str]
) -> None:
    """Three times, in turn: whoever was stopped wakes up, commits nothing, and is the next one's standby."""
    money.fund(ALICE, BTC="1", USDT="1")
    account = next(b.account_id for b in ledger.balances(owner_id=ALICE) if b.asset_id == 1)
    offer.process = recorder.name
    pair = [engines.start(faulty=True)]
    engines.wait_until_leading(pair[0])
    pair.append(engines.start(faulty=True))
    engines.wait_until_standing_by(pair[1])
    found = [
        takeover.take_over(
            engines, recorder, pair[number % 2], pair[(number + 1) % 2],
            command=offer, account_id=account, database_url=database_url("engine"), measured=False,
        )
        for number in range(TAKEOVERS)
    ]  # fmt: skip
    assert all(each.lock_was_held for each in found), "the stopped leader held no lock: this proved nothing"
    assert Shard.objects.get(id=0).epoch == 1 + TAKEOVERS
    check_books(recorder, money)


def test_a_killed_leader_is_replaced(engines: Engines, recorder: Recorder, money: Money) -> None:
    money.fund(ALICE, BTC="1", USDT="1")
    leader = engines.start()
    engines.wait_until_leading(leader)
    for _ in range(TAKEOVERS):
        standby = engines.start()
        engines.wait_until_standing_by(standby)
        recorder.reply(place(recorder))
        leader.send(signal.SIGKILL)
        leader.process.wait()
        recorder.reply(place(recorder))
        assert engines.leads(standby)
        leader = standby
    check_books(recorder, money)


def test_a_leader_that_lost_its_session_goes_on_by_itself(
    unhurried: Engines, recorder: Recorder, money: Money, database_url: Callable[[str], str]
) -> None:
    """Its heart beats, so the standby stays where it is; its book is loaded anew under a new epoch."""
    money.fund(ALICE, BTC="1", USDT="1")
    leader = unhurried.start()
    unhurried.wait_until_leading(leader)
    standby = unhurried.start()
    unhurried.wait_until_standing_by(standby)
    for _ in range(3):
        recorder.reply(place(recorder))
        before = Shard.objects.get(id=0)
        end_session(database_url("engine"), before.leader_pid)
        recorder.reply(place(recorder))
        after = Shard.objects.get(id=0)
        assert (after.epoch, after.leader_name) == (before.epoch + 1, before.leader_name)
    assert standby.count("engine leads") == 0
    check_books(recorder, money)


def test_an_emptied_valkey_changes_no_leader(
    unhurried: Engines, recorder: Recorder, money: Money, valkey: redis.Redis
) -> None:
    """The leader's heart is heard again with its next beat, before the standby takes the place for vacant."""
    money.fund(ALICE, BTC="1", USDT="1")
    leader = unhurried.start(heartbeat_ms=leadership.HEARTBEAT_MS)
    unhurried.wait_until_leading(leader)
    standby = unhurried.start()
    unhurried.wait_until_standing_by(standby)
    for _ in range(5):
        recorder.reply(place(recorder))
        valkey.flushdb()
        unhurried.wait_until_leading(leader)
    recorder.reply(place(recorder))
    assert standby.count("engine leads") == 0 and Shard.objects.get(id=0).epoch == 1
    check_books(recorder, money)


def test_valkey_itself_is_killed_and_comes_back(tmp_path: Path, money: Money, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Valkey of the test's own, with a leader and a standby on it. What was sent is sent again, and done once."""
    money.fund(ALICE, BTC="1", USDT="1")
    url = embedded.ensure(durable=False, valkey=OWN_VALKEY).environment["REDIS_URL"]
    monkeypatch.setenv("REDIS_URL", url)
    client = redis.Redis.from_url(url)
    client.flushdb()  # it keeps what an earlier run of the suite left in it
    recorder = Recorder(url)
    with Engines(tmp_path, client) as engines:
        leader, standby = engines.start(), engines.start()
        until = time.monotonic() + 120
        while not (engines.leads(leader) or engines.leads(standby)):
            assert time.monotonic() < until
            time.sleep(0.01)
        for _ in range(3):
            recorder.reply(place(recorder))
            os.kill(int((embedded.state_folder() / OWN_VALKEY / "pid").read_text()), signal.SIGKILL)
            time.sleep(0.3)
            embedded.ensure(durable=False, valkey=OWN_VALKEY)
            uuid = place(recorder)
            until = time.monotonic() + 120
            while not recorder.wait(lambda uuid=uuid: uuid in recorder.told.replies, 1.0):
                recorder.send([(0, uuid, recorder.sent[uuid])])
                assert time.monotonic() < until, leader.log + standby.log
        check_books(recorder, money)
    recorder.close()


def test_an_idle_leader_that_wakes_up_learns_that_it_is_one_no_more(
    engines: Engines, recorder: Recorder, money: Money
) -> None:
    """Without a command that could fail: it hears another's heart, and does not wait for the database to tell it."""
    money.fund(ALICE, BTC="1", USDT="1")
    leader = engines.start()
    engines.wait_until_leading(leader)
    recorder.reply(place(recorder))
    standby = engines.start()
    engines.wait_until_standing_by(standby)
    leader.send(signal.SIGSTOP)
    engines.wait_until_leading(standby)
    leader.send(signal.SIGCONT)
    engines.wait_until_fenced(leader)
    assert engines.leads(standby)
    recorder.reply(place(recorder))
    check_books(recorder, money)


def end_session(url: str, pid: int | None) -> None:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 60000)", (pid,))
        assert cursor.fetchone() == (True,)
    connection.close()
