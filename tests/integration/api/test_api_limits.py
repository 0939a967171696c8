"""Limits as a customer's program meets them: what is left, what refuses an order whichever way it comes, and at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from exchange.assets.models import Rate
from kyc.kinds import DAY_S, KINDS, TRADING, WINDOWS
from kyc.services import levels
from tests.integration.api.conftest import Customer, Exchange, error
from tests.integration.api.test_api_orders import limit
from tests.integration.api.test_api_websocket import opened
from trading.models import Reservation

BTC, USDT = 1, 4


@pytest.fixture(scope="module")
def ann(trading: Exchange) -> Customer:
    ann = trading.customer("ann")
    trading.fund(ann, USDT, 1_000_000 * 10**6)
    now = timezone.now()
    amounts = {(TRADING, DAY_S): 10_000_00}
    levels.set_limits(level=1, amounts=amounts, reason="For a test", actor_id=1, now=now)
    return ann


@pytest.fixture(autouse=True)
def _nothing_is_left(ann: Customer) -> Iterator[None]:
    Rate.objects.update_or_create(
        asset_id=USDT, defaults={"price": 1, "as_of": timezone.now(), "fetched_at": timezone.now(), "source": "test"}
    )
    stands_at(ann, 1)
    yield
    assert ann.delete("orders").status_code == 200


def stands_at(customer: Customer, level: int) -> None:
    levels.assign(user_id=customer.user_id, level=level, reason="For a test", actor_id=1, now=timezone.now())


def left(customer: Customer, kind: str = TRADING, seconds: int = DAY_S) -> dict[str, Any]:
    answer = customer.get("limits")
    assert answer.status_code == 200, answer.text
    shape = answer.json()
    assert [(each["kind"], each["seconds"]) for each in shape["limits"]] == [(k, s) for k in KINDS for s in WINDOWS]
    return next(each for each in shape["limits"] if (each["kind"], each["seconds"]) == (kind, seconds))


def test_what_is_left_is_said(ann: Customer) -> None:
    assert left(ann) == {"kind": "trading", "seconds": 86400, "limit": "10000", "used": "0", "left": "10000"}
    assert ann.post("orders", limit("buy", "20000", "0.1")).status_code == 201
    assert left(ann) == {"kind": "trading", "seconds": 86400, "limit": "10000", "used": "2000", "left": "8000"}
    level = ann.get("limits").json()
    assert (level["level"], level["currency"]) == ({"number": 1, "code": "email", "name": "E-mail"}, "USD")


def test_every_way_in_is_counted(ann: Customer, trading: Exchange) -> None:
    placed = ann.post("orders", limit("buy", "20000", "0.3"))
    assert placed.status_code == 201, placed.text
    refused = ann.post("orders", limit("buy", "20000", "0.3"))
    assert (refused.status_code, error(refused)["code"], error(refused)["param"]) == (400, "limit_exceeded", "quantity")
    batch = ann.post("orders/batch", {"orders": [{"op": "place", **limit("buy", "20000", "0.3")}]})
    assert batch.json()["data"][0]["error"]["code"] == "limit_exceeded"
    pair = {"market": "BTC-USDT", "side": "buy", "quantity": "0.3", "price": "19000", "stop_price": "21000"}
    assert error(ann.post("orders/oco", {**pair, "stop_limit_price": "22000"}))["code"] == "limit_exceeded"
    amended = ann.call("PATCH", f"orders/{placed.json()['id']}", json={"quantity": "0.6"})
    assert error(amended)["code"] == "limit_exceeded"
    with opened(trading, token=ann.token) as reader:
        amend = {"order_id": placed.json()["id"], "quantity": "0.6"}
        for op, fields in (("place", limit("buy", "20000", "0.3")), ("amend", amend)):
            reader.send(op=op, id=op, **fields)
            assert reader.until(lambda message, op=op: message.get("id") == op)["error"]["code"] == "limit_exceeded"
    assert left(ann)["used"] == "6000"


def test_a_change_of_level_holds_at_once(ann: Customer) -> None:
    big = limit("buy", "20000", "2")
    assert error(ann.post("orders", big))["code"] == "limit_exceeded"
    stands_at(ann, 4)
    assert ann.post("orders", big).status_code == 201
    assert left(ann)["left"] is None
    before = Reservation.objects.count()
    assert ann.post("orders", big).status_code == 201
    assert Reservation.objects.count() == before
    stands_at(ann, 1)
    refused = ann.post("orders", limit("buy", "20000", "0.001"))
    assert error(refused)["code"] == "limit_exceeded"  # what stands from before has used it all
    assert (left(ann)["left"], ann.delete("orders").status_code) == ("0", 200)
    assert ann.post("orders", limit("buy", "20000", "0.001")).status_code == 201


def test_an_old_price_is_said_and_is_no_room(ann: Customer) -> None:
    Rate.objects.all().delete()
    refused = ann.post("orders", limit("buy", "20000", "0.1"))
    assert (refused.status_code, error(refused)["code"]) == (503, "worth_unknown")
