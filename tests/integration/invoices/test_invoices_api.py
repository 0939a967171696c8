"""Invoices over REST: made, listed, found; wrong input named; nobody else's shown."""

import json
import os
from uuid import UUID, uuid4

import pytest
from django.test import Client, RequestFactory
from django.urls import resolve
from django.utils import timezone
from embit import bip32

from exchange.accounts.services import customers
from exchange.invoices.api import answers, shapes
from exchange.invoices.api.views import InvoicesView, InvoiceView
from exchange.invoices.models import Invoice
from exchange.invoices.selectors import PaymentView
from wallets.services import xpubs

PASSWORD = "correct horse battery"

pytestmark = pytest.mark.django_db

NEW = {"asset": "BTC", "network": "bitcoin", "amount": "0.50", "order_reference": "order-7"}


@pytest.fixture
def house(valkey):
    root = bip32.HDKey.from_seed(os.urandom(64))
    accounts = [
        {
            "network": "bitcoin",
            "role": role,
            "path": p,
            "xpub": root.derive(p).to_public().to_base58(b"\x04\x35\x87\xcf"),
        }
        for role, p in (("deposit", "m/84'/1'/0'"), ("hot", "m/84'/1'/1'"))
    ]
    document = {"version": 1, "fingerprint": "00000000", "chains": {"bitcoin": "regtest"}, "accounts": accounts}
    xpubs.import_file(document=document, now=timezone.now())


class Merchant:
    """Somebody logged in by session token. The views are called in this thread, without the server's own around them."""

    requests = RequestFactory()

    def __init__(self, name):
        email = f"{name}@example.org"
        customers.open(email=email, password=PASSWORD, email_verified=True, now=timezone.now())
        log_in = {"email": email, "password": PASSWORD}
        answer = Client().post("/_allauth/app/v1/auth/login", log_in, content_type="application/json")
        self.headers = {"X-Session-Token": answer.json()["meta"]["session_token"]}

    def invoices(self, **query):
        return self._call(InvoicesView, self.requests.get("/api/v1/invoices", query, headers=self.headers))

    def invoice(self, invoice_id):
        request = self.requests.get(f"/api/v1/invoices/{invoice_id}", headers=self.headers)
        return self._call(InvoiceView, request, invoice_id=UUID(str(invoice_id)))

    def post(self, **fields):
        body = {**NEW, **fields}
        request = self.requests.post("/api/v1/invoices", body, content_type="application/json", headers=self.headers)
        return self._call(InvoicesView, request)

    def _call(self, view, request, **arguments):
        response = view.as_view()(request, **arguments).render()
        return response.status_code, json.loads(response.content)


@pytest.fixture
def shop(house):
    return Merchant("shop")


def test_an_invoice_is_made_listed_and_found(shop):
    status, made = shop.post()
    assert status == 201
    assert (made["amount"], made["state"], made["order_reference"]) == ("0.5", "new", "order-7")
    assert made["uri"] == f"bitcoin:{made['address']}?amount=0.5" and made["payments"] == []
    assert shop.invoice(made["id"]) == (200, made)
    assert shop.invoices() == (200, {"data": [made], "next_cursor": None})
    assert list(made) == list(answers.Invoice().fields)


def test_the_same_order_sent_again_gives_the_first_and_another_body_is_refused(shop):
    assert shop.post() == shop.post()
    status, refusal = shop.post(amount="0.6")
    assert (status, refusal["error"]["code"]) == (409, "order_reference_used")
    assert refusal["error"]["param"] == "order_reference"


def test_pages_follow_one_another(shop):
    ids = [shop.post(order_reference=f"order-{n}")[1]["id"] for n in range(5)][::-1]
    _, first = shop.invoices(limit=3)
    _, second = shop.invoices(limit=3, cursor=first["next_cursor"])
    assert [i["id"] for i in first["data"] + second["data"]] == ids and second["next_cursor"] is None


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"amount": "0"}, 400, "amount"),
        ({"amount": 0.5}, 400, "amount"),
        ({"amount": "1e3"}, 400, "amount"),
        ({"asset": "XYZ"}, 404, "asset"),
        ({"network": "litecoin"}, 404, "network"),
        ({"order_reference": "x" * 121}, 400, "order_reference"),
        ({"order_reference": 7}, 400, "order_reference"),
        ({"amuont": "1"}, 400, "amuont"),
    ],
)
def test_what_is_wrong_is_named_in_the_one_error_shape(shop, fields, status, param):
    answered, body = shop.post(**fields)
    assert answered == status
    assert set(body["error"]) == {"type", "code", "message", "param"}
    assert body["error"]["param"] == param
    assert not Invoice.objects.exists()


def test_nobody_else_s_invoice_is_found(shop):
    _, made = shop.post()
    other = Merchant("other")
    assert other.invoice(made["id"])[0] == 404
    assert other.invoices()[1]["data"] == []
    assert shop.invoice(uuid4())[0] == 404


def test_a_stranger_gets_nothing(shop):
    shop.headers = {}
    for status, body in (shop.invoices(), shop.post()):
        assert status in (401, 403) and "error" in body


def test_what_is_sent_of_a_payment_is_what_is_described():
    view = PaymentView(deposit_id=uuid4(), txid="t", amount=5, state="seen", seen_at=timezone.now())
    assert list(shapes.payment(view, decimals=8)) == list(answers.InvoicePayment().fields)


def test_the_addresses_of_the_api_lead_here():
    assert resolve("/api/v1/invoices").url_name == "invoices"
    assert resolve(f"/api/v1/invoices/{uuid4()}").url_name == "invoice"
