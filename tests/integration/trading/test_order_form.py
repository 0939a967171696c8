"""A malformed order names its parameter and goes nowhere; a good one becomes exactly the command it says."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from exchange.core.errors import DomainError
from tests.integration.trading.conftest import BOB, now
from trading import presentation, wire
from trading.engine.commands import Terms
from trading.engine.rules import SelfTrade
from trading.services import catalogue, form, orders

pytestmark = pytest.mark.django_db
LIMIT = {"side": "buy", "type": "limit", "price": "1", "quantity": "1"}
MARKET = {"side": "buy", "type": "market", "quantity": "1"}
STOP = {"side": "sell", "type": "stop", "quantity": "1", "stop_price": "1"}
STOP_LIMIT = {**STOP, "type": "stop_limit", "price": "1"}
STOP_FOR = {"side": "buy", "type": "stop", "quote_amount": "9", "stop_price": "1"}
TRAILING = {"side": "sell", "type": "trailing_stop", "quantity": "1"}
GTD = {**LIMIT, "time_in_force": "GTD", "expires_at": "2030-01-01T00:00:00Z"}


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    catalogue.forget()


def without(order: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in order.items() if key != name}


@pytest.mark.parametrize(
    ("order", "code", "param"),
    [
        ({**LIMIT, "side": "hold"}, "side_invalid", "side"),
        ({**LIMIT, "type": "fancy"}, "type_invalid", "type"),
        ({**LIMIT, "market": "BTC-EUR"}, "market_not_found", "market"),
        ({**LIMIT, "client_order_id": "a b"}, "client_order_id_invalid", "client_order_id"),
        ({**LIMIT, "client_order_id": "x" * 37}, "client_order_id_invalid", "client_order_id"),
        # Price and size
        (without(LIMIT, "price"), "price_required", "price"),
        (without(LIMIT, "quantity"), "quantity_required", "quantity"),
        ({**LIMIT, "price": "0"}, "price_tick", "price"),
        ({**LIMIT, "price": "1.001"}, "amount_precision", "price"),
        ({**LIMIT, "price": "1e5"}, "amount_invalid", "price"),
        ({**LIMIT, "price": "9" * 30}, "amount_range", "price"),
        ({**LIMIT, "quantity": "0"}, "quantity_lot", "quantity"),
        ({**LIMIT, "quantity": "0.00001"}, "amount_precision", "quantity"),
        ({**LIMIT, "quantity": "-1"}, "amount_invalid", "quantity"),
        ({**LIMIT, "quantity": "9" * 30}, "amount_range", "quantity"),
        ({**without(LIMIT, "quantity"), "quote_amount": "5"}, "quantity_required", "quantity"),
        ({**MARKET, "price": "1"}, "price_not_allowed", "price"),
        ({**MARKET, "quote_amount": "1"}, "quantity_ambiguous", "quote_amount"),
        ({**without(MARKET, "quantity"), "quote_amount": "0"}, "notional_too_small", "quote_amount"),
        ({**without(MARKET, "quantity"), "quote_amount": "1" + "0" * 80}, "amount_range", "quote_amount"),
        (without(MARKET, "quantity"), "quantity_required", "quantity"),
        ({**STOP, "price": "1"}, "price_not_allowed", "price"),
        ({**without(STOP, "quantity"), "quote_amount": "5"}, "quantity_required", "quantity"),
        ({**without(STOP_LIMIT, "quantity"), "quote_amount": "5", "side": "buy"}, "quantity_required", "quantity"),
        (without(STOP_LIMIT, "price"), "price_required", "price"),
        # Time in force
        ({**LIMIT, "time_in_force": "DAY"}, "time_in_force_invalid", "time_in_force"),
        ({**MARKET, "time_in_force": "GTC"}, "time_in_force_invalid", "time_in_force"),
        ({**MARKET, "time_in_force": "GTD"}, "time_in_force_invalid", "time_in_force"),
        ({**STOP, "time_in_force": "IOC"}, "time_in_force_invalid", "time_in_force"),
        ({**TRAILING, "trail": "1", "time_in_force": "FOK"}, "time_in_force_invalid", "time_in_force"),
        ({**LIMIT, "expires_at": "2030-01-01T00:00:00Z"}, "expires_at_not_allowed", "expires_at"),
        (without(GTD, "expires_at"), "expires_at_required", "expires_at"),
        ({**GTD, "expires_at": "tomorrow"}, "time_invalid", "expires_at"),
        ({**GTD, "expires_at": "2030-01-01T00:00:00"}, "time_invalid", "expires_at"),
        # Triggers
        (without(STOP, "stop_price"), "stop_price_required", "stop_price"),
        ({**STOP, "stop_price": "0"}, "price_tick", "stop_price"),
        ({**STOP, "stop_price": "1.001"}, "amount_precision", "stop_price"),
        ({**LIMIT, "stop_price": "1"}, "stop_price_not_allowed", "stop_price"),
        ({**TRAILING, "trail": "1", "stop_price": "1"}, "stop_price_not_allowed", "stop_price"),
        (TRAILING, "trail_required", "trail"),
        ({**TRAILING, "trail": "1", "trail_percent": "1"}, "trail_required", "trail"),
        ({**TRAILING, "trail": "0"}, "price_tick", "trail"),
        ({**TRAILING, "trail_percent": "0"}, "trail_invalid", "trail_percent"),
        ({**TRAILING, "trail_percent": "100"}, "trail_invalid", "trail_percent"),
        ({**TRAILING, "trail_percent": "1.00001"}, "amount_precision", "trail_percent"),
        ({**STOP, "trail": "1"}, "trail_not_allowed", "trail"),
        ({**LIMIT, "trail_percent": "1"}, "trail_not_allowed", "trail_percent"),
        # Options
        ({**MARKET, "post_only": True}, "post_only_invalid", "post_only"),
        ({**LIMIT, "post_only": True, "time_in_force": "IOC"}, "post_only_invalid", "post_only"),
        ({**STOP_LIMIT, "post_only": True}, "post_only_invalid", "post_only"),
        ({**LIMIT, "display_quantity": "1"}, "display_quantity_invalid", "display_quantity"),
        ({**LIMIT, "display_quantity": "0"}, "quantity_lot", "display_quantity"),
        ({**LIMIT, "display_quantity": "0.1", "time_in_force": "FOK"}, "display_quantity_invalid", "display_quantity"),
        ({**STOP_LIMIT, "display_quantity": "0.1"}, "display_quantity_invalid", "display_quantity"),
        ({**LIMIT, "self_trade": "allow"}, "self_trade_invalid", "self_trade"),
        ({**LIMIT, "slippage": "1"}, "slippage_not_allowed", "slippage"),
        ({**STOP_LIMIT, "slippage": "1"}, "slippage_not_allowed", "slippage"),
        ({**MARKET, "slippage": "0"}, "slippage_invalid", "slippage"),
        ({**MARKET, "slippage": "100.0001"}, "slippage_invalid", "slippage"),
        ({**MARKET, "slippage": "a bit"}, "amount_invalid", "slippage"),
    ],
)
def test_bad_input_names_its_parameter(order: dict[str, Any], code: str, param: str, valkey: redis.Redis) -> None:
    with pytest.raises(DomainError) as caught:
        orders.place_sync(**{"user_id": BOB, "market": "BTC-USDT", "now": now(), **order})
    assert (caught.value.code, caught.value.param) == (code, param)
    assert not valkey.exists(wire.stream(0))


PAIR = {"side": "sell", "quantity": "1", "price": "3", "stop_price": "1"}


@pytest.mark.parametrize(
    ("changed", "code", "param"),
    [
        ({"side": "both"}, "side_invalid", "side"),
        ({"quantity": "0"}, "quantity_lot", "quantity"),
        ({"price": "0"}, "price_tick", "price"),
        ({"stop_price": "x"}, "amount_invalid", "stop_price"),
        ({"stop_limit_price": "0"}, "price_tick", "stop_limit_price"),
        ({"stop_limit_price": "1", "slippage": "1"}, "slippage_not_allowed", "slippage"),
        ({"time_in_force": "IOC"}, "time_in_force_invalid", "time_in_force"),
        ({"expires_at": "2030-01-01T00:00:00Z"}, "expires_at_not_allowed", "expires_at"),
        ({"self_trade": "no"}, "self_trade_invalid", "self_trade"),
        ({"client_order_id": ""}, "client_order_id_invalid", "client_order_id"),
        ({"market": "BTC-EUR"}, "market_not_found", "market"),
    ],
)
def test_a_bad_pair_names_its_parameter(changed: dict[str, Any], code: str, param: str, valkey: redis.Redis) -> None:
    with pytest.raises(DomainError) as caught:
        orders.place_oco_sync(**{"user_id": BOB, "market": "BTC-USDT", "now": now(), **PAIR, **changed})
    assert (caught.value.code, caught.value.param) == (code, param)
    assert not valkey.exists(wire.stream(0))


HEAD = {"uuid": "01900000-0000-7000-8000-000000000001", "process": "p", "asked_at_ms": 1}


@pytest.mark.parametrize(
    ("order", "terms"),
    [
        (LIMIT, Terms(False, SelfTrade.CANCEL_NEWEST, 0, 0, 0, 0, 0, 0)),
        ({**LIMIT, "post_only": True, "display_quantity": "0.5"}, Terms(True, SelfTrade.CANCEL_NEWEST, 5_000, 0, 0, 0, 0, 0)),
        (GTD, Terms(False, SelfTrade.CANCEL_NEWEST, 0, 0, 0, 0, 0, 1_893_456_000_000_000)),
        ({**MARKET, "slippage": "0.5", "self_trade": "decrement"}, Terms(False, SelfTrade.DECREMENT, 0, 0, 0, 0, 5_000, 0)),
        ({**MARKET, "time_in_force": "FOK"}, Terms(False, SelfTrade.CANCEL_NEWEST, 0, 0, 0, 0, 0, 0)),
        ({**STOP, "self_trade": "cancel_both"}, Terms(False, SelfTrade.CANCEL_BOTH, 0, 100, 0, 0, 0, 0)),
        (STOP_FOR, Terms(False, SelfTrade.CANCEL_NEWEST, 0, 100, 0, 0, 0, 0)),
        ({**STOP_LIMIT, "type": "take_profit_limit"}, Terms(False, SelfTrade.CANCEL_NEWEST, 0, 100, 0, 0, 0, 0)),
        ({**TRAILING, "trail": "2.5"}, Terms(False, SelfTrade.CANCEL_NEWEST, 0, 0, 250, 0, 0, 0)),
        ({**TRAILING, "trail_percent": "1.5"}, Terms(False, SelfTrade.CANCEL_NEWEST, 0, 0, 0, 15_000, 0, 0)),
    ],
)  # fmt: skip
def test_a_good_order_is_one_that_the_decoder_takes(order: dict[str, Any], terms: Terms) -> None:
    view = catalogue.market("BTC-USDT")
    command = wire.decode(form.place(view, user_id=BOB, **order)(**HEAD)).command
    assert command.terms == terms
    assert presentation.KINDS[command.kind] == order["type"]
    assert presentation.TIMES_IN_FORCE[command.time_in_force] == order.get(
        "time_in_force", "IOC" if order["type"] == "market" else "GTC"
    )
    assert (command.price, command.lots) == (100 if "price" in order else 0, 10_000 if "quantity" in order else 0)
    assert command.quote_units == (9_000_000 if "quote_amount" in order else 0)


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
@pytest.mark.parametrize("act", [orders.cancel_sync, orders.amend_sync])
def test_a_cancel_and_an_amend_need_one_order(
    act: Any, reference: dict[str, object], code: str, valkey: redis.Redis
) -> None:
    with pytest.raises(DomainError) as caught:
        act(user_id=BOB, now=now(), **reference)
    assert caught.value.code == code
    assert not valkey.exists(wire.stream(0))


@pytest.mark.parametrize(
    ("items", "code"),
    [([], "batch_size"), ([{"op": "cancel", "order_id": 1}] * 51, "batch_size")],
)
def test_a_batch_has_one_to_fifty_items(items: list[dict[str, Any]], code: str, valkey: redis.Redis) -> None:
    with pytest.raises(DomainError) as caught:
        orders.batch_sync(user_id=BOB, now=now(), items=items)
    assert caught.value.code == code
    assert not valkey.exists(wire.stream(0))


def test_a_bad_item_is_told_apart_from_its_neighbours(valkey: redis.Redis) -> None:
    items: list[dict[str, Any]] = [
        {"op": "steal"},
        {"op": ["place"]},
        {"op": "cancel", "order_id": 1024, "price": "1"},
        {"op": "place", **without(LIMIT, "side"), "market": "BTC-USDT"},
        {"op": "place", **LIMIT, "market": "BTC-USDT", "price": "x"},
        {"op": "amend", "order_id": 2**60, "price": "1"},
    ]
    done = orders.batch_sync(user_id=BOB, now=now(), items=items)
    assert [item.outcome for item in done] == [None] * 6
    assert [(item.error.code, item.error.param) for item in done if item.error] == [
        ("batch_item_invalid", "op"), ("batch_item_invalid", "op"), ("batch_item_invalid", "price"),
        ("batch_item_invalid", "side"), ("amount_invalid", "price"), ("order_not_found", "order_id"),
    ]  # fmt: skip
    assert not valkey.exists(wire.stream(0))


@pytest.mark.parametrize("seconds", [-1, 24 * 3600 + 1])
def test_a_countdown_has_a_range(seconds: int) -> None:
    with pytest.raises(DomainError) as caught:
        orders.countdown_sync(user_id=BOB, now=now(), seconds=seconds)
    assert (caught.value.code, caught.value.param) == ("countdown_invalid", "seconds")


def test_a_cancel_of_all_names_a_real_market_and_side() -> None:
    for given, code in (({"market": "BTC-EUR"}, "market_not_found"), ({"side": "up"}, "side_invalid")):
        with pytest.raises(DomainError) as caught:
            orders.cancel_all_sync(user_id=BOB, now=now(), **given)
        assert caught.value.code == code


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
