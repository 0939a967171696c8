"""API keys at the door: what is signed, by whom, when and from where; and that nothing else opens it."""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.utils import timezone

from exchange.accounts.keys import services
from exchange.accounts.models import ApiKey, User
from tests.integration.api.bots import Bot, bot, remembering
from tests.integration.api.conftest import Customer, Exchange, error

HERE = ("127.0.0.0/16",)
KINDS = ("hmac", "ed25519")
ORDER = {"market": "BTC-USDT", "side": "buy", "type": "limit", "price": "10.00", "quantity": "0.1"}


@pytest.fixture(scope="module", autouse=True)
def memory(exchange: Exchange) -> None:
    remembering(exchange)


@pytest.fixture(scope="module")
def ann(exchange: Exchange) -> Customer:
    return exchange.customer("ann")


@pytest.fixture(scope="module", params=KINDS)
def program(ann: Customer, request: pytest.FixtureRequest) -> Bot:
    return bot(ann, request.param, trade=True)


def refused(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, error(answer)["code"]


def test_a_signed_request_is_its_customers(program: Bot) -> None:
    me = program.get("me")
    assert (me.status_code, me.json()["id"]) == (200, program.user_id)
    page = program.get("orders/history?limit=2&state=open")
    assert page.status_code == 200


def test_milliseconds_and_microseconds_and_a_window_of_ones_own(program: Bot) -> None:
    now_us = time.time_ns() // 1_000
    assert program.get("me", signed={"at_us": now_us // 1_000}).status_code == 200
    assert program.get("me", signed={"at_us": now_us - 30_000_000, "window": 60_000}).status_code == 200
    assert refused(program.get("me", signed={"window": 60_001})) == (401, "signature_malformed")


@pytest.mark.parametrize(
    ("method", "path", "body", "signed"),
    [
        ("GET", "me", None, {"target": "/api/v1/balances"}),
        ("GET", "me", None, {"target": "/api/v1/me?"}),  # signed as without a query: what the two have in common passes
        ("GET", "orders/history?limit=2", None, {"target": "/api/v1/orders/history?limit=3"}),
        ("GET", "orders/history?limit=2", None, {"target": "/api/v1/orders/history"}),
        ("GET", "orders/history?limit=2&state=open", None, {"target": "/api/v1/orders/history?state=open&limit=2"}),
        ("GET", "me", None, {"method": "POST"}),
        ("POST", "orders", ORDER, {"method": "GET"}),
        ("POST", "orders", ORDER, {"body": json.dumps({**ORDER, "quantity": "0.2"}).encode()}),
        ("POST", "orders", ORDER, {"body": b""}),
        ("POST", "orders", ORDER, {"target": "/api/v1/orders/oco"}),
        ("POST", "withdrawals/quote", {}, {"target": "/api/v1/withdrawals"}),
        ("DELETE", "orders/1", None, {"target": "/api/v1/orders/2"}),
        ("DELETE", "orders", None, {"target": "/api/v1/orders?market=BTC-USDT"}),
    ],
)
def test_a_signature_is_of_this_very_request(
    program: Bot, method: str, path: str, body: Any, signed: dict[str, Any]
) -> None:
    answer = program.call(method, path, body, signed=signed)
    if signed.get("target", "").endswith("?"):
        assert answer.status_code == 200
        return
    assert refused(answer) == (401, "key_invalid")


def test_what_a_window_says_is_signed(program: Bot) -> None:
    """Whoever catches a request cannot make it good for longer."""
    told = program.headers("GET", "/api/v1/me", at_us=time.time_ns() // 1_000 - 20_000_000)
    assert refused(requests.get(f"{program.url}/api/v1/me", headers=told, timeout=60)) == (
        401,
        "timestamp_out_of_window",
    )
    longer = {**told, "X-Bourse-Window": "60000"}
    assert refused(requests.get(f"{program.url}/api/v1/me", headers=longer, timeout=60)) == (401, "key_invalid")


@pytest.mark.parametrize("skew_s", [-3600, -90, 90, 3600])
def test_a_clock_that_is_wrong_is_told_the_time(program: Bot, skew_s: int) -> None:
    answer = program.get("me", signed={"at_us": time.time_ns() // 1_000 + skew_s * 1_000_000})
    assert refused(answer) == (401, "timestamp_out_of_window")
    assert error(answer)["param"] == "X-Bourse-Timestamp"
    assert str(time.time_ns() // 10**15) in error(answer)["message"]


def test_what_is_unknown_revoked_or_badly_signed_looks_the_same(ann: Customer, program: Bot) -> None:
    stranger = Bot(program.url, 0, "bk_" + "0" * 24, program.secret)
    gone = bot(ann)
    assert gone.get("me").status_code == 200
    services.revoke(user_id=ann.user_id, key_id=gone.key_id, now=timezone.now())
    forged = Bot(program.url, 0, program.key_id, bytes(32))
    answers = [each.get("me") for each in (stranger, gone, forged)]
    assert {answer.text for answer in answers} == {answers[0].text}
    assert refused(answers[0]) == (401, "key_invalid")


def test_the_other_kind_of_signature_is_none(ann: Customer) -> None:
    """An Ed25519 public key is public: it is no HMAC secret."""
    key = bot(ann, "ed25519")
    public = bytes(ApiKey.objects.get(key_id=key.key_id).public_key)
    assert refused(Bot(key.url, 0, key.key_id, public).get("me")) == (401, "key_invalid")


def test_an_expired_key_says_so_to_its_holder_alone(ann: Customer) -> None:
    key = bot(ann, expires_at=timezone.now() + timedelta(days=1))
    assert key.get("me").status_code == 200
    past = timezone.now() - timedelta(days=3)
    ApiKey.objects.filter(key_id=key.key_id).update(created_at=past, expires_at=past + timedelta(days=1))
    User.objects.get(pk=ann.user_id).save()  # read again at once
    assert refused(key.get("me")) == (401, "key_expired")
    assert refused(Bot(key.url, 0, key.key_id, bytes(32)).get("me")) == (401, "key_invalid")


def test_the_same_request_passes_once_however_many_arrive_together(program: Bot) -> None:
    told = program.headers("GET", "/api/v1/me", window=60_000)

    def send(_: int) -> str:
        answer = requests.get(f"{program.url}/api/v1/me", headers=told, timeout=60)
        return "passed" if answer.status_code == 200 else str(error(answer)["code"])

    with ThreadPoolExecutor(100) as threads:
        seen = Counter(threads.map(send, range(100)))
    assert seen == {"passed": 1, "signature_replayed": 99}


def test_a_replayed_order_is_refused_before_anything_is_looked_at(exchange: Exchange, program: Bot) -> None:
    body = json.dumps({"nonsense": 1}).encode()
    told = {**program.headers("POST", "/api/v1/orders", body, window=60_000), "Content-Type": "application/json"}
    first, second = (requests.post(f"{program.url}/api/v1/orders", data=body, headers=told, timeout=60) for _ in "12")
    assert refused(first) == (400, "unknown_field")
    assert refused(second) == (401, "signature_replayed")


def raw(url: str, headers: list[tuple[str, str]], path: str = "/api/v1/me") -> int:
    """Headers as they are, two of a name or not."""
    line = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    line.putrequest("GET", path)
    for name, value in headers:
        line.putheader(name, value)
    line.endheaders()
    status = line.getresponse().status
    line.close()
    return status


def test_a_header_counts_once_and_in_one_spelling(program: Bot) -> None:
    def told() -> list[tuple[str, str]]:
        return list(program.headers("GET", "/api/v1/me").items())

    assert raw(program.url, told()) == 200
    for twice in ("X-Bourse-Key", "X-Bourse-Timestamp", "X-Bourse-Signature"):
        headers = told()
        again = next(pair for pair in headers if pair[0] == twice)
        assert raw(program.url, [*headers, again]) == 401
        assert raw(program.url, [*headers, (twice.upper(), "other")]) == 401
        assert raw(program.url, [pair for pair in headers if pair[0] != twice]) == 401
        assert raw(program.url, [(name.replace("-", "_"), value) for name, value in headers]) == 401
    assert raw(program.url, [*told(), ("X-Bourse-Window", "5000"), ("X-Bourse-Window", "60000")]) == 401


def test_a_signature_has_one_spelling(program: Bot) -> None:
    told = program.headers("GET", "/api/v1/me")
    signature = told["X-Bourse-Signature"]
    other = signature.upper() if len(signature) == 64 else signature.rstrip("=")
    answer = requests.get(f"{program.url}/api/v1/me", headers={**told, "X-Bourse-Signature": other}, timeout=60)
    assert refused(answer) == (401, "signature_malformed")


def test_a_key_beside_a_session_is_refused_and_falls_back_to_none(ann: Customer, program: Bot) -> None:
    both = {**program.headers("GET", "/api/v1/me"), "X-Session-Token": ann.token}
    assert refused(requests.get(f"{ann.url}/api/v1/me", headers=both, timeout=60)) == (401, "signature_malformed")
    wrong = {**program.headers("GET", "/api/v1/other"), "Cookie": f"sessionid={ann.token}"}
    assert refused(requests.get(f"{ann.url}/api/v1/me", headers=wrong, timeout=60)) == (401, "key_invalid")


# --- Scopes ----------------------------------------------------------------------------------------------------------


def test_a_key_does_what_its_scopes_say_and_no_more(ann: Customer) -> None:
    reader = bot(ann)
    assert reader.get("balances").status_code == 200
    for method, path, scope in (
        ("POST", "orders", "trade"), ("POST", "orders/oco", "trade"), ("POST", "orders/batch", "trade"),
        ("DELETE", "orders", "trade"), ("DELETE", "orders/1", "trade"), ("PATCH", "orders/1", "trade"),
        ("POST", "orders/cancel-after", "trade"), ("POST", "deposit-addresses", "trade"), ("POST", "invoices", "trade"),
        ("POST", "withdrawals", "withdraw"),
        ("POST", "withdrawals/00000000-0000-7000-8000-000000000000/cancel", "withdraw"),
    ):  # fmt: skip
        answer = reader.call(method, path, {}, Idempotency_Key="k")
        assert refused(answer) == (403, "scope_missing"), path
        assert error(answer)["param"] == scope
    trader = bot(ann, trade=True)
    assert refused(trader.post("withdrawals", Idempotency_Key="k")) == (403, "scope_missing")
    withdrawer = bot(ann, withdraw=True, networks=HERE)
    assert refused(withdrawer.post("orders", ORDER)) == (403, "scope_missing")


def test_no_key_manages_keys_or_where_coins_may_go(ann: Customer) -> None:
    mighty = bot(ann, trade=True, withdraw=True, networks=HERE)
    for method, path in (
        ("GET", "api-keys"), ("POST", "api-keys"), ("PATCH", f"api-keys/{mighty.key_id}"),
        ("DELETE", f"api-keys/{mighty.key_id}"), ("POST", "withdrawal-addresses"), ("PUT", "withdrawal-mode"),
        ("PATCH", "withdrawal-addresses/1"), ("DELETE", "withdrawal-addresses/1"),
    ):  # fmt: skip
        assert refused(mighty.call(method, path, {})) == (403, "key_not_allowed"), path


def test_a_key_that_withdraws_reaches_the_withdrawal(ann: Customer) -> None:
    key = bot(ann, withdraw=True, networks=HERE)
    answer = key.post("withdrawals", {"nonsense": 1}, Idempotency_Key="by-key")
    assert refused(answer) == (400, "unknown_field")
    assert refused(key.post("withdrawals", {"nonsense": 1})) == (400, "idempotency_key_missing")


# --- From where ------------------------------------------------------------------------------------------------------


def test_a_key_is_taken_from_its_networks_alone(ann: Customer) -> None:
    elsewhere = bot(ann, networks=("203.0.113.7", "2001:db8::/48"))
    assert refused(elsewhere.get("me")) == (403, "key_address_not_allowed")
    assert bot(ann, networks=("203.0.113.7", "127.0.0.1")).get("me").status_code == 200


def test_nobody_comes_from_where_a_header_says(exchange: Exchange, ann: Customer) -> None:
    """No proxy of ours stands before this server, so X-Forwarded-For is anybody's word."""
    key = bot(ann, networks=("203.0.113.7",))
    for told in ("203.0.113.7", "203.0.113.7, 127.0.0.1", "127.0.0.1, 203.0.113.7"):
        answer = key.get("me", X_Forwarded_For=told, X_Real_IP="203.0.113.7", Forwarded="for=203.0.113.7")
        assert refused(answer) == (403, "key_address_not_allowed"), told


# --- Ends ------------------------------------------------------------------------------------------------------------


def test_a_revoked_key_opens_nothing_from_that_moment(ann: Customer) -> None:
    key = bot(ann, trade=True)
    for _ in range(3):
        assert key.get("me").status_code == 200
        assert refused(key.call("DELETE", "orders/1")) != (401, "key_invalid")
    answer = ann.delete(f"api-keys/{key.key_id}")
    assert (answer.status_code, answer.json()["state"]) == (200, "revoked")
    assert refused(key.get("me")) == (401, "key_invalid")
    assert refused(key.call("DELETE", "orders/1")) == (401, "key_invalid")
    assert ApiKey.objects.get(key_id=key.key_id).sealed_secret is None


@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_a_closed_account_open_nothing(exchange: Exchange, kind: str) -> None:
    leaver = exchange.customer(f"leaver-{kind}")
    key = bot(leaver, kind, trade=True)
    assert key.get("me").status_code == 200
    User.objects.get(pk=leaver.user_id)
    user = User.objects.get(pk=leaver.user_id)
    user.is_active = False
    user.save(update_fields=["is_active"])
    assert refused(key.get("me")) == (401, "key_invalid")
    assert refused(key.call("DELETE", "orders/1")) == (401, "key_invalid")


def test_a_freeze_by_the_owner_ends_every_key(exchange: Exchange) -> None:
    from exchange.accounts.services import freezing

    robbed = exchange.customer("robbed")
    keys = [bot(robbed, kind, trade=True) for kind in KINDS]
    assert [key.get("me").status_code for key in keys] == [200, 200]
    freezing.freeze(user_id=robbed.user_id, reason="not me", origin="", now=timezone.now())
    assert [refused(key.get("me")) for key in keys] == [(401, "key_invalid")] * 2


def test_the_last_use_is_noted(ann: Customer) -> None:
    key = bot(ann)
    before = timezone.now()
    assert key.get("me").status_code == 200
    row = ApiKey.objects.get(key_id=key.key_id)
    assert before <= row.last_used_at <= timezone.now()
    assert row.last_used_address == "127.0.0.1"
    forged = Bot(key.url, 0, key.key_id, bytes(32))
    ApiKey.objects.filter(key_id=key.key_id).update(last_used_at=None, last_used_address="")
    assert forged.get("me").status_code == 401
    assert ApiKey.objects.get(key_id=key.key_id).last_used_at is None


# --- Limits ----------------------------------------------------------------------------------------------------------


def test_each_answer_tells_the_limits_it_counted_against(program: Bot) -> None:
    rest = program.get("me")
    assert rest.headers["RateLimit-Policy"].startswith(
        '"key";q=900;w=60, "customer";q=1200;w=60, "address";q=3000;w=60'
    )
    assert rest.headers["RateLimit"].startswith('"key";r=')
    hot = program.call("DELETE", "orders/1")
    assert hot.headers["RateLimit-Policy"].startswith('"key_orders";q=450;w=10, "orders";q=600;w=10, "address"')
    for answer in (program.get("none"), requests.get(f"{program.url}/api/v1/me", timeout=60)):
        assert "RateLimit" in answer.headers
        assert "RateLimit-Policy" in answer.headers


def test_a_wrong_signature_counts_against_the_address(program: Bot) -> None:
    forged = Bot(program.url, 0, program.key_id, bytes(32))
    before = int(program.get("me").headers["RateLimit"].rpartition("r=")[2].partition(";")[0])
    for _ in range(20):
        assert forged.get("me").status_code == 401
    after = int(program.get("me").headers["RateLimit"].rpartition("r=")[2].partition(";")[0])
    assert after < before


def test_a_key_is_stopped_before_its_customer_is(exchange: Exchange) -> None:
    """One bot that runs wild leaves its customer's other keys and pages a part of the customer's own limit."""
    owner = exchange.customer("owner")
    wild, calm = bot(owner, trade=True), bot(owner, trade=True)
    batch = {"orders": [{"op": "cancel", "client_order_id": "never"}] * 50}
    answers = [wild.post("orders/batch", batch) for _ in range(13)]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited
    assert error(limited[0])["code"] == "rate_limited"
    assert int(limited[0].headers["Retry-After"]) >= 1
    assert '"key_orders";r=0' in limited[0].headers["RateLimit"]
    assert calm.call("DELETE", "orders/1").status_code != 429
