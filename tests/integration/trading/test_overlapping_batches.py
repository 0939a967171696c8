"""Batches that overlap: one with the database, the next matched on credit behind it; and what comes again among hundreds."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg2
import pytest

from tests.integration.trading.conftest import ALICE, BOB, CAROL, Money
from tests.integration.trading.desk import BTC_USDT, BUY, GTC, LIMIT, PROCESS, SELL, Desk, Reply
from trading import candles as grid
from trading import wire
from trading.models import Command, CommandKey, Order, OrderKey, Shard, Trade
from trading.runner import faults, store
from trading.runner.batch import Batcher
from trading.runner.leadership import Doubt

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _people(money: Money) -> None:
    for user in (ALICE, BOB, CAROL):
        money.fund(user, BTC="10", USDT="1000000")


@pytest.fixture
def small(desk: Desk, settings: Any) -> Desk:
    """An engine that takes four commands a batch, so that a few are enough to make batches overlap."""
    settings.ENGINE_BATCH_MAX = 4
    desk.restart()
    return desk


@pytest.fixture
def overlapped(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each batch sent, whether another was in the air."""
    seen: list[bool] = []
    send = Batcher.send

    def watched(self: Batcher, *args: Any, **named: Any) -> Any:
        seen.append(self.flying)
        return send(self, *args, **named)

    monkeypatch.setattr(Batcher, "send", watched)
    return seen


def body(desk: Desk, user: int, side: int, price: int, *, client: str | None = None) -> bytes:
    return wire.encode_place(
        uuid=uuid4(), process=PROCESS, asked_at_ms=int(desk.now.timestamp() * 1_000), user_id=user, market_id=BTC_USDT,
        side=side, kind=LIMIT, time_in_force=GTC, price=price, lots=1, quote_units=0, client_order_id=client,
    )  # fmt: skip


def crossing(desk: Desk, count: int) -> list[bytes]:
    """Alice and Bob in turn, so that every second order fills the one before, mostly across two batches of four."""
    return [
        body(desk, (ALICE, BOB)[place % 2], (SELL, BUY)[place % 2], 1_000 + place // 6, client=f"c{place}")
        for place in range(1, count + 1)
    ]


def put(desk: Desk, bodies: list[bytes]) -> None:
    for each in bodies:
        desk.append(keys=[wire.stream(0), wire.generation(0)], args=[100_000, str(uuid4()), each])


def done(desk: Desk, bodies: list[bytes]) -> list[Reply]:
    return [desk.answer(wire.decode(each).uuid) for each in bodies]


def test_batches_overlap_and_come_to_what_single_commands_come_to(small: Desk, overlapped: list[bool]) -> None:
    bodies = crossing(small, 60)
    put(small, bodies)
    replies = done(small, bodies)
    assert sum(overlapped) > len(overlapped) // 2, overlapped
    assert {reply.code for reply in replies} == {"accepted"}
    assert Command.objects.filter(user_id__in=(ALICE, BOB)).count() == 60
    assert Trade.objects.count() == 30 - Order.objects.filter(state=1).count() // 2
    small.check()


@pytest.mark.parametrize("nth", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("where", ["write_changes", "claim", "finish"])
def test_a_batch_that_is_rolled_back_takes_the_one_behind_it_along_and_both_are_done_once(
    small: Desk, overlapped: list[bool], monkeypatch: pytest.MonkeyPatch, where: str, nth: int
) -> None:
    real, calls = getattr(store, where), [0]

    def fails_once(cursor: Any, *args: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == nth:
            cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$")
        return real(cursor, *args, **named)

    monkeypatch.setattr(store, where, fails_once)
    bodies = crossing(small, 60)
    put(small, bodies)
    replies = done(small, bodies)
    assert calls[0] > nth
    assert {reply.code for reply in replies} == {"accepted"}
    assert [reply["order_id"] for reply in replies] == sorted(reply.id for reply in replies), "their order is kept"
    assert Command.objects.filter(user_id__in=(ALICE, BOB)).count() == CommandKey.objects.count() - opened() == 60
    small.check()


def opened() -> int:
    """Commands of the engine's own."""
    return Command.objects.filter(user_id=0).count()


def test_a_process_that_dies_between_two_overlapping_batches_has_lost_and_doubled_nothing(
    small: Desk, overlapped: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    bodies = crossing(small, 40)
    passed: list[str] = []

    def point(name: str) -> None:
        if name not in (faults.INSIDE_TRANSACTION, faults.BEFORE_COMMIT, faults.AFTER_COMMIT):
            return
        passed.append(name)
        if len(passed) in (4, 11, 18):
            raise Crash(name)

    monkeypatch.setattr(faults, "point", point)
    put(small, bodies)
    crashes = 0
    for each in bodies:
        while True:
            try:
                reply = small.answer(wire.decode(each).uuid)
                break
            except Crash:
                crashes += 1
                small.restart()
        assert reply.code == "accepted"
    assert crashes == 3
    assert any(overlapped)
    assert Command.objects.filter(user_id__in=(ALICE, BOB)).count() == 40
    small.check()


def test_a_commit_whose_outcome_is_unknown_throws_both_away(
    small: Desk, overlapped: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = [0]

    commit = store.commit

    def lost(cursor: Any) -> None:
        """The connection, lost in the middle of a COMMIT that the server carried out."""
        commit(cursor)
        commits[0] += 1
        if commits[0] == 2:
            raise psycopg2.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(store, "commit", lost)
    bodies = crossing(small, 24)
    put(small, bodies)
    with pytest.raises(Doubt):
        done(small, bodies)
    small.restart()
    assert {reply.code for reply in done(small, bodies)} == {"accepted"}
    assert Command.objects.filter(user_id__in=(ALICE, BOB)).count() == 24
    small.check()


def test_what_comes_again_among_hundreds_is_done_once(desk: Desk) -> None:
    count = store.COPIED_FROM + 20
    bodies = [body(desk, (ALICE, BOB)[place % 2], BUY, 100 + place, client=f"c{place}") for place in range(count)]
    put(desk, bodies)
    first = done(desk, bodies)
    assert {reply.code for reply in first} == {"accepted"}
    again = [body(desk, (ALICE, BOB)[place % 2], BUY, 100, client=f"c{place}") for place in range(0, count, 3)]
    fresh = [body(desk, CAROL, BUY, 100 + place, client=f"c{place}") for place in range(count)]
    desk.heard.clear()
    put(desk, [*bodies[::2], *again, *fresh, *fresh[:5]])
    assert [reply.id for reply in done(desk, bodies[::2])] == [reply.id for reply in first[::2]]
    assert [(reply.code, reply["first"]["order_id"]) for reply in done(desk, again)] == [
        ("duplicate", reply.id) for reply in first[::3]
    ]
    assert {reply.code for reply in done(desk, fresh)} == {"accepted"}
    assert Order.objects.count() == OrderKey.objects.count() == 2 * count
    assert Shard.objects.get(id=0).seq <= 5, "they came in large batches"
    desk.check()


@pytest.mark.parametrize("count", [6, 300])
def test_a_candle_remembered_wrongly_is_done_again_and_never_told(desk: Desk, count: int) -> None:
    def traded(start: int) -> None:
        bodies = [
            body(desk, (ALICE, BOB)[place % 2], (BUY, SELL)[place % 2], 100, client=f"k{start + place}")
            for place in range(count)
        ]
        put(desk, bodies)
        assert {reply.code for reply in done(desk, bodies)} == {"accepted"}

    traded(0)
    assert desk.reign is not None
    known = desk.reign._batcher._writing.buckets._known
    assert known[1]
    for place, bucket in known[1].items():
        known[1][place] = (*bucket[:7], bucket[7] + 1, bucket[8])
    wrong = {bucket[:8] for bucket in known[1].values()}
    traded(count)
    right = {bucket[:8] for bucket in desk.reign._batcher._writing.buckets._known[1].values()}
    with desk.connection.cursor() as cursor:
        ids = [grid.candle_id(open_second=each[2], market_id=1, place=each[1]) for each in right]
        assert {each[:8] for each in store.look_at_candles(cursor, ids)} == right
    assert not wrong & right
    desk.check()
