"""Replies that come twice, late, and in any order: everybody still gets the answer to his own command, once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from threading import Event, Thread

import orjson
import pytest
import redis
from django.conf import settings

from exchange.ledger import reconciliation
from tests.integration.trading.conftest import ALICE, BOB, Engine, Money, now
from trading import wire
from trading.models import Order
from trading.services import line, orders

pytestmark = pytest.mark.django_db(transaction=True)
ORDERS = 24
SEED = 11


class Meddler:
    """Stands between the engine and this process: holds replies back, shuffles them, says each up to three times, and says
    old ones again."""

    def __init__(self) -> None:
        self.passed_on = 0
        self._client = redis.Redis.from_url(settings.REDIS_URL)
        self._ears = self._client.pubsub(ignore_subscribe_messages=True)
        self._ears.psubscribe("engine:replies:*")
        self._stopping = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._ears.close()

    def _run(self) -> None:
        rng, held, old = random.Random(SEED), list[tuple[str, dict]](), list[tuple[str, dict]]()
        while not self._stopping.is_set():
            message = self._ears.get_message(timeout=0.05)
            if message is not None:
                channel = message["channel"].decode().replace("engine:replies:", "meddled:replies:")
                held += [(channel, reply) for reply in orjson.loads(message["data"])]
                if len(held) < 4:
                    continue
            again = [each for each in held for _ in range(rng.randint(1, 3))] + rng.sample(old, min(3, len(old)))
            rng.shuffle(again)
            for channel, reply in again:
                self._client.publish(channel, orjson.dumps([reply]))
                self.passed_on += 1
            old, held = old + held, []


@pytest.fixture
def meddler(valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Meddler]:
    monkeypatch.setattr(wire, "replies", lambda process: f"meddled:replies:{process}")  # where this process listens
    meddler = Meddler()
    yield meddler
    meddler.stop()


async def _all_at_once() -> list[orders.OrderOutcome]:
    try:
        return await asyncio.gather(*(_place(number) for number in range(ORDERS)))
    finally:
        await line.close()


async def _place(number: int) -> orders.OrderOutcome:
    user, side = (ALICE, "sell") if number % 2 == 0 else (BOB, "buy")
    placed = await orders.place(
        user_id=user, market="BTC-USDT", side=side, type="limit", quantity=f"0.0{number + 10}",
        price=str(21_000 + number if side == "sell" else 19_000 - number), client_order_id=f"order-{number}", now=now(),
    )  # fmt: skip
    if number % 3 == 0:
        return await orders.cancel(user_id=user, order_id=placed.order.id, now=now())
    return placed


def test_everybody_gets_his_own_answer(engine: Engine, money: Money, meddler: Meddler) -> None:
    money.fund(ALICE, BTC="10", USDT="1")
    money.fund(BOB, BTC="1", USDT="100000")
    engine.start()
    outcomes = asyncio.run(_all_at_once())
    for number, outcome in enumerate(outcomes):
        assert outcome.order.client_order_id == f"order-{number}" and not outcome.duplicate
        assert outcome.order.quantity == f"0.0{number + 10}".rstrip("0")
        assert outcome.order.state == ("cancelled" if number % 3 == 0 else "open")
    assert Order.objects.count() == ORDERS
    assert meddler.passed_on > ORDERS * 4 / 3, "no reply came twice"
    report = reconciliation.run(now=now())
    assert report.ok, report
