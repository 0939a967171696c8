"""The API's door: log-in, the one error shape, limits on size and number, the documentation."""

from __future__ import annotations

import os
import re
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
import requests

from tests.integration.api.conftest import PASSWORD, Customer, Exchange, error

ORDER = {"market": "BTC-USDT", "side": "buy", "type": "limit", "price": "10.00", "quantity": "0.1"}


@pytest.fixture(scope="module")
def ann(exchange: Exchange) -> Customer:
    return exchange.customer("ann")


def browser(exchange: Exchange, email: str) -> requests.Session:
    """Logs in as a browser does: the log-in page's form, cookies, CSRF."""
    session = requests.Session()
    page = session.get(f"{exchange.url}/accounts/login/", timeout=60)
    assert page.status_code == 200
    form = {"login": email, "password": PASSWORD, "csrfmiddlewaretoken": session.cookies["csrftoken"]}
    answer = session.post(f"{exchange.url}/accounts/login/", data=form, allow_redirects=False, timeout=60)
    assert answer.status_code == 302, answer.text
    return session


def test_anybody_may_read_markets_and_the_clock(exchange: Exchange) -> None:
    markets = requests.get(f"{exchange.url}/api/v1/markets", timeout=60).json()["data"]
    assert [market["symbol"] for market in markets] == ["BTC-USDT", "ETH-USDT", "LTC-USDT", "ETH-BTC"]
    assert markets[0]["tick_size"] == "0.01"
    clock = requests.get(f"{exchange.url}/api/v1/time", timeout=60).json()["time"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", clock)


def test_assets_come_with_their_networks_in_decimal_strings(exchange: Exchange) -> None:
    assets = {row["code"]: row for row in requests.get(f"{exchange.url}/api/v1/assets", timeout=60).json()["data"]}
    assert set(assets) == {"BTC", "LTC", "ETH", "USDT", "USD"}
    (bitcoin,) = assets["BTC"]["networks"]
    assert (bitcoin["network"], bitcoin["decimals"]) == ("bitcoin", 8)
    assert isinstance(bitcoin["withdrawal_fee"], str)
    assert assets["USD"]["networks"] == []


@pytest.mark.parametrize(
    "path", ["me", "balances", "orders", "orders/history", "orders/1", "fills", "deposits", "withdrawals"]
)
def test_a_stranger_is_asked_to_log_in(exchange: Exchange, path: str) -> None:
    answer = requests.get(f"{exchange.url}/api/v1/{path}", timeout=60)
    assert answer.status_code == 401
    assert error(answer)["code"] == "not_authenticated"
    assert answer.headers["WWW-Authenticate"] == "Session"


def test_a_stranger_places_no_order_and_withdraws_nothing(exchange: Exchange) -> None:
    for path in ("orders", "withdrawals"):
        answer = requests.post(
            f"{exchange.url}/api/v1/{path}", json=ORDER, headers={"Idempotency-Key": "k"}, timeout=60
        )
        assert (answer.status_code, error(answer)["code"]) == (401, "not_authenticated")


def test_a_session_token_opens_the_door_and_a_wrong_one_does_not(ann: Customer) -> None:
    me = ann.get("me")
    assert (me.status_code, me.json()["email"], me.json()["id"]) == (200, ann.email, ann.user_id)
    wrong = ann.get("me", headers={"X-Session-Token": "x" * 32})
    assert (wrong.status_code, error(wrong)["code"]) == (401, "session_token_invalid")


def test_a_wrong_token_does_not_fall_back_to_a_good_cookie(exchange: Exchange, ann: Customer) -> None:
    session = browser(exchange, ann.email)
    assert session.get(f"{exchange.url}/api/v1/me", timeout=60).status_code == 200
    assert session.get(f"{exchange.url}/api/v1/me", headers={"X-Session-Token": "wrong"}, timeout=60).status_code == 401


def test_a_log_out_ends_the_token(exchange: Exchange) -> None:
    zoe = exchange.customer("zoe")
    assert zoe.get("me").status_code == 200
    requests.delete(f"{exchange.url}/_allauth/app/v1/auth/session", headers={"X-Session-Token": zoe.token}, timeout=60)
    answer = zoe.get("me")
    assert (answer.status_code, error(answer)["code"]) == (401, "session_token_invalid")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "orders"), ("DELETE", "orders/1"), ("DELETE", "orders"), ("PATCH", "orders/1"), ("POST", "orders/oco"),
     ("POST", "orders/batch"), ("POST", "orders/cancel-after"), ("POST", "withdrawals"), ("POST", "deposit-addresses")],
)  # fmt: skip
def test_a_cookie_alone_changes_nothing(exchange: Exchange, ann: Customer, method: str, path: str) -> None:
    session = browser(exchange, ann.email)
    answer = session.request(
        method, f"{exchange.url}/api/v1/{path}", json=ORDER, headers={"Idempotency-Key": "k"}, timeout=60
    )
    assert (answer.status_code, error(answer)["code"]) == (403, "csrf_failed")
    token = {"X-CSRFToken": session.cookies["csrftoken"], "Idempotency-Key": "k2"}
    with_token = session.request(method, f"{exchange.url}/api/v1/{path}", json={}, headers=token, timeout=60)
    assert error(with_token)["code"] != "csrf_failed"


BAD_BODIES: list[tuple[bytes, str, str | None]] = [
    (b"{bad", "malformed_json", None),
    (b"", "malformed_json", None),
    (b"[]", "body_invalid", None),
    (b'"text"', "body_invalid", None),
    (b'{"market":"BTC-USDT"}', "field_required", "side"),
    (b'{"market":"BTC-USDT","side":"buy","type":"limit","price":1,"quantity":"1"}', "amount_invalid", "price"),
    (b'{"market":"BTC-USDT","side":"buy","type":"limit","price":"1","quantity":true}', "amount_invalid", "quantity"),
    (b'{"market":7,"side":"buy","type":"limit","price":"1","quantity":"1"}', "field_invalid", "market"),
    (b'{"market":"BTC-USDT","side":"hold","type":"limit","price":"1","quantity":"1"}', "choice_invalid", "side"),
    (b'{"market":"BTC-USDT","side":"buy","type":"limit","prise":"1","quantity":"1"}', "unknown_field", "prise"),
    (b'{"market":"BTC-USDT","side":"buy","type":"limit","price":null,"quantity":"1"}', "field_required", "price"),
]


@pytest.mark.parametrize(("body", "code", "param"), BAD_BODIES)
def test_a_bad_body_names_what_is_wrong(
    ann: Customer, exchange: Exchange, body: bytes, code: str, param: str | None
) -> None:
    before = exchange.books()
    answer = ann.post("orders", data=body, headers={"Content-Type": "application/json"})
    found = error(answer)
    assert (answer.status_code, found["type"], found["code"], found["param"]) == (400, "invalid_request", code, param)
    assert exchange.books() == before


@pytest.mark.parametrize("path", ["orders", "deposit-addresses"])
def test_both_kinds_of_view_know_the_same_rules(ann: Customer, path: str) -> None:
    """The order path is not REST framework's, so what is common to all is tried on one of each."""
    for body, kind, status, code in (
        (b"{bad", "application/json", 400, "malformed_json"),
        (b"[]", "application/json", 400, "body_invalid"),
        (b'{"nonsense": 1}', "application/json", 400, "unknown_field"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "media_type_unsupported"),
    ):
        answer = ann.post(path, data=body, headers={"Content-Type": kind})
        assert (answer.status_code, error(answer)["code"]) == (status, code)
    answer = ann.post(f"{path}?dry_run=1", json={})
    assert (answer.status_code, error(answer)["code"], error(answer)["param"]) == (400, "unknown_field", "dry_run")
    answer = ann.call("PUT", path, json={})
    assert (answer.status_code, error(answer)["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "path", ["nothing", "orders/x", "withdrawals/5", "markets/BTC-USDT/nothing", "orders/99999999999999999999", "time/"]
)
def test_an_address_that_is_none(ann: Customer, path: str) -> None:
    answer = ann.get(path)
    assert (answer.status_code, error(answer)["type"]) == (404, "not_found")


def test_an_oversized_body_is_refused_before_it_is_stored(exchange: Exchange, ann: Customer) -> None:
    for body in (b"0" * 70_000, (b"0" * 10_000 for _ in range(7))):
        answer = ann.post("orders", data=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, error(answer)["code"]) == (413, "body_too_large")


def test_a_body_that_never_ends_is_cut_off(exchange: Exchange) -> None:
    """A client that sends chunk after chunk is answered as soon as it passes the limit, not when it stops."""
    address = urlsplit(exchange.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        head = f"POST /api/v1/orders HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"2000\r\n" + b"0" * 0x2000 + b"\r\n"
        for _ in range(9):
            connection.sendall(chunk)
        assert connection.recv(200).startswith(b"HTTP/1.1 413 ")


def test_a_host_that_is_not_ours_gets_the_shape_too(exchange: Exchange) -> None:
    answer = requests.get(f"{exchange.url}/api/v1/markets", headers={"Host": "evil.example"}, timeout=60)
    assert (answer.status_code, error(answer)["type"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [("limit=0", "limit_invalid", "limit"), ("limit=201", "limit_invalid", "limit"), ("limit=x", "limit_invalid", "limit"),
     ("cursor=x", "cursor_invalid", "cursor"), ("cursor=99999999999999999999", "cursor_invalid", "cursor"),
     ("page=2", "unknown_field", "page"), ("market=NO-NO", "market_not_found", "market")],
)  # fmt: skip
def test_a_bad_page_is_refused(ann: Customer, query: str, code: str, param: str) -> None:
    answer = ann.get(f"orders/history?{query}")
    assert (error(answer)["code"], error(answer)["param"]) == (code, param)
    assert answer.status_code == (404 if code == "market_not_found" else 400)


def test_limits_are_told_and_then_enforced(exchange: Exchange) -> None:
    """The bucket of withdrawals is the smallest: 60, and one more a minute."""
    bob = exchange.customer("bob")
    first = bob.get("balances")
    assert first.headers["RateLimit-Policy"] == '"customer";q=1200;w=60, "address";q=3000;w=60'
    assert re.fullmatch(r'"customer";r=1199;t=1, "address";r=\d+;t=\d+', first.headers["RateLimit"])
    for attempt in range(61):
        answer = bob.post("withdrawals", json={}, headers={"Idempotency-Key": f"limit-{attempt}"})
        if answer.status_code == 429:
            break
    assert (attempt, error(answer)["code"], error(answer)["type"]) == (60, "rate_limited", "rate_limited")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.headers["RateLimit-Policy"].startswith('"withdrawals";q=60;w=3600, ')
    assert answer.headers["RateLimit"].startswith('"withdrawals";r=0;t=')
    assert bob.get("balances").status_code == 200


def test_a_limited_request_leaves_its_key_free(exchange: Exchange) -> None:
    with exchange.owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM site_pages_idempotency_key WHERE key = 'limit-60'")
        assert cursor.fetchone() == (0,)


def test_the_documentation_stands_without_another_host(exchange: Exchange) -> None:
    page = requests.get(f"{exchange.url}/api/v1/docs", timeout=60)
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    for operation in ("place_order", "request_withdrawal", "book"):
        assert f'id="{operation}"' in page.text
    loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', page.text)
    assert loaded
    assert [address for address in loaded if address.startswith(("http:", "https:", "//"))] == []


def described(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_described_address_answers(exchange: Exchange, ann: Customer) -> None:
    """Nothing is described that does not stand: each answers with something other than "no such address" or "no such method"."""
    document = requests.get(f"{exchange.url}/api/v1/openapi.json", timeout=60).json()
    operations = described(document)
    assert len(operations) >= 28
    for method, path, _operation in operations:
        filled = path.replace("{symbol}", "BTC-USDT").replace("{order_id}", "1").replace("{client_order_id}", "none")
        filled = filled.replace("{entry_id}", "1").replace("{device_id}", "1")
        filled = re.sub(r"\{\w+_id\}", "00000000-0000-7000-8000-000000000000", filled).removeprefix("/api/v1/")
        answer = ann.call(method.upper(), filled, json={} if method == "post" else None)
        if answer.status_code == 204:
            continue
        code = answer.json().get("error", {}).get("code")
        assert code not in ("not_found", "method_not_allowed", "internal"), (method, path, answer.text)


def test_the_document_is_made_without_a_warning() -> None:
    from drf_spectacular.drainage import GENERATOR_STATS

    from exchange.site.api import views

    views.document.cache_clear()
    GENERATOR_STATS.reset()
    with GENERATOR_STATS.silence():
        views.document()
    assert not GENERATOR_STATS


def test_every_operation_describes_the_error_shape(exchange: Exchange) -> None:
    document = requests.get(f"{exchange.url}/api/v1/openapi.json", timeout=60).json()
    for method, path, operation in described(document):
        assert operation["responses"]["default"]["content"]["application/json"]["schema"] == {
            "$ref": "#/components/schemas/Error"
        }
        assert operation["summary"], (method, path)


def test_a_database_that_restarts_fails_nobody(exchange: Exchange, ann: Customer) -> None:
    """The API's threads keep their connections; one that was cut while it rested is noticed before it is used."""
    for _ in range(10):
        assert ann.get("me").status_code == 200
    time.sleep(1.2)
    own = psycopg2.connect(os.environ["DATABASE_URL"])
    with own, own.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
        )
        row = cursor.fetchone()
    own.close()
    assert row is not None
    assert row[0] >= 1
    assert [ann.get("me").status_code for _ in range(12)] == [200] * 12
