"""Staff's search: every trace of a word, by an index, with links to its row and to the network's explorer."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from exchange.accounts.services import customers
from tests.factors import log_in_staff
from wallets import tracing
from wallets.models import Address, Block, Coin, Deposit, Movement, Payout, PayoutVersion, Withdrawal

FIND = reverse("admin:wallets_trace_changelist")
TXID, OWN_TXID, BLOCK = "ab" * 32, "cd" * 32, "ef" * 32
OUTSIDE = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
COIN = 10**8
ROWS = 20_000

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(house):
    user_id = customers.open(email="alice@example.com", password="x" * 12, email_verified=True, now=timezone.now())
    house.address(user_id, "BTC", "bitcoin")
    house.address(user_id, "ETH", "ethereum")
    return user_id


@pytest.fixture
def traces(alice):
    """A deposit of Alice's in a block, its coin spent by a payout of ours that pays her withdrawal."""
    now = timezone.now()
    address = Address.objects.get(owner_id=alice, network_id=1)
    hot = Address.objects.get(network_id=1, purpose="hot", branch=0)
    Block.objects.create(network_id=1, height=700, hash=BLOCK, parent="00" * 32, time=now, scanned_at=now)
    deposit = Deposit.objects.create(
        network_id=1, asset_id=1, address=address, owner_id=alice, txid=TXID, position="0", amount=COIN,
        state="confirming", confirmations_required=2, block_height=700, block_hash=BLOCK, seen_at=now,
    )  # fmt: skip
    Coin.objects.create(
        network_id=1, txid=TXID, vout=0, address=address, amount=COIN, block_height=700, spent_txid=OWN_TXID,
        spent_height=701,
    )  # fmt: skip
    payout = Payout.objects.create(
        network_id=1,
        asset_id=1,
        state="broadcast",
        address=hot,
        confirmations_required=2,
        created_at=now,
        txid=OWN_TXID,
    )
    PayoutVersion.objects.create(payout=payout, unsigned={}, txid=OWN_TXID, raw=b"x", created_at=now)
    withdrawal = Withdrawal.objects.create(
        owner_id=alice, asset_id=1, network_id=1, address=OUTSIDE, amount=COIN // 2, fee=0, state="broadcast",
        idempotency_key="find", account_id=1, payout=payout, payout_position=0, requested_at=now,
    )  # fmt: skip
    return {"address": address, "deposit": deposit, "payout": payout, "withdrawal": withdrawal}


def found(word):
    return {(line.what, str(line.pk)) for line in tracing.find(word).lines}


def whats(word):
    return sorted(line.what for line in tracing.find(word).lines)


def test_each_kind_of_word_finds_its_traces(alice, traces):
    address, deposit, payout = traces["address"], traces["deposit"], traces["payout"]
    assert whats(address.address) == ["coin", "deposit", "deposit address"]
    assert whats(address.address.upper()) == ["coin", "deposit", "deposit address"]  # bech32 has no case
    assert whats(TXID) == ["coin", "deposit"]
    assert whats(OWN_TXID) == ["coin", "payout", "withdrawal"]  # what it spent, whom it paid
    assert whats(BLOCK) == ["block"]
    assert whats("700") == ["block", "deposit"]
    assert whats(OUTSIDE) == ["withdrawal"]
    assert (
        whats("alice@example.com")
        == whats(str(alice))
        == ["deposit", "deposit address", "deposit address", "withdrawal"]
    )
    assert found(str(deposit.pk)) == {("deposit", str(deposit.pk))}
    assert found(str(payout.pk)) == {("payout", str(payout.pk))}
    (line,) = tracing.find(str(traces["withdrawal"].pk)).lines
    assert (line.amount, line.state, line.owner_id, line.txid) == ("0.5 BTC", "broadcast", alice, OWN_TXID)


def test_an_evm_address_is_found_however_it_is_written(alice):
    text = Address.objects.get(owner_id=alice, network_id=3).address
    assert whats(text) == whats(text.lower()) == ["deposit address"]


@pytest.mark.parametrize(
    "word", ["x", "0x", "ee" * 32, "9" * 30, "nobody@example.com", "'; DROP TABLE x; --", "%", "\0", "é"]
)
def test_a_word_that_is_nothing_finds_nothing(alice, traces, word):
    assert tracing.find(word).lines == ()


def test_what_is_found_links_to_the_networks_explorer(traces, settings):
    settings.CHAINS = {**settings.CHAINS, "bitcoin": {**settings.CHAINS["bitcoin"], "network": "mainnet"}}
    pages = {line.what: line.explorer for line in tracing.find(TXID).lines}
    assert pages["deposit"].startswith("https://") and pages["deposit"].endswith(TXID)
    (block,) = tracing.find(BLOCK).lines
    assert "700" in block.explorer


@pytest.fixture
def browser(alice, settings):
    settings.AXES_ENABLED = False

    def make(*, may):
        user = get_user_model().objects.create(email=f"staff{int(may)}@example.com", is_staff=True, is_active=True)
        if may:
            user.user_permissions.add(Permission.objects.get(codename="view_trace"))
        client = Client()
        log_in_staff(client, user)
        return client

    return make


def test_the_page_shows_what_was_found(browser, traces):
    page = browser(may=True).get(FIND, {"q": OWN_TXID}).content.decode()
    assert reverse("admin:wallets_payout_change", args=[traces["payout"].pk]) in page
    assert OUTSIDE in page and "0.5 BTC" in page


def test_what_was_asked_is_escaped(browser):
    page = browser(may=True).get(FIND, {"q": '"><script>alert(1)</script>'}).content.decode()
    assert "<script>alert(1)" not in page


def test_only_who_may_see_addresses_may_find(browser):
    assert browser(may=False).get(FIND, {"q": TXID}).status_code == 403


HASHED = "encode(sha256(('{name}' || n)::bytea), 'hex')"
# Each table's copies of its one row: what differs from copy to copy, so that a new column breaks nothing here.
COPIES = {
    Address: "'address', 'filled-' || n, 'script', sha256(n::text::bytea), 'index', 1000 + n, 'owner_id', 1000000 + n",
    Block: "'height', 1000000 + n, 'hash', " + HASHED.format(name="block"),
    Deposit: "'id', gen_random_uuid(), 'owner_id', 1000000 + n, 'block_height', 1000000 + n, 'txid', "
    + HASHED.format(name="in"),
    Coin: "'spent_txid', " + HASHED.format(name="out") + ", 'txid', " + HASHED.format(name="in"),
    Movement: "'txid', " + HASHED.format(name="move"),
    Payout: "'id', gen_random_uuid(), 'txid', " + HASHED.format(name="out"),
    PayoutVersion: "'id', gen_random_uuid(), 'number', 10 + n, 'txid', " + HASHED.format(name="out"),
    Withdrawal: "'id', gen_random_uuid(), 'owner_id', 1000000 + n, 'address', 'to-' || n, 'idempotency_key', 'k' || n, "
    "'payout_id', null, 'payout_position', null",
}


def fill(cursor, model, which):
    table, numbered = model._meta.db_table, model._meta.pk.get_internal_type() == "BigAutoField"
    changed = COPIES[model] + (", 'id', 50000000 + n" if numbered else "")
    cursor.execute(
        f"INSERT INTO {table} SELECT (jsonb_populate_record(one, jsonb_build_object({changed}))).* "
        f"FROM {table} one, generate_series(1, {ROWS}) AS n WHERE one.id::text = %s",
        [str(which)],
    )


def test_every_question_goes_by_an_index(alice, traces):
    """Sequential scans are what makes a search slow at a million rows; the plans of the very statements that are sent say so."""
    address = traces["address"]
    Movement.objects.create(
        network_id=1, block_height=700, txid=TXID, position="0", address=address, asset_id=1, delta=1
    )
    with connection.cursor() as cursor:
        for model in COPIES:
            one = address.pk if model is Address else model.objects.values_list("pk", flat=True)[0]
            fill(cursor, model, one)
            cursor.execute(f"SELECT count(*) FROM {model._meta.db_table}")
            assert cursor.fetchone()[0] > ROWS, model
    words = [TXID, OWN_TXID, BLOCK, "700", str(alice), traces["address"].address, OUTSIDE, str(traces["deposit"].pk)]
    with CaptureQueriesContext(connection) as asked:
        for word in words:
            assert tracing.find(word).lines
    statements = [query["sql"] for query in asked if query["sql"].startswith("SELECT") and "wallets_" in query["sql"]]
    assert len(statements) > 20
    tables = [model._meta.db_table for model in COPIES]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(f"EXPLAIN {statement}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert not any(f"Seq Scan on {table}" in plan for table in tables), f"{statement}\n{plan}"
