"""Invoices on a real bitcoind: paid, part-paid, late, replaced, reorganised; the merchant's balance is what arrived."""

import os
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from embit import bip32

from exchange.accounts.services import customers, staff
from exchange.assets.services import networks
from exchange.core import amounts
from exchange.core.errors import DomainError
from exchange.invoices import selectors, uris
from exchange.invoices.models import Invoice
from exchange.invoices.services import invoices, payments
from exchange.ledger import selectors as ledger
from exchange.outbox import services as outbox
from exchange.outbox.models import Event
from tests.factors import log_in_staff
from wallets.services import scanning, xpubs

COIN = 10**8
BTC, ETH = 1, 3

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(settings, valkey):
    """A merchant, in a house whose public keys are new: what earlier tests paid must not show up."""
    root = bip32.HDKey.from_seed(os.urandom(64))
    keys = [
        {"network": network, "role": role, "path": path, "xpub": root.derive(path).to_public().to_base58(version)}
        for network, coin, version in (
            ("bitcoin", "m/84'/1'", b"\x04\x35\x87\xcf"),
            ("ethereum", "m/44'/60'", b"\x04\x88\xb2\x1e"),
        )
        for role, path in (("deposit", f"{coin}/0'"), ("hot", f"{coin}/1'"))
    ]
    document = {"version": 1, "fingerprint": "00000000", "chains": {"bitcoin": "regtest"}, "accounts": keys}
    xpubs.import_file(document=document, now=timezone.now())
    return customers.open(email="shop@example.org", password="x" * 12, email_verified=True, now=timezone.now())


@pytest.fixture
def node(settings, bitcoind, shop):
    settings.CHAINS = {**settings.CHAINS, "bitcoin": {**settings.CHAINS["bitcoin"], "url": bitcoind.url}}
    bitcoind.mine(1)
    scan()
    yield bitcoind
    bitcoind.mine(1)


def scan(network="bitcoin"):
    scanning.scan(network=network, now=timezone.now(), limit=2000)
    outbox.deliver(now=timezone.now())


def create(merchant_id, amount="0.5", asset="BTC", network="bitcoin", now=None, **fields):
    return invoices.create(
        merchant_id=merchant_id, asset=asset, network=network, amount=amount, now=now or timezone.now(), **fields
    )


def state(invoice):
    found = selectors.invoice(invoice.id)
    return found.state, found.exception


def told(invoice):
    events = Event.objects.filter(topic="invoices.changed", key=f"invoice:{invoice.id}").order_by("id")
    return [event.payload["state"] for event in events]


def btc(user_id):
    return next(b.balance for b in ledger.balances(owner_id=user_id) if b.asset_id == BTC)


@pytest.mark.node
def test_an_invoice_is_paid_confirmed_and_the_merchant_credited(shop, node):
    invoice = create(shop)
    node.send(invoice.address, COIN // 2)
    scan()
    assert state(invoice) == ("processing", "") and btc(shop) == 0
    node.mine(10)
    scan()
    assert state(invoice) == ("settled", "") and btc(shop) == COIN // 2
    assert told(invoice) == ["new", "processing", "settled"]
    (payment,) = selectors.invoice(invoice.id).payments
    assert (payment.amount, payment.state) == (COIN // 2, "credited")


@pytest.mark.node
def test_two_invoices_of_one_merchant_are_told_apart(shop, node):
    first, second = create(shop), create(shop)
    assert first.address != second.address
    node.send(second.address, COIN // 2)
    scan()
    assert (state(first), state(second)) == (("new", ""), ("processing", ""))


@pytest.mark.node
def test_several_payments_add_up_and_too_much_is_said(shop, node):
    invoice = create(shop)
    node.send(invoice.address, COIN // 4)
    scan()
    assert state(invoice) == ("new", "paid_partial")
    node.send(invoice.address, COIN // 2)
    node.mine(10)
    scan()
    assert state(invoice) == ("settled", "paid_over")
    assert btc(shop) == COIN // 4 + COIN // 2


@pytest.mark.node
def test_what_comes_after_expiry_is_late_and_still_the_merchant_s_money(shop, node):
    invoice = create(shop, now=timezone.now() - invoices.EXPIRY - timedelta(seconds=1))
    payments.expire_due(now=timezone.now())
    assert state(invoice) == ("expired", "")
    node.send(invoice.address, COIN // 2)
    node.mine(10)
    scan()
    assert state(invoice) == ("expired", "paid_late") and btc(shop) == COIN // 2


@pytest.mark.node
def test_a_payment_that_is_replaced_sets_the_invoice_back(shop, node):
    invoice = create(shop)
    txid = node.send(invoice.address, COIN // 2)
    scan()
    assert state(invoice) == ("processing", "")
    bumped = node.wallet("bumpfee", txid)["txid"]
    scan()
    assert {p.txid: p.state for p in selectors.invoice(invoice.id).payments} == {txid: "dropped", bumped: "seen"}
    assert state(invoice) == ("processing", "")  # the replacement pays the same
    node.mine(10)
    scan()
    assert state(invoice) == ("settled", "") and btc(shop) == COIN // 2


@pytest.mark.node
def test_a_reorganisation_takes_a_settlement_back_until_it_is_mined_again(shop, node):
    invoice = create(shop)
    txid = node.send(invoice.address, COIN // 2)
    node.mine(10)
    scan()
    assert state(invoice) == ("settled", "")
    node.invalidate(node.rpc("getblockhash", node.height() - 9))
    node.rpc("prioritisetransaction", txid, 0, -COIN)
    node.mine(1)
    node.rpc("prioritisetransaction", txid, 0, COIN)
    scan()
    assert state(invoice) == ("invalid", "reorganised") and btc(shop) == 0
    node.mine(10)
    scan()
    assert state(invoice) == ("settled", "") and btc(shop) == COIN // 2
    assert told(invoice)[-2:] == ["invalid", "settled"]


@pytest.mark.node
def test_the_same_news_again_and_out_of_order_changes_nothing(shop, node):
    invoice = create(shop)
    node.send(invoice.address, COIN // 2)
    scan()
    node.mine(10)
    scan()
    before = told(invoice)
    for event in Event.objects.filter(topic__startswith="wallets.deposit_").order_by("-id"):
        with transaction.atomic():
            outbox.append(topic=event.topic, key=event.key, payload=event.payload, now=timezone.now())
    outbox.deliver(now=timezone.now())
    assert told(invoice) == before and state(invoice) == ("settled", "")


@pytest.mark.node
def test_another_asset_at_the_same_address_pays_nothing_of_the_invoice(shop, settings, anvil):
    """Ether sent to an address that asks for USDT: the merchant's money, and no payment of this invoice."""
    settings.CHAINS = {**settings.CHAINS, "ethereum": {**settings.CHAINS["ethereum"], "url": anvil.url}}
    contract = anvil.deploy("TestToken")
    networks.set_contract(asset="USDT", network="ethereum", contract=contract, now=timezone.now())
    scan("ethereum")
    invoice = create(shop, "100", "USDT", "ethereum")
    anvil.send(invoice.address, 10**18)
    anvil.mine(15)
    scan("ethereum")
    assert {b.asset_id: b.balance for b in ledger.balances(owner_id=shop)}[ETH] == 10**18
    assert state(invoice) == ("new", "") and selectors.invoice(invoice.id).payments == ()


def test_an_invoice_nobody_pays_expires(shop):
    invoice = create(shop)
    assert invoice.expires_at - invoice.created_at == timedelta(minutes=15)
    assert not payments.expire_due(now=invoice.expires_at - timedelta(seconds=1))
    assert payments.expire_due(now=invoice.expires_at) == {"expired": 1}
    assert not payments.expire_due(now=invoice.expires_at)
    assert told(invoice) == ["new", "expired"]


def test_the_same_order_is_invoiced_once(shop):
    first = create(shop, order_reference="order-7")
    assert create(shop, order_reference="order-7").id == first.id
    with pytest.raises(invoices.OrderReferenceUsed) as error:
        create(shop, "0.6", order_reference="order-7")
    assert error.value.status == 409
    assert Invoice.objects.count() == 1
    other = customers.open(email="other@example.org", password="x" * 12, now=timezone.now())
    assert create(other, order_reference="order-7").id != first.id


def test_the_same_order_many_times_at_once_is_invoiced_once(shop):
    start, found = Barrier(6), []

    def run():
        start.wait()
        try:
            found.append(create(shop, order_reference="order-8").id)
        finally:
            connection.close()

    threads = [Thread(target=run) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(found) == 6 and len(set(found)) == 1


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"amount": "0"}, "amount_too_small", "amount"),
        ({"amount": "0.00001"}, "amount_too_small", "amount"),
        ({"amount": "0.000000001"}, "amount_precision", "amount"),
        ({"amount": "-1"}, "amount_invalid", "amount"),
        ({"asset": "XYZ"}, "asset_not_found", "asset"),
        ({"network": "litecoin"}, "network_not_found", "network"),
        ({"order_reference": "x" * 121}, "order_reference_invalid", "order_reference"),
        ({"order_reference": "a\nb"}, "order_reference_invalid", "order_reference"),
    ],
)
def test_what_is_wrong_is_named_and_makes_nothing(shop, fields, code, param):
    with pytest.raises(DomainError) as error:
        create(shop, **fields)
    assert (error.value.code, error.value.param) == (code, param)
    assert not Invoice.objects.exists()


def test_a_merchant_sees_only_their_own(shop):
    invoice = create(shop)
    other = customers.open(email="other@example.org", password="x" * 12, now=timezone.now())
    assert [i.id for i in selectors.invoices(shop)] == [invoice.id] and selectors.invoices(other) == []
    with pytest.raises(selectors.InvoiceNotFound):
        selectors.invoice(invoice.id, merchant_id=other)


def test_only_so_many_are_open_at_once(shop, monkeypatch):
    monkeypatch.setattr(invoices, "OPEN_MAX", 1)
    create(shop)
    with pytest.raises(invoices.TooManyOpen):
        create(shop)


def test_payers_scan_the_scheme_of_their_network(shop):
    assert create(shop).uri.endswith("?amount=0.5") and create(shop).uri.startswith("bitcoin:bcrt1")
    ether = create(shop, "1.5", "ETH", "ethereum")
    assert ether.uri == f"ethereum:{ether.address}@31337?value={15 * 10**17}"
    contract = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    networks.set_contract(asset="USDT", network="ethereum", contract=contract, now=timezone.now())
    token = uris.payment(asset="USDT", network="ethereum", address=ether.address, amount=7_000_000, decimals=6)
    assert token == f"ethereum:{contract}@31337/transfer?address={ether.address}&uint256=7000000"


def test_staff_see_invoices_and_change_none(shop):
    invoice = create(shop)
    boss = staff.open(email="boss@example.org", password="x" * 12, superuser=True, now=timezone.now())
    office = Client()
    log_in_staff(office, boss)
    assert office.get(reverse("admin:invoices_invoice_changelist")).status_code == 200
    page = reverse("admin:invoices_invoice_change", args=[invoice.id])
    assert office.get(page).status_code == 200
    assert office.post(page, {"state": "settled"}).status_code == 403


def test_amounts_are_told_as_decimal_text(shop):
    invoice = create(shop, "0.50")
    event = Event.objects.get(topic="invoices.changed")
    assert event.payload["amount"] == "0.5" == amounts.format(invoice.amount, decimals=invoice.decimals)
