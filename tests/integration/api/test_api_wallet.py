"""Deposit addresses and withdrawals over REST: one shape for what is wrong, one withdrawal for one key."""

from __future__ import annotations

import concurrent.futures
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from django.utils import timezone

from exchange.assets.models import Rate
from exchange.site.api import idempotency
from exchange.site.models import IdempotencyKey
from tests.integration.api.conftest import Customer, Exchange, error

BTC = 1
# BIP173's example key at regtest's prefix: a good address that is nobody's here.
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


@pytest.fixture(scope="module")
def ann(exchange: Exchange) -> Customer:
    customer = exchange.customer("ann")
    exchange.fund(customer, BTC, 2 * 10**8)
    set_price("100", age_s=0)  # limits are counted in dollars, so without a price nothing goes out
    return customer


def set_price(usd: str, *, age_s: int) -> None:
    as_of = timezone.now() - timedelta(seconds=age_s)
    values = {"price": Decimal(usd), "as_of": as_of, "fetched_at": as_of, "source": "test"}
    Rate.objects.update_or_create(asset_id=BTC, defaults=values)


@pytest.fixture(scope="module")
def bob(exchange: Exchange) -> Customer:
    return exchange.customer("bob")


@pytest.fixture(scope="module")
def cid(exchange: Exchange) -> Customer:
    return exchange.customer("cid")


def payment(**more: Any) -> dict[str, Any]:
    return {"asset": "BTC", "network": "bitcoin", "address": ADDRESS, "amount": "0.1", **more}


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


def bitcoin(customer: Customer) -> dict[str, str]:
    return {row["asset"]: row for row in customer.get("balances").json()["data"]}["BTC"]


def test_a_withdrawal_is_requested_held_shown_and_cancelled(exchange: Exchange, ann: Customer) -> None:
    asked = ann.post("withdrawals", payment(), headers=key("w-1"))
    assert asked.status_code == 201, asked.text
    shown = asked.json()
    assert (shown["amount"], shown["fee"], shown["total"], shown["address"]) == ("0.1", "0.0001", "0.1001", ADDRESS)
    assert shown["cancellable"] is True
    assert bitcoin(ann)["available"] == "1.8999"
    assert ann.get(f"withdrawals/{shown['id']}").json()["id"] == shown["id"]
    assert [row["id"] for row in ann.get("withdrawals").json()["data"]] == [shown["id"]]
    cancelled = ann.post(f"withdrawals/{shown['id']}/cancel", {})
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert bitcoin(ann) == {**bitcoin(ann), "balance": "2", "held": "0", "available": "2"}
    again = ann.post(f"withdrawals/{shown['id']}/cancel", {})
    assert (again.status_code, again.json()) == (200, cancelled.json())
    assert bitcoin(ann)["available"] == "2"


def test_without_a_key_no_money_moves(exchange: Exchange, ann: Customer) -> None:
    before = exchange.books()
    answer = ann.post("withdrawals", payment())
    assert (answer.status_code, error(answer)["code"], error(answer)["param"]) == (
        400,
        "idempotency_key_missing",
        "Idempotency-Key",
    )
    assert exchange.books() == before


def test_one_key_is_one_withdrawal(exchange: Exchange, ann: Customer) -> None:
    first = ann.post("withdrawals", payment(), headers=key("w-2"))
    before = exchange.books()
    second = ann.post("withdrawals", payment(), headers=key("w-2"))
    assert (second.status_code, second.json(), second.headers["Idempotent-Replayed"]) == (201, first.json(), "true")
    other = ann.post("withdrawals", payment(amount="0.2"), headers=key("w-2"))
    assert (other.status_code, error(other)["code"]) == (409, "idempotency_mismatch")
    assert exchange.books() == before
    ann.post(f"withdrawals/{first.json()['id']}/cancel", {})


def test_the_same_key_from_many_at_once_is_one_withdrawal(exchange: Exchange, ann: Customer) -> None:
    count = len(ann.get("withdrawals").json()["data"])

    def request(_: int) -> requests.Response:
        headers = {"X-Session-Token": ann.token, **key("w-race")}
        return requests.post(f"{exchange.url}/api/v1/withdrawals", json=payment(), headers=headers, timeout=60)

    with concurrent.futures.ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(request, range(10)))
    made = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert {error(answer)["code"] for answer in answers if answer.status_code != 201} <= {"idempotency_in_progress"}
    assert len(ann.get("withdrawals").json()["data"]) == count + 1
    ann.post(f"withdrawals/{made.pop()}/cancel", {})


def test_a_key_that_was_forgotten_still_pays_once(exchange: Exchange, ann: Customer) -> None:
    """The answers are kept for a day, the withdrawal's own key for good: the room beneath is the one that money rests on."""
    first = ann.post("withdrawals", payment(), headers=key("w-old"))
    with exchange.owner.cursor() as cursor:
        cursor.execute("DELETE FROM site_pages_idempotency_key WHERE key = 'w-old'")
    before = exchange.books()
    second = ann.post("withdrawals", payment(), headers=key("w-old"))
    assert (second.status_code, second.json()["id"]) == (201, first.json()["id"])
    assert exchange.books() == before
    ann.post(f"withdrawals/{first.json()['id']}/cancel", {})


WRONG: list[tuple[dict[str, Any], int, str, str | None]] = [
    ({"amount": "0.000000001"}, 400, "amount_precision", "amount"),
    ({"amount": "0"}, 400, "amount_too_small", "amount"),
    ({"amount": "-1"}, 400, "amount_invalid", "amount"),
    ({"amount": "1e1"}, 400, "amount_invalid", "amount"),
    ({"amount": 0.1}, 400, "amount_invalid", "amount"),
    ({"amount": "9" * 90}, 400, "amount_range", "amount"),
    ({"amount": "2"}, 400, "insufficient_funds", "amount"),
    ({"address": "nonsense"}, 400, "address_invalid", "address"),
    ({"address": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"}, 400, "address_wrong_network", "address"),
    ({"address": ADDRESS[:-1] + "q"}, 400, "address_invalid", "address"),
    ({"asset": "NOPE"}, 404, "asset_not_found", "asset"),
    ({"network": "litecoin"}, 404, "network_not_found", "network"),
    ({"memo": "x"}, 400, "unknown_field", "memo"),
    ({"address": None}, 400, "field_required", "address"),
]


@pytest.mark.parametrize(("change", "status", "code", "param"), WRONG)
def test_a_wrong_withdrawal_is_refused_and_moves_nothing(
    exchange: Exchange, ann: Customer, change: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    before = exchange.books()
    answer = ann.post("withdrawals", payment(**change), headers=key(f"wrong-{code}-{change}"[:100]))
    found = error(answer)
    assert (answer.status_code, found["code"], found["param"]) == (status, code, param), answer.text
    assert exchange.books() == before


def test_a_quote_moves_nothing_and_its_fee_is_what_is_agreed(exchange: Exchange, ann: Customer) -> None:
    before = exchange.books()
    shown = ann.post("withdrawals/quote", payment())
    assert shown.status_code == 200, shown.text
    quote = shown.json()
    assert (quote["amount"], quote["fee"], quote["total"], quote["address"]) == ("0.1", "0.0001", "0.1001", ADDRESS)
    assert quote["email_confirmation"] is True and quote["usual_s"] > 0
    without = {name: value for name, value in payment().items() if name != "address"}
    assert ann.post("withdrawals/quote", without).json()["address"] is None
    refused = ann.post("withdrawals/quote", payment(amount="5"))
    assert (refused.status_code, error(refused)["code"]) == (400, "insufficient_funds")
    other = ann.post("withdrawals", payment(fee="0.0002"), headers=key("w-fee"))
    assert (other.status_code, error(other)["code"], error(other)["param"]) == (409, "fee_changed", "fee")
    assert exchange.books() == before
    made = ann.post("withdrawals", payment(fee=quote["fee"]), headers=key("w-agreed"))
    assert made.status_code == 201, made.text
    ann.post(f"withdrawals/{made.json()['id']}/cancel", {})


def test_a_request_shows_that_it_waits_for_its_mail_and_no_token(exchange: Exchange, ann: Customer) -> None:
    made = ann.post("withdrawals", payment(), headers=key("w-mail")).json()
    assert (made["state"], made["waiting"], made["confirmation"]["state"]) == ("requested", "email", "waiting")
    assert made["confirmation"]["expires_at"] > made["requested_at"]
    assert set(made["confirmation"]) == {"state", "expires_at", "confirmed_at"}
    ann.post(f"withdrawals/{made['id']}/cancel", {})
    assert ann.get(f"withdrawals/{made['id']}").json()["confirmation"]["state"] == "not_needed"


def test_the_address_book_is_kept_by_its_owner_alone(ann: Customer, bob: Customer) -> None:
    made = ann.post("withdrawal-addresses", {"network": "bitcoin", "address": ADDRESS, "label": "mine"})
    assert made.status_code == 201, made.text
    entry = made.json()
    assert entry["usable"] is False and entry["usable_at"] > entry["created_at"]
    path = f"withdrawal-addresses/{entry['id']}"
    again = ann.post("withdrawal-addresses", {"network": "bitcoin", "address": ADDRESS, "label": "again"})
    assert (again.status_code, error(again)["code"]) == (409, "address_listed")
    for answer in (bob.call("PATCH", path, json={"label": "his"}), bob.delete(path)):
        assert (answer.status_code, error(answer)["code"]) == (404, "listed_address_not_found")
    assert bob.get("withdrawal-addresses").json() == {"data": []}
    assert ann.call("PATCH", path, json={"label": "the old one"}).json()["label"] == "the old one"
    assert [each["label"] for each in ann.get("withdrawal-addresses?network=bitcoin").json()["data"]] == ["the old one"]
    assert ann.get("withdrawal-addresses?network=litecoin").json() == {"data": []}
    assert ann.delete(path).status_code == 204
    assert ann.get("withdrawal-addresses").json() == {"data": []}


def test_the_list_alone_is_chosen_with_a_true_and_nothing_that_looks_like_one(
    exchange: Exchange, cid: Customer
) -> None:
    assert cid.get("withdrawal-mode").json() == {"allow_list_only": False, "loosens_at": None}
    for wrong in ("yes", 1, None, "true"):
        answer = cid.call("PUT", "withdrawal-mode", json={"allow_list_only": wrong})
        assert answer.status_code == 400 and error(answer)["param"] == "allow_list_only"
    tightened = cid.call("PUT", "withdrawal-mode", json={"allow_list_only": True})
    assert tightened.json() == {"allow_list_only": True, "loosens_at": None}
    exchange.fund(cid, BTC, 10**8)
    refused = cid.post("withdrawals", payment(), headers=key("w-list"))
    assert (refused.status_code, error(refused)["code"]) == (403, "address_not_listed")
    loosened = cid.call("PUT", "withdrawal-mode", json={"allow_list_only": False}).json()
    assert loosened["allow_list_only"] is True and loosened["loosens_at"]


def test_another_customers_withdrawal_does_not_exist(exchange: Exchange, ann: Customer, bob: Customer) -> None:
    withdrawal = ann.post("withdrawals", payment(), headers=key("w-hers")).json()
    for answer in (bob.get(f"withdrawals/{withdrawal['id']}"), bob.post(f"withdrawals/{withdrawal['id']}/cancel", {})):
        assert (answer.status_code, error(answer)["code"]) == (404, "withdrawal_not_found")
    assert bob.get("withdrawals").json()["data"] == []
    assert ann.get(f"withdrawals/{withdrawal['id']}").json()["cancellable"] is True
    his = bob.post(
        "withdrawals", payment(), headers=key("w-hers")
    )  # her key is free for him: keys are each customer's own
    assert error(his)["code"] == "insufficient_funds"
    ann.post(f"withdrawals/{withdrawal['id']}/cancel", {})


def test_withdrawals_are_paged_newest_first(ann: Customer) -> None:
    for number in range(3):
        made = ann.post("withdrawals", payment(), headers=key(f"page-{number}")).json()
        ann.post(f"withdrawals/{made['id']}/cancel", {})
    every = [row["id"] for row in ann.get("withdrawals?limit=200").json()["data"]]
    first = ann.get("withdrawals?limit=2").json()
    second = ann.get(f"withdrawals?limit=200&cursor={first['next_cursor']}").json()
    assert [row["id"] for row in first["data"] + second["data"]] == every
    assert second["next_cursor"] is None
    bad = ann.get("withdrawals?cursor=5")
    assert (bad.status_code, error(bad)["code"]) == (400, "cursor_invalid")


def test_an_address_that_cannot_be_had_is_a_clear_no(ann: Customer) -> None:
    """No xpub has been imported here."""
    for asset, network, status, code in (
        ("BTC", "bitcoin", 503, "deposits_unavailable"),
        ("BTC", "ethereum", 404, "network_not_found"),
        ("USD", "bitcoin", 404, "network_not_found"),
    ):
        answer = ann.post("deposit-addresses", {"asset": asset, "network": network})
        assert (answer.status_code, error(answer)["code"]) == (status, code), answer.text
    assert ann.get("deposit-addresses").json() == {"data": []}


def test_balances_tell_what_they_are_worth(exchange: Exchange, ann: Customer) -> None:
    set_price("65000.5", age_s=90)
    worth = bitcoin(ann)["worth"]
    assert isinstance(worth, dict)
    assert (worth["amount"], worth["currency"]) == ("130001", "USD")
    assert worth["age_s"] >= 90
    (price,) = requests.get(f"{exchange.url}/api/v1/prices", timeout=60).json()["data"]
    assert (price["asset"], price["price"], price["currency"]) == ("BTC", "65000.5", "USD")


def test_old_keys_are_forgotten_and_young_ones_kept(exchange: Exchange, ann: Customer) -> None:
    now = timezone.now()
    total = IdempotencyKey.objects.count()
    assert total > 5
    assert idempotency.forget(now=now) == 0
    assert idempotency.forget(now=now + timedelta(hours=25)) == total
    assert IdempotencyKey.objects.count() == 0
