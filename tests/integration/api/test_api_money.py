"""Every POST there is, and whether it moves money; those that do are done once under one Idempotency-Key.

A new POST that stands in neither list fails the first test. What must never happen here: one put among the others because it
does not pass.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg2
import pytest
from django.db import connection
from django.utils import timezone

from exchange.assets.models import Rate
from exchange.site.api import idempotency, views
from tests.integration.api.conftest import Customer, Exchange, error

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
ORDER = {"market": "BTC-USDT", "side": "sell", "type": "limit", "price": "61000", "quantity": "0.1"}
OCO = {"market": "BTC-USDT", "side": "sell", "quantity": "0.1", "price": "70000", "stop_price": "50000"}
# Path → the request, and how it looks changed. True: a request without a key is refused.
MONEY: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "orders": (
        ORDER,
        {**ORDER, "quantity": "0.2"},
        False,
    ),  # without a key: the customer's own client_order_id does the same
    "orders/oco": (OCO, {**OCO, "price": "71000"}, False),
    "orders/batch": (
        {"orders": [{"op": "place", **ORDER}]},
        {"orders": [{"op": "place", **ORDER, "price": "61001"}]},
        False,
    ),
    "withdrawals": (
        {"asset": "BTC", "network": "bitcoin", "address": ADDRESS, "amount": "0.1"},
        {"asset": "BTC", "network": "bitcoin", "address": ADDRESS, "amount": "0.2"},
        True,
    ),
}
# These hold, move and release nothing, or only ever what they did before: a cancelled withdrawal stays cancelled.
NO_MONEY = {
    "api-keys", "deposit-addresses", "invoices", "kyc/applications", "kyc/applications/{application_id}/pictures",
    "kyc/applications/{application_id}/submit", "notifications/read", "orders/cancel-after", "push-devices",
    "withdrawal-addresses", "withdrawals/quote",
    "withdrawals/{withdrawal_id}/cancel",
}  # fmt: skip
_numbers = itertools.count()


def test_every_post_is_classified() -> None:
    posts = {path.removeprefix("/api/v1/") for path, found in views.document()["paths"].items() if "post" in found}
    assert posts - set(MONEY) - NO_MONEY == set(), "does it move money?"
    assert (set(MONEY) | NO_MONEY) - posts == set()


def test_the_document_says_so() -> None:
    for path, (_, _, needed) in MONEY.items():
        named = {each["name"]: each for each in views.document()["paths"][f"/api/v1/{path}"]["post"]["parameters"]}
        assert named["Idempotency-Key"].get("required", False) is needed, path


@pytest.fixture(scope="module")
def ann(trading: Exchange) -> Iterator[Customer]:
    ann = trading.customer("ann")
    trading.fund(ann, 1, 10**10)
    now = timezone.now()
    values = {"price": Decimal(100), "as_of": now, "fetched_at": now, "source": "test"}
    Rate.objects.update_or_create(asset_id=1, defaults=values)
    yield ann
    ann.delete("orders")


@pytest.mark.parametrize("path", MONEY)
def test_sent_twice_it_is_done_once(trading: Exchange, ann: Customer, path: str) -> None:
    body, changed, needed = MONEY[path]
    key = {"Idempotency-Key": f"twice-{next(_numbers)}"}
    first = ann.post(path, body, headers=key)
    assert first.status_code in (200, 201), first.text
    after = trading.books()
    again = ann.post(path, body, headers=key)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = ann.post(path, changed, headers=key)
    assert (other.status_code, error(other)["code"]) == (409, "idempotency_mismatch")
    assert trading.books() == after
    without = ann.post(path, {"nonsense": 1})
    assert error(without)["code"] == ("idempotency_key_missing" if needed else "unknown_field")


@pytest.mark.parametrize("path", MONEY)
def test_a_key_of_a_server_that_died_is_taken_over_at_once(trading: Exchange, ann: Customer, path: str) -> None:
    """As a kill before the answer leaves it: the key is in progress, and the connection that took it is gone."""
    body, key = MONEY[path][0], f"died-{next(_numbers)}"
    first = ann.post(path, body, headers={"Idempotency-Key": key})
    assert first.status_code in (200, 201), first.text
    after = trading.books()
    held = psycopg2.connect(**connection.get_connection_params())
    with trading.owner.cursor() as cursor:
        cursor.execute(
            "UPDATE site_pages_idempotency_key SET status = NULL, answer = '', started_at = %s, backend = %s WHERE key = %s",
            (datetime.now(UTC), held.info.backend_pid, key),
        )
    early = ann.post(path, body, headers={"Idempotency-Key": key})
    assert (early.status_code, error(early)["code"]) == (409, "idempotency_in_progress")
    held.close()
    trading.wait(lambda: ann.post(path, body, headers={"Idempotency-Key": key}).status_code in (200, 201))
    assert trading.books() == after
    assert idempotency.TAKEN_OVER_S == 60
