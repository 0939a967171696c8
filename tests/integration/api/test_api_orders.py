"""Every kind of order and command over REST: what it takes, what it answers, what it refuses, and whose it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from exchange.core.times import iso
from tests.integration.api.conftest import Customer, Exchange, error

BTC, USDT = 1, 4
MARKET = "BTC-USDT"


@pytest.fixture(scope="module")
def ann(trading: Exchange) -> Customer:
    """Has bitcoin and dollars; somebody has traded at 60,000, so that orders that follow the last price have one."""
    ann, bob = trading.customer("ann"), trading.customer("bob")
    for customer in (ann, bob):
        trading.fund(customer, BTC, 10 * 10**8)
        trading.fund(customer, USDT, 1_000_000 * 10**6)
    assert ann.post("orders", limit("sell", "60000", "0.1")).status_code == 201
    assert bob.post("orders", limit("buy", "60000", "0.1")).json()["state"] == "filled"
    return ann


@pytest.fixture(scope="module")
def eve(trading: Exchange) -> Customer:
    return trading.customer("eve")


@pytest.fixture(autouse=True)
def _nothing_is_left(ann: Customer, trading: Exchange) -> Iterator[None]:
    yield
    answer = ann.delete("orders")
    assert answer.status_code == 200, answer.text
    assert trading.books()[1] == 0, "something is held for no order"


def limit(side: str, price: str, quantity: str, **more: Any) -> dict[str, Any]:
    return {"market": MARKET, "side": side, "type": "limit", "price": price, "quantity": quantity, **more}


def order(type: str, side: str = "sell", **more: Any) -> dict[str, Any]:
    return {"market": MARKET, "side": side, "type": type, **more}


def later(seconds: float) -> str:
    return iso(datetime.now(UTC) + timedelta(seconds=seconds))


EVERY_KIND: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    (limit("sell", "61000", "0.1"), "open", {"time_in_force": "GTC", "post_only": False, "self_trade": "cancel_newest"}),
    (limit("sell", "61000", "0.1", time_in_force="IOC"), "cancelled", {"reason": "no_liquidity"}),
    (limit("sell", "61000", "0.1", time_in_force="FOK"), "cancelled", {"reason": "not_fillable"}),
    (limit("sell", "61000", "0.1", time_in_force="GTD", expires_at="2099-12-31T23:59:59Z"), "open",
     {"expires_at": "2099-12-31T23:59:59.000000Z"}),
    (limit("sell", "61000", "0.1", post_only=True, self_trade="decrement"), "open",
     {"post_only": True, "self_trade": "decrement"}),
    (limit("sell", "61000", "0.1", display_quantity="0.01"), "open", {"display_quantity": "0.01"}),
    (order("market", quantity="0.1", slippage="0.5"), "cancelled", {"reason": "no_liquidity", "slippage": "0.5"}),
    (order("market", "buy", quote_amount="100"), "cancelled", {"quote_amount": "100", "quantity": None}),
    (order("stop", stop_price="50000", quantity="0.1"), "pending", {"stop_price": "50000", "price": None}),
    (order("stop_limit", stop_price="50000", price="49900", quantity="0.1"), "pending", {"price": "49900"}),
    (order("take_profit", stop_price="70000", quantity="0.1"), "pending", {"stop_price": "70000"}),
    (order("take_profit_limit", stop_price="70000", price="69900", quantity="0.1"), "pending", {"price": "69900"}),
    (order("trailing_stop", trail="500", quantity="0.1"), "pending", {"trail": "500", "stop_price": "59500"}),
    (order("trailing_stop", trail_percent="1.5", quantity="0.1"), "pending",
     {"trail_percent": "1.5", "stop_price": "59100"}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "state", "shown"), EVERY_KIND)
def test_every_kind_is_placed_and_shown_as_it_was_asked_for(
    ann: Customer, body: dict[str, Any], state: str, shown: dict[str, Any]
) -> None:
    answer = ann.post("orders", body)
    assert answer.status_code == 201, answer.text
    placed = answer.json()
    assert placed["state"] == state
    assert {name: placed[name] for name in shown} == shown
    for name in ("side", "type", "price", "quantity", "stop_price"):
        assert name not in body or placed[name] == body[name]
    assert ann.get(f"orders/{placed['id']}").json() == placed


def test_an_order_is_amended_and_less_keeps_its_place(ann: Customer) -> None:
    first = ann.post("orders", limit("sell", "61000", "0.3", client_order_id=f"amend-{time.time_ns()}")).json()
    less = ann.call("PATCH", f"orders/{first['id']}", json={"quantity": "0.2"})
    assert (less.status_code, less.json()["quantity"], less.json()["id"]) == (200, "0.2", first["id"])
    dearer = ann.call("PATCH", f"orders/by-client-id/{first['client_order_id']}", json={"price": "62000"})
    assert (dearer.status_code, dearer.json()["price"], dearer.json()["quantity"]) == (200, "62000", "0.2")
    for body, code, param in (
        ({}, "amend_empty", "quantity"),
        ({"side": "buy"}, "unknown_field", "side"),
        ({"quantity": 1}, "amount_invalid", "quantity"),
        ({"price": "0.001"}, "amount_precision", "price"),
        ({"stop_price": "50000"}, "amend_not_possible", None),
    ):
        answer = ann.call("PATCH", f"orders/{first['id']}", json=body)
        assert (error(answer)["code"], error(answer)["param"]) in ((code, param), (code, "stop_price"))
    assert ann.get(f"orders/{first['id']}").json() == dearer.json()


def test_of_a_pair_one_cancels_the_other(ann: Customer, trading: Exchange) -> None:
    body = {"market": MARKET, "side": "sell", "quantity": "0.1", "price": "70000", "stop_price": "50000"}
    answer = ann.post("orders/oco", body)
    assert answer.status_code == 201, answer.text
    pair = answer.json()
    assert (pair["limit"]["state"], pair["stop"]["state"]) == ("open", "pending")
    assert (pair["limit"]["oco_order_id"], pair["stop"]["oco_order_id"]) == (pair["stop"]["id"], pair["limit"]["id"])
    assert ann.delete(f"orders/{pair['stop']['id']}").json()["reason"] == "user"
    assert ann.get(f"orders/{pair['limit']['id']}").json()["reason"] == "oco"


@pytest.mark.parametrize("path", ["orders", "orders/oco", "orders/batch"])
def test_a_key_makes_each_of_them_happen_once(ann: Customer, trading: Exchange, path: str) -> None:
    body: dict[str, Any] = limit("sell", "65000", "0.1")
    if path == "orders/oco":
        body = {"market": MARKET, "side": "sell", "quantity": "0.1", "price": "65000", "stop_price": "50000"}
    elif path == "orders/batch":
        body = {"orders": [{"op": "place", **body}, {"op": "place", **body}]}
    key = {"Idempotency-Key": f"once-{path}"}
    first, second = ann.post(path, body, headers=key), ann.post(path, body, headers=key)
    assert first.status_code in (200, 201), first.text
    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(ann.get("orders").json()["data"]) == {"orders": 1, "orders/oco": 2, "orders/batch": 2}[path]
    with trading.owner.cursor() as cursor:  # as a kill between the orders and their answer leaves it
        cursor.execute(
            "UPDATE site_pages_idempotency_key SET status = NULL, answer = '', started_at = started_at - interval '61 s' "
            "WHERE key = %s",
            (key["Idempotency-Key"],),
        )
    assert ann.post(path, body, headers=key).status_code == 200
    assert len(ann.get("orders").json()["data"]) == {"orders": 1, "orders/oco": 2, "orders/batch": 2}[path]


def test_a_batch_does_each_and_says_what_became_of_each(ann: Customer) -> None:
    own = f"batch-{time.time_ns()}"
    assert ann.post("orders", limit("sell", "61000", "0.2", client_order_id=own)).status_code == 201
    commands = [
        {"op": "place", **limit("sell", "61000", "0.1")},
        {"op": "place", **limit("sell", "61000", "9999")},
        {"op": "place", **limit("sell", "61000.001", "0.1")},
        {"op": "place", "market": MARKET},
        {"op": "amend", "client_order_id": own, "quantity": "0.05"},
        {"op": "cancel", "order_id": 1024 * 10**9},
        {"op": "explode"},
        7,
    ]
    answer = ann.post("orders/batch", {"orders": commands})
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert [outcome["error"]["code"] if "error" in outcome else outcome["order"]["state"] for outcome in data] == [
        "open", "insufficient_funds", "amount_precision", "field_required", "open", "order_not_found",
        "choice_invalid", "body_invalid",
    ]  # fmt: skip
    assert data[4]["order"]["quantity"] == "0.05"


@pytest.mark.parametrize("orders", [[], [{"op": "cancel", "order_id": 1}] * 51, {}, "x", None, 7])
def test_a_batch_has_one_to_fifty(ann: Customer, orders: Any) -> None:
    answer = ann.post("orders/batch", {"orders": orders})
    assert (answer.status_code, error(answer)["code"], error(answer)["param"]) == (400, "batch_size", "orders")


def test_fifty_at_once(ann: Customer) -> None:
    orders = [{"op": "place", **limit("sell", f"{70000 + number}", "0.01")} for number in range(50)]
    data = ann.post("orders/batch", {"orders": orders}).json()["data"]
    assert [outcome["order"]["price"] for outcome in data] == [item["price"] for item in orders]


def test_cancel_all_by_market_and_by_side(ann: Customer, trading: Exchange) -> None:
    for body in (
        limit("sell", "61000", "0.1"),
        limit("buy", "59000", "0.1"),
        {**limit("buy", "0.05", "0.1"), "market": "ETH-BTC"},
        order("stop", stop_price="50000", quantity="0.1"),
    ):
        assert ann.post("orders", body).status_code == 201
    assert ann.delete("orders?market=ETH-USDT").json() == {"cancelled": 0}
    assert ann.delete("orders?market=ETH-BTC").json() == {"cancelled": 1}
    assert ann.delete("orders?side=buy").json() == {"cancelled": 1}
    assert ann.delete("orders").json() == {"cancelled": 2}
    for query, code, param in (
        ("market=NO-NO", "market_not_found", "market"),
        ("side=both", "choice_invalid", "side"),
        ("all=1", "unknown_field", "all"),
        ("side=buy&side=sell", "unknown_field", "side"),
    ):
        answer = ann.delete(f"orders?{query}")
        assert (error(answer)["code"], error(answer)["param"]) == (code, param)


def test_the_dead_mans_switch_cancels_what_nobody_renews(ann: Customer) -> None:
    placed = ann.post("orders", limit("sell", "61000", "0.1")).json()
    assert ann.post("orders/cancel-after", {"seconds": 60}).json()["cancel_at"] > later(50)
    assert ann.post("orders/cancel-after", {"seconds": 0}).json() == {"cancel_at": None}
    assert ann.get(f"orders/{placed['id']}").json()["state"] == "open"
    ann.post("orders/cancel-after", {"seconds": 1})
    deadline = time.monotonic() + 60
    while (shown := ann.get(f"orders/{placed['id']}").json())["state"] == "open":
        assert time.monotonic() < deadline, "nobody cancelled it"
        time.sleep(0.1)
    assert (shown["state"], shown["reason"]) == ("cancelled", "disconnect")
    for body, param in (({}, "seconds"), ({"seconds": -1}, "seconds"), ({"seconds": "60"}, "seconds"),
                        ({"seconds": 86_401}, "seconds"), ({"seconds": True}, "seconds")):  # fmt: skip
        answer = ann.post("orders/cancel-after", body)
        assert (answer.status_code, error(answer)["param"]) == (400, param)


def test_history_is_narrowed_by_every_filter(ann: Customer) -> None:
    began = later(0)
    sell = ann.post("orders", limit("sell", "61000", "0.1")).json()
    stop = ann.post("orders", order("stop", "buy", stop_price="70000", quantity="0.1")).json()
    ann.delete(f"orders/{sell['id']}")

    def ids(query: str) -> list[int]:
        answer = ann.get(f"orders/history?since={began}&{query}")
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()["data"]]

    assert ids("") == [stop["id"], sell["id"]]
    assert ids("side=sell") == ids("state=cancelled") == ids("type=limit") == [sell["id"]]
    assert ids("state=pending") == ids("type=stop") == [stop["id"]]
    assert ids("state=expired") == ids("market=ETH-BTC") == ids(f"until={began}") == []
    assert [row["id"] for row in ann.get("orders?side=buy").json()["data"]] == [stop["id"]]
    for query, code, param in (("state=gone", "choice_invalid", "state"), ("since=now", "time_invalid", "since"),
                               ("type=x", "choice_invalid", "type")):  # fmt: skip
        answer = ann.get(f"orders/history?{query}")
        assert (answer.status_code, error(answer)["code"], error(answer)["param"]) == (400, code, param)


def test_fills_of_one_order_and_fees_of_every_market(ann: Customer) -> None:
    fill = ann.get("fills").json()["data"][0]
    assert [row["id"] for row in ann.get(f"fills?order_id={fill['order_id']}").json()["data"]] == [fill["id"]]
    assert ann.get(f"fills?until={fill['time']}").json()["data"] == []
    assert error(ann.get("fills?order_id=x"))["param"] == "order_id"
    fees = ann.get("fees").json()
    assert {row["market"] for row in fees["markets"]} == {"BTC-USDT", "ETH-USDT", "LTC-USDT", "ETH-BTC"}
    assert fees["currency"] == "USD"


def test_bad_orders_hold_nothing_and_name_the_field(ann: Customer, trading: Exchange) -> None:
    before = trading.books()
    huge = "9" * 90
    for body, code, param in (
        (order("stop", quantity="0.1"), "stop_price_required", "stop_price"),
        (limit("sell", "61000", "0.1", stop_price="1"), "stop_price_not_allowed", "stop_price"),
        (order("trailing_stop", quantity="0.1"), "trail_required", "trail"),
        (order("trailing_stop", quantity="0.1", trail="1", trail_percent="1"), "trail_required", "trail"),
        (limit("sell", "61000", "0.1", time_in_force="GTD"), "expires_at_required", "expires_at"),
        (limit("sell", "61000", "0.1", time_in_force="GTD", expires_at="2001-01-01T00:00:00Z"), "already_expired", "expires_at"),
        (limit("sell", "61000", "0.1", time_in_force="GTD", expires_at="soon"), "time_invalid", "expires_at"),
        (limit("sell", "61000", "0.1", expires_at="2099-01-01T00:00:00Z"), "expires_at_not_allowed", "expires_at"),
        (limit("sell", "61000", "0.1", post_only="yes"), "field_invalid", "post_only"),
        (limit("sell", "61000", "0.1", post_only=1), "field_invalid", "post_only"),
        (limit("sell", "61000", "0.1", time_in_force="IOC", post_only=True), "post_only_invalid", "post_only"),
        (limit("sell", "61000", "0.1", display_quantity="0.1"), "display_quantity_invalid", "display_quantity"),
        (limit("sell", "61000", "0.1", self_trade="never"), "choice_invalid", "self_trade"),
        (limit("sell", "61000", "0.1", slippage="1"), "slippage_not_allowed", "slippage"),
        (order("market", quantity="0.1", slippage="x"), "amount_invalid", "slippage"),
        (order("stop", stop_price="61000", quantity="0.1"), "stop_would_trigger", "stop_price"),
        (limit("sell", huge, "0.1"), "amount_range", "price"),
        (limit("sell", "61000", huge), "amount_range", "quantity"),
        (limit("sell", "61000", "0.1", client_order_id="a b"), "client_order_id_invalid", "client_order_id"),
        (limit("sell", "61000", "0.1", client_order_id="x" * 37), "field_too_long", "client_order_id"),
        ({**limit("sell", "61000", "0.1"), "market": "btc-usdt"}, "market_not_found", "market"),
        ({"orders": []}, "unknown_field", "orders"),
    ):  # fmt: skip
        answer = ann.post("orders", body)
        found = error(answer)
        assert (found["code"], found["param"]) == (code, param), (body, answer.text)
        assert 400 <= answer.status_code < 500
    assert trading.books() == before


def examples(trading: Exchange) -> Iterator[tuple[str, str, Any]]:
    document = requests.get(f"{trading.url}/api/v1/openapi.json", timeout=60).json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            for example in body.get("examples", {}).values():
                yield method.upper(), path.removeprefix("/api/v1/"), example["value"]


def test_every_example_of_the_document_is_taken(ann: Customer, trading: Exchange) -> None:
    known = ann.post("orders", limit("sell", "61000", "0.1", client_order_id="spring-0")).json()
    taken = [
        (path, ann.call(method, path.replace("{order_id}", str(known["id"])), json=body))
        for method, path, body in examples(trading)
        # Of a customer whose level may rise: test_api_verification.py; of a house that sends pushes: test_api_notifications.py.
        if not path.startswith(("kyc/", "push-devices"))
    ]
    assert len(taken) >= 16
    for path, answer in taken:
        assert answer.status_code in (200, 201), (path, answer.text)
        for outcome in answer.json().get("data", []) if path == "orders/batch" else ():
            assert "order" in outcome, outcome


def touch(which: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """Every way in which somebody might reach an order by its name."""
    by_id, own = f"orders/{which['id']}", f"orders/by-client-id/{which['client_order_id']}"
    return [
        ("GET", by_id, None), ("GET", own, None), ("DELETE", by_id, None), ("DELETE", own, None),
        ("PATCH", by_id, {"quantity": "0.05"}), ("PATCH", own, {"price": "62000"}),
    ]  # fmt: skip


def test_a_second_account_touches_nothing_of_the_first(ann: Customer, eve: Customer, trading: Exchange) -> None:
    hers = ann.post("orders", limit("sell", "61000", "0.1", client_order_id=f"mine-{time.time_ns()}")).json()
    for method, path, body in touch(hers):
        answer = eve.call(method, path, json=body)
        assert (answer.status_code, error(answer)["code"]) == (404, "order_not_found"), (method, path)
    batch = [{"op": op, name: hers[field], **more}
             for op, more in (("cancel", {}), ("amend", {"quantity": "0.05"}))
             for name, field in (("order_id", "id"), ("client_order_id", "client_order_id"))]  # fmt: skip
    for outcome in eve.post("orders/batch", {"orders": batch}).json()["data"]:
        assert outcome["error"]["code"] == "order_not_found"
    assert eve.delete("orders").json() == {"cancelled": 0}
    assert eve.post("orders/cancel-after", {"seconds": 1}).status_code == 200
    for path in ("orders", "orders/history", "fills", f"fills?order_id={hers['id']}"):
        assert eve.get(path).json()["data"] == []
    time.sleep(1.5)
    assert ann.get(f"orders/{hers['id']}").json() == hers


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "orders"), ("DELETE", "orders"), ("POST", "orders/oco"), ("POST", "orders/batch"),
     ("POST", "orders/cancel-after"), ("PATCH", "orders/1024"), ("DELETE", "orders/1024"), ("PATCH", "orders/by-client-id/x"),
     ("DELETE", "orders/by-client-id/x"), ("GET", "fees")],
)  # fmt: skip
def test_a_stranger_is_turned_away_everywhere(trading: Exchange, method: str, path: str) -> None:
    url = f"{trading.url}/api/v1/{path}"
    nobody = requests.request(method, url, json={}, timeout=60)
    assert (nobody.status_code, error(nobody)["code"]) == (401, "not_authenticated")
    wrong = requests.request(method, url, json={}, headers={"X-Session-Token": "wrong"}, timeout=60)
    assert (wrong.status_code, error(wrong)["code"]) == (401, "session_token_invalid")


def test_an_ended_log_in_orders_nothing_more_at_once(trading: Exchange) -> None:
    """It was used a moment ago, so this process would have trusted it for some seconds."""
    zoe = trading.customer(f"zoe-{time.time_ns()}")
    second = Customer(zoe.url, zoe.user_id, zoe.email, trading.log_in(zoe.email))
    for customer in (zoe, second):
        assert error(customer.delete("orders/1024"))["code"] == "order_not_found"
    requests.delete(f"{trading.url}/_allauth/app/v1/auth/session", headers={"X-Session-Token": zoe.token}, timeout=60)
    assert error(zoe.delete("orders/1024"))["code"] == "session_token_invalid"
    assert error(second.delete("orders/1024"))["code"] == "order_not_found"
    change = {"current_password": "correct horse battery staple", "new_password": "another horse battery staple"}
    third = Customer(zoe.url, zoe.user_id, zoe.email, trading.log_in(zoe.email))
    assert error(third.delete("orders/1024"))["code"] == "order_not_found"
    changed = requests.post(
        f"{trading.url}/_allauth/app/v1/account/password/change", json=change,
        headers={"X-Session-Token": third.token}, timeout=60,
    )  # fmt: skip
    assert changed.status_code == 200, changed.text
    assert error(second.delete("orders/1024"))["code"] == "session_token_invalid"


def test_the_orders_limit_counts_a_batch_by_its_size(trading: Exchange) -> None:
    """600 in ten seconds, over REST; a batch of fifty is fifty."""
    max_ = trading.customer(f"max-{time.time_ns()}")
    batch = {"orders": [{"op": "none"}] * 50}  # refused before anybody is asked: quicker than the limit refills
    answers = [max_.post("orders/batch", batch) for _ in range(20)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert 1 <= len(refused) <= 8
    assert error(refused[0])["code"] == "rate_limited"
    assert int(refused[0].headers["Retry-After"]) >= 1
    assert '"orders";q=600;w=10' in refused[0].headers["RateLimit-Policy"]
