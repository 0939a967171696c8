"""A malformed order names its parameter and goes nowhere."""

from __future__ import annotations

import pytest
import redis

from exchange.core.errors import DomainError
from tests.integration.trading.conftest import BOB, now
from trading import wire
from trading.services import catalogue, orders

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    catalogue.forget()


@pytest.mark.parametrize(
    ("order", "code", "param"),
    [
        ({"side": "hold", "type": "limit", "quantity": "1", "price": "1"}, "side_invalid", "side"),
        ({"side": "buy", "type": "stop", "quantity": "1", "price": "1"}, "type_invalid", "type"),
        ({"side": "buy", "type": "limit", "quantity": "1"}, "price_required", "price"),
        ({"side": "buy", "type": "limit", "price": "1"}, "quantity_required", "quantity"),
        ({"side": "buy", "type": "limit", "price": "0", "quantity": "1"}, "price_tick", "price"),
        ({"side": "buy", "type": "limit", "price": "1.001", "quantity": "1"}, "amount_precision", "price"),
        ({"side": "buy", "type": "limit", "price": "1", "quantity": "0.00001"}, "amount_precision", "quantity"),
        ({"side": "buy", "type": "limit", "price": "1", "quantity": "-1"}, "amount_invalid", "quantity"),
        ({"side": "buy", "type": "limit", "price": "1e5", "quantity": "1"}, "amount_invalid", "price"),
        ({"side": "buy", "type": "limit", "price": "9" * 30, "quantity": "1"}, "amount_range", "price"),
        ({"side": "buy", "type": "market", "price": "1", "quantity": "1"}, "price_not_allowed", "price"),
        ({"side": "buy", "type": "market", "quantity": "1", "quote_amount": "1"}, "quantity_ambiguous", "quote_amount"),
        ({"side": "buy", "type": "market", "quote_amount": "0"}, "notional_too_small", "quote_amount"),
        ({"side": "buy", "type": "market"}, "quantity_required", "quantity"),
        ({"side": "buy", "type": "market", "quantity": "1", "market": "BTC-EUR"}, "market_not_found", "market"),
        (
            {"side": "buy", "type": "market", "quantity": "1", "client_order_id": "a b"},
            "client_order_id_invalid",
            "client_order_id",
        ),
    ],
)
def test_bad_input_names_its_parameter(order: dict[str, str], code: str, param: str, valkey: redis.Redis) -> None:
    with pytest.raises(DomainError) as caught:
        orders.place_sync(**{"user_id": BOB, "market": "BTC-USDT", "now": now(), **order})
    assert (caught.value.code, caught.value.param) == (code, param)
    assert not valkey.exists(wire.stream(0))


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ({}, "order_reference_required"),
        ({"order_id": 1024, "client_order_id": "a"}, "order_reference_required"),
        ({"order_id": -1}, "order_not_found"),
        ({"order_id": 2**60}, "order_not_found"),
        ({"client_order_id": "never-used"}, "order_not_found"),
        ({"client_order_id": "a b"}, "order_not_found"),
    ],
)
def test_a_cancel_needs_one_order(reference: dict[str, object], code: str, valkey: redis.Redis) -> None:
    with pytest.raises(DomainError) as caught:
        orders.cancel_sync(user_id=BOB, now=now(), **reference)
    assert caught.value.code == code
    assert not valkey.exists(wire.stream(0))


def test_a_stop_of_trading_is_obeyed(valkey: redis.Redis) -> None:
    from exchange.ledger.services import stops

    stop_id = stops.stop(scope="trading", reason="test", now=now())
    order = {"user_id": BOB, "market": "BTC-USDT", "side": "buy", "type": "limit", "quantity": "1", "now": now()}
    with pytest.raises(orders.TradingStopped):
        orders.place_sync(**order)
    stops.lift(stop_id=stop_id, reason="test", actor=1, now=now())
    catalogue.forget()
    with pytest.raises(orders.OrderInvalid):
        orders.place_sync(**order)
    assert not valkey.exists(wire.stream(0))
