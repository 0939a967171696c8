"""What a batch tells the world, word for word: the record of each step of one scripted day, kept in records.golden.

Whoever changes the form of a record, or what goes into one, sees it here; RECORDS=write writes the file anew, and the diff is
to be read. What must never stand in it: a hidden or armed quantity on a public level.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.integration.trading.conftest import ALICE, BOB, CAROL, Money
from tests.integration.trading.desk import BTC_USDT, BUY, SELL, STOP, TRAILING_STOP, Desk
from trading import wire
from trading.models import Batch
from trading.presentation import OrderRow, microseconds

pytestmark = pytest.mark.django_db(transaction=True)
_CREATED, _UPDATED, _EXPIRES = (OrderRow._fields.index(name) for name in ("created_at", "updated_at", "expires_at"))
GOLDEN = Path(__file__).parent / "records.golden"


def scripted_day(desk: Desk) -> dict[str, Callable[[], object]]:
    """Steps in order; each is one batch or more."""
    known: dict[str, int] = {}

    def keep(name: str, id: int) -> None:
        known[name] = id

    return {
        "an iceberg rests": lambda: keep("berg", desk.place(ALICE, SELL, lots=30, price=1_000, display_lots=10).id),
        "somebody stands behind it": lambda: desk.place(CAROL, SELL, lots=5, price=1_000, client="carol-1"),
        "a taker eats a slice and into the next in line": lambda: desk.place(BOB, BUY, lots=12, price=1_000),
        "a stop is armed": lambda: keep("stop", desk.place(BOB, SELL, lots=4, kind=STOP, stop_price=990).id),
        "a trailing stop is armed": lambda: desk.place(CAROL, SELL, lots=2, kind=TRAILING_STOP, trail_ticks=5),
        "a pair rests": lambda: keep("pair", desk.oco(BOB, BUY, lots=3, price=985, stop=1_050).id),
        "an order is amended to another price": lambda: desk.amend(ALICE, known["berg"], price=1_010),
        "a fall triggers two, and ends the pair": lambda: (
            desk.place(ALICE, BUY, lots=1, price=988),
            desk.place(CAROL, SELL, lots=1, price=988),
        ),
        "an own order is reduced": lambda: desk.place(ALICE, BUY, lots=6, price=1_010, self_trade=4),
        "an order with an end": lambda: desk.place(
            CAROL, BUY, lots=1, price=900, expires_at=microseconds(desk.now + timedelta(seconds=5))
        ),
        "its end": lambda: desk.wait(seconds=6),
        "all are taken back": lambda: desk.cancel_all(ALICE),
        "a switch is set": lambda: desk.ask(wire.encode_countdown, CAROL, until=microseconds(desk.now) + 10**6),
        "a market is halted": lambda: desk.ask(wire.encode_market_state, 1, market_id=BTC_USDT, state=3),
        "an order is refused": lambda: desk.place(BOB, BUY, lots=1, price=1_000),
    }


def test_the_records_of_a_scripted_day(desk: Desk, money: Money) -> None:
    for user in (ALICE, BOB, CAROL):
        money.fund(user, BTC="10", USDT="1000")
    told: list[str] = []
    start = microseconds(desk.now)
    last = Batch.objects.latest("id").id
    for name, step in scripted_day(desk).items():
        step()
        for row in Batch.objects.filter(id__gt=last).order_by("id"):
            told.append(f"# {name}")
            record = _by_the_script(orjson.loads(row.record), start)
            told += [f"{field}: {orjson.dumps(value).decode()}" for field, value in record.items() if value]
            last = row.id
    if os.environ.get("RECORDS") == "write":
        GOLDEN.write_text("\n".join([*told, ""]))
    assert told == GOLDEN.read_text().splitlines()


def _by_the_script(record: dict[str, Any], start: int) -> dict[str, Any]:
    """Without UUIDs, and with times from the day's noon on, in microseconds: the rest is the same on every day."""
    record["replies"] = [[process, "uuid", *rest] for process, _, *rest in record["replies"]]
    record["candles"] = [[market, place, *rest] for market, place, _, *rest in record["candles"]]
    record["at"] -= start
    for order in record["orders"]:
        for place in (_CREATED, _UPDATED, _EXPIRES):
            if place < len(order) and order[place]:
                order[place] -= start
    return record
