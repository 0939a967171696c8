"""A book that a standby has loaded before it leads: the same book, and only where no batch came after it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection

from tests.integration.trading.conftest import ALICE, BOB, Money
from tests.integration.trading.desk import BUY, SELL, Desk
from trading.models import Shard
from trading.runner.ahead import Ahead
from trading.runner.shard import ShardProcess

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def busy(desk: Desk, money: Money) -> Desk:
    """Orders of several kinds, some of them filled in part."""
    for user in (ALICE, BOB):
        money.fund(user, BTC="10", USDT="1000000")
    for place in range(20):
        desk.place(ALICE, SELL, lots=10, price=1_000 + place, client=f"a{place}")
        desk.place(BOB, BUY, lots=10, price=900 - place, post_only=True)
    desk.place(BOB, BUY, lots=15, price=1_000)
    return desk


@pytest.fixture
def standby(busy: Desk) -> Any:
    process = ShardProcess(shard=0, client=busy.valkey, clock=lambda: busy.now)
    process._warm_up()
    yield process
    if process._spare is not None:
        process._spare.close()


def ahead_of(process: ShardProcess) -> Ahead:
    until = time.monotonic() + 60
    while not process._silent(True):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert process._ahead is not None
    return process._ahead


def test_a_book_loaded_ahead_is_the_leaders_own(busy: Desk, standby: ShardProcess) -> None:
    engine = ahead_of(standby).take(seq=Shard.objects.get(id=0).seq)
    assert engine is not None and engine.state_hash() == busy.engine.state_hash()
    assert len(engine.orders) == len(busy.engine.orders) > 30


def test_one_batch_more_and_it_is_thrown_away(busy: Desk, standby: ShardProcess) -> None:
    ahead = ahead_of(standby)
    busy.place(ALICE, SELL, lots=1, price=2_000)
    assert ahead.take(seq=Shard.objects.get(id=0).seq) is None


def test_it_is_dropped_when_the_heart_beats_again(busy: Desk, standby: ShardProcess) -> None:
    first = ahead_of(standby)
    assert standby._silent(False) and standby._ahead is None
    assert ahead_of(standby) is not first


def test_a_session_lost_while_loading_ahead_costs_no_more_than_that(busy: Desk, standby: ShardProcess) -> None:
    assert standby._spare is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", (standby._spare.info.backend_pid,))
    assert ahead_of(standby).take(seq=Shard.objects.get(id=0).seq) is None
    fresh = standby._connection()
    with fresh.cursor() as cursor:
        cursor.execute("SELECT seq FROM trading_shard WHERE id = 0")
        assert cursor.fetchone() == (Shard.objects.get(id=0).seq,)
    fresh.close()
