"""docs/api.md is true: every example is run, and every error code that a client can meet is in its table."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

import config.urls  # noqa: F401 - brings in every view, and with them every error
import trading.api.forms
import trading.services.form
import trading.services.orders
import trading.services.refusals
import trading.sockets
from exchange.assets.models import Rate
from exchange.core.errors import DomainError
from tests.integration.api.conftest import Customer, Exchange
from tests.integration.api.test_api_websocket import opened

DOCS = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text()
BLOCKS = re.findall(r"^```(http|ws)\n(.*?)^```$", DOCS, re.DOTALL | re.MULTILINE)
REST = [text for kind, text in BLOCKS if kind == "http"]
EXAMPLES = list(zip(REST[::2], REST[1::2], strict=True))
CONVERSATIONS = [text for kind, text in BLOCKS if kind == "ws"]


@pytest.fixture(scope="module")
def ann(trading: Exchange) -> Iterator[Customer]:
    """The customer of the examples: has sold some bitcoin, and has an order in the book."""
    ann, bob = trading.customer("ann"), trading.customer("bob")
    trading.fund(ann, 1, 10 * 10**8)
    trading.fund(bob, 4, 100_000 * 10**6)
    for customer, side, price, quantity in (
        (ann, "sell", "60000", "0.5"),
        (bob, "buy", "60000", "0.2"),
        (bob, "buy", "59990", "0.1"),
    ):
        order = {"market": "BTC-USDT", "side": side, "type": "limit", "price": price, "quantity": quantity}
        assert customer.post("orders", order).status_code == 201
    # The book that REST shows is written a tenth of a second after the change at the latest.
    trading.wait(lambda: all(ann.call("GET", "markets/BTC-USDT/book").json()[side] for side in ("bids", "asks")))
    as_of = timezone.now() - timedelta(seconds=12)
    trading.deposit(ann)
    # A price so low that the example's withdrawal fits the limit of a new account.
    Rate.objects.create(asset_id=1, price=Decimal("90"), as_of=as_of, fetched_at=as_of, source="test")
    return ann


def same_form(shown: Any, real: Any, known: dict[str, Any], path: str = "") -> None:
    """The same fields and kinds of values; of a list, the first element. Ids are remembered for the requests after."""
    if isinstance(shown, dict):
        assert isinstance(real, dict), path
        assert list(shown) == list(real), path
        for name in shown:
            same_form(shown[name], real[name], known, f"{path}.{name}")
            if name == "id" and not path:
                known[str(shown[name])] = real[name]
    elif isinstance(shown, list):
        assert isinstance(real, list), path
        assert bool(shown) == bool(real), path
        if shown:
            same_form(shown[0], real[0], known, f"{path}[]")
    elif shown is None or real is None or path.endswith("next_cursor"):
        assert real is None or isinstance(real, str), path
    else:
        assert type(shown) is type(real), (path, shown, real)
        if path.rpartition(".")[2] in ("type", "code", "state", "side", "market", "param", "fee_asset", "role"):
            assert shown == real, path


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    """Ids of the page, and what they are called here."""
    return {}


@pytest.mark.parametrize(("request_text", "answer_text"), EXAMPLES, ids=[text.splitlines()[0] for text, _ in EXAMPLES])
def test_an_example_of_rest(ann: Customer, known: dict[str, Any], request_text: str, answer_text: str) -> None:
    head, _, body = request_text.strip().partition("\n\n")
    first, *lines = head.splitlines()
    method, address = first.split()
    headers = dict(line.split(": ", 1) for line in lines)
    if "X-Session-Token" in headers:
        headers["X-Session-Token"] = ann.token
    else:
        headers["X-Session-Token"] = ""  # public: it must not need a log-in
    for page_id, real_id in known.items():
        address = address.replace(page_id, str(real_id))
    if not headers["X-Session-Token"]:
        answer = ann.http.request(method, f"{ann.url}{address}", timeout=60)
    else:
        answer = ann.call(
            method, address.removeprefix("/api/v1/"), headers=headers, json=json.loads(body) if body else None
        )
    status, _, shown = answer_text.strip().partition("\n\n")
    assert answer.status_code == int(status), answer.text
    same_form(json.loads(shown), answer.json(), known)


@pytest.mark.parametrize("text", CONVERSATIONS)
def test_an_example_of_the_websocket(trading: Exchange, ann: Customer, text: str) -> None:
    with opened(trading) as reader:
        if not text.startswith("<"):
            reader.read()
        for line in text.strip().splitlines():
            message = json.loads(line[2:])
            if line.startswith(">"):
                if "session_token" in message:
                    message["session_token"] = ann.token
                reader.send(**message)
                continue
            kind = (message.get("channel"), message.get("type"))
            real = reader.until(lambda m, kind=kind: (m.get("channel"), m.get("type")) == kind)
            same_form(message, real, {}, path="message")


def test_there_are_examples_of_everything() -> None:
    assert len(EXAMPLES) >= 12
    assert len(CONVERSATIONS) == 3


# Errors of set-up, staff and rooms beneath, which no request of a client's can cause.
INWARD = {
    "invalid", "forbidden", "conflict", "too_many_requests", "unavailable", "internal", "stopped", "person_not_found",
    "level_not_found", "reference_invalid", "withdrawal_state", "transfer_conflict", "transfer_invalid",
}  # fmt: skip
ROOMS = (
    "exchange.accounts.api", "exchange.accounts.keys", "exchange.accounts.services.pauses",
    "exchange.assets.selectors", "exchange.core", "exchange.invoices", "exchange.ledger.services.transfers",
    "exchange.notifications.api", "exchange.notifications.services.devices", "exchange.site.api", "kyc.services.limits",
    "kyc.selectors", "kyc.application_selectors", "kyc.images",
    "kyc.services.applications", "kyc.services.documents", "trading.api", "trading.sockets", "trading.marketdata",
    "trading.selectors", "trading.services.form", "trading.services.line", "trading.services.orders",
    "trading.services.refusals", "wallets.selectors", "wallets.services.withdrawals", "wallets.services.addresses",
    "wallets.services.quoting", "wallets.services.address_book",
)  # fmt: skip


def kinds(of: type[DomainError]) -> Iterator[type[DomainError]]:
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_every_code_that_a_client_can_meet_is_explained() -> None:
    table = set(re.findall(r"`([a-z_]+)`", DOCS[DOCS.index("| code | meaning |") : DOCS.index("## Websocket")]))
    codes = {kind.code for kind in kinds(DomainError) if kind.__module__.startswith(ROOMS)}
    for module in (trading.services.orders, trading.services.form, trading.services.refusals, trading.api.forms):
        codes |= set(re.findall(r'code="([a-z_]+)"', inspect.getsource(module)))
    codes |= set(re.findall(r'^    "([a-z_]+)": \(', inspect.getsource(trading.services.refusals), re.MULTILINE))
    codes |= {
        "field_required",
        "field_too_long",
        "choice_invalid",
        "withdrawals_stopped",
        "too_young",
        "name_too_long",
        "country_not_served",
    }
    assert len(codes) > 60
    assert codes - INWARD - table == set()
    assert {code for code in table if code not in codes} <= {"idempotency_key_missing"}
