"""Invoices over REST: made, listed, found; wrong input named; nobody else's shown."""

import os
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from embit import bip32

from exchange.accounts.models import User
from exchange.accounts.services import customers
from exchange.invoices.api import answers, shapes
from exchange.invoices.models import Invoice
from wallets.services import xpubs

pytestmark = pytest.mark.django_db(transaction=True)

NEW = {"asset": "BTC", "network": "bitcoin", "amount": "0.50", "order_reference": "order-7"}


@pytest.fixture
def house(settings, valkey):
    settings.CHAINS = {**settings.CHAINS, "bitcoin": {"url": "", "network": "regtest"}}
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


def merchant(name):
    user_id = customers.open(email=f"{name}@example.org", password="x" * 12, email_verified=True, now=timezone.now())
    client = Client()
    client.force_login(User.objects.get(id=user_id), backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def shop(house):
    return merchant("shop")


def post(client, **fields):
    return client.post("/api/v1/invoices", {**NEW, **fields}, content_type="application/json")


def test_an_invoice_is_made_listed_and_found(shop):
    answer = post(shop)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["amount"], made["state"], made["order_reference"]) == ("0.5", "new", "order-7")
    assert made["uri"] == f"bitcoin:{made['address']}?amount=0.5" and made["payments"] == []
    assert shop.get(f"/api/v1/invoices/{made['id']}").json() == made
    assert shop.get("/api/v1/invoices").json() == {"data": [made], "next_cursor": None}
    assert list(made) == list(answers.Invoice().fields)


def test_the_same_order_sent_again_gives_the_first_and_another_body_is_refused(shop):
    assert post(shop).json() == post(shop).json()
    answer = post(shop, amount="0.6")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "order_reference_used")
    assert answer.json()["error"]["param"] == "order_reference"


def test_pages_follow_one_another(shop):
    ids = [post(shop, order_reference=f"order-{n}").json()["id"] for n in range(5)][::-1]
    first = shop.get("/api/v1/invoices?limit=3").json()
    second = shop.get(f"/api/v1/invoices?limit=3&cursor={first['next_cursor']}").json()
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
    answer = post(shop, **fields)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"type", "code", "message", "param"}
    assert answer.json()["error"]["param"] == param
    assert not Invoice.objects.exists()


def test_nobody_else_s_invoice_is_found(shop):
    made = post(shop).json()
    other = merchant("other")
    assert other.get(f"/api/v1/invoices/{made['id']}").status_code == 404
    assert other.get("/api/v1/invoices").json()["data"] == []
    assert shop.get(f"/api/v1/invoices/{uuid4()}").status_code == 404


def test_a_stranger_gets_nothing(house):
    for answer in (Client().get("/api/v1/invoices"), post(Client())):
        assert answer.status_code in (401, 403) and "error" in answer.json()


def test_what_is_sent_of_a_payment_is_what_is_described():
    from exchange.invoices.selectors import PaymentView

    view = PaymentView(deposit_id=uuid4(), txid="t", amount=5, state="seen", seen_at=timezone.now())
    assert list(shapes.payment(view, decimals=8)) == list(answers.InvoicePayment().fields)
