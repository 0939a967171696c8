"""Batches judged on what the batch before left: where that is not what the locks show, they are done again on what is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

from exchange.ledger.services import freezes
from tests.integration.trading.conftest import ALICE, BOB, Money
from tests.integration.trading.desk import Desk
from tests.integration.trading.test_overlapping_batches import body, crossing, done, put, small
from trading.models import Command, Trade
from trading.runner import metrics, store
from trading.wire import decode

__all__ = ["small"]  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)
BUY, SELL = 1, 2


@pytest.fixture(autouse=True)
def _people(money: Money) -> None:
    for user in (ALICE, BOB):
        money.fund(user, BTC="10", USDT="1000000")


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], None]:
    """Have something happen after the commit of one batch and before the locks of the next, which is composed by then."""

    def arrange(nth: int, happens: Callable[[], None]) -> None:
        real, calls = store.claim, [0]

        def claim(*args: Any, **named: Any) -> Any:
            calls[0] += 1
            if calls[0] == nth:
                happens()
                connections.close_all()  # of this thread
            return real(*args, **named)

        monkeypatch.setattr(store, "claim", claim)

    return arrange


def otherwise() -> float:
    return float(metrics.RETRIES.labels("0", "otherwise")._value.get())


def test_a_deposit_between_two_batches_is_seen_by_the_second(small: Desk, money: Money, meanwhile: Any) -> None:
    before = otherwise()
    meanwhile(5, lambda: money.fund(ALICE, BTC="1"))
    bodies = crossing(small, 60)
    put(small, bodies)
    assert {reply.code for reply in done(small, bodies)} == {"accepted"}
    assert otherwise() == before + 1
    assert Command.objects.filter(user_id__in=(ALICE, BOB)).count() == 60
    assert Trade.objects.count() > 20
    small.check()


def test_a_freeze_between_two_batches_decides_as_the_locks_show_it(small: Desk, money: Money, meanwhile: Any) -> None:
    before = otherwise()
    meanwhile(4, lambda: freezes.freeze(owner_id=ALICE, source="test", reason="test", actor=None, now=small.now))
    bodies = [body(small, ALICE, SELL, 2_000 + place) for place in range(40)]
    put(small, bodies)
    codes = [reply.code for reply in done(small, bodies)]
    refused = codes.index("account_frozen")
    assert 0 < refused < 40 and set(codes[:refused]) == {"accepted"} and set(codes[refused:]) == {"account_frozen"}
    assert refused % 4 == 0, "the whole of the batch that came after"
    assert otherwise() == before + 1
    small.check()


def test_a_command_that_comes_again_in_the_batch_behind_is_done_once(small: Desk) -> None:
    before = otherwise()
    bodies = crossing(small, 40)
    put(small, [*bodies[:21], bodies[20], *bodies[21:30], bodies[3], *bodies[30:]])
    assert {reply.code for reply in done(small, bodies)} == {"accepted"}
    assert otherwise() > before
    assert Command.objects.filter(user_id__in=(ALICE, BOB)).count() == 40
    small.check()


def test_a_client_may_call_his_order_null(desk: Desk) -> None:
    names = ["NULL", "null", "None"]
    bodies = [body(desk, ALICE, BUY, 100 + place, client=name) for place, name in enumerate(names)]
    put(desk, bodies)
    replies = done(desk, bodies)
    assert [reply["order"][14] for reply in replies] == names
    desk.restart()
    assert {order.client_order_id for order in desk.engine.orders.values()} == set(names)
    stored = dict(Command.objects.filter(user_id=ALICE).values_list("order_id", "body"))
    assert [stored[reply.id].encode() for reply in replies] == bodies and decode(bodies[0]).client_order_id == "NULL"
