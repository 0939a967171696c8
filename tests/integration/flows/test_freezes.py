"""Freezing a customer: orders cancelled by the real engine, debts paid, and no crash leaves it half done."""

import os
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from exchange.accounts.services import customers, staff
from exchange.flows.models import Freeze
from exchange.flows.services import freezes
from exchange.ledger import selectors as ledger
from exchange.ledger.journal import Entry, Kind, Transfer
from exchange.ledger.services import accounts, reversals, transfers
from exchange.outbox import services as outbox
from exchange.outbox.models import Event
from tests.factors import log_in_staff
from tests.second_person import approve
from trading import selectors as trading
from trading.services import markets, orders

USDT = 4
UNIT = 10**6

pytestmark = pytest.mark.django_db(transaction=True)


def now():
    return datetime.now(UTC)


@pytest.fixture
def alice():
    user_id = customers.open(email="alice@example.org", password="x" * 12, now=now())
    deposit(user_id, 1000)
    return user_id


@pytest.fixture
def boss():
    return staff.open(email="boss@example.org", password="x" * 12, superuser=True, now=now())


def wallet():
    return accounts.open(kind=Kind.CHAIN_WALLET, asset_id=USDT, label="ethereum", now=now())


def deposit(user_id, amount):
    entries = (Entry(wallet(), -amount * UNIT), Entry(ledger.account_ids(owner_id=user_id)[USDT], amount * UNIT))
    transfers.post(transfers=[Transfer(uuid4(), "deposit", entries)], now=now())


def buy(user_id, price, quantity="0.01"):
    return orders.place_sync(
        user_id=user_id, market="BTC-USDT", side="buy", type="limit", price=price, quantity=quantity, now=now()
    )


def usdt(user_id):
    found = next(b for b in ledger.balances(owner_id=user_id) if b.asset_id == USDT)
    return found.balance // UNIT, found.held // UNIT


def test_it_freezes_cancels_every_order_and_frees_what_they_held(engine, alice, boss):
    engine.start()
    [buy(alice, price) for price in ("10000", "20000", "30000")]
    assert usdt(alice) == (1000, 600)
    job_id = freezes.start(user_id=alice, reason="Police letter 7", actor_id=boss, now=now())
    assert freezes.advance_due(now=now()) == 1
    job = Freeze.objects.get(id=job_id)
    assert (job.state, job.orders_cancelled, job.finished_at is not None) == ("done", 3, True)
    assert ledger.is_frozen(owner_id=alice) and usdt(alice) == (1000, 0)
    assert trading.open_orders(alice) == []
    with pytest.raises(orders.AccountFrozen):
        buy(alice, "10000")
    assert Event.objects.get(topic="flows.customer_frozen").payload["orders_cancelled"] == 3
    assert freezes.lift(user_id=alice, reason="Letter withdrawn", actor_id=boss, now=now())
    buy(alice, "10000")


def test_an_engine_that_is_down_delays_the_orders_and_not_the_freeze(engine, alice, settings):
    engine.start()
    buy(alice, "10000")
    engine.end()
    settings.ENGINE_REPLY_TIMEOUT_S = 1.0
    start = now()
    job_id = freezes.start(user_id=alice, reason="x", actor_id=None, now=start)
    freezes.advance_due(now=start)
    job = Freeze.objects.get(id=job_id)
    assert (job.state, job.attempts) == ("frozen", 1) and job.error
    assert ledger.is_frozen(owner_id=alice)
    assert freezes.advance_due(now=start) == 0  # it waits before it tries again
    settings.ENGINE_REPLY_TIMEOUT_S = 60.0
    engine.start()
    assert freezes.advance_due(now=start + timedelta(seconds=freezes.WAIT_FIRST_S)) == 1
    job.refresh_from_db()
    assert (job.state, job.attempts, job.error) == ("done", 0, "")
    assert trading.open_orders(alice) == []


def test_orders_in_a_halted_market_keep_the_job_waiting_until_they_can_go(engine, alice, boss):
    engine.start()
    buy(alice, "10000")
    orders.place_sync(
        user_id=alice, market="ETH-USDT", side="buy", type="limit", price="100", quantity="0.01", now=now()
    )
    markets.set_state_sync(symbol="BTC-USDT", state="halted", actor_id=boss, now=now())
    start = now()
    job_id = freezes.start(user_id=alice, reason="x", actor_id=boss, now=start)
    freezes.advance_due(now=start)
    job = Freeze.objects.get(id=job_id)
    assert (job.state, job.error.partition(":")[0]) == ("frozen", "orders_remain")
    assert [order.market for order in trading.open_orders(alice)] == ["BTC-USDT"]
    markets.set_state_sync(symbol="BTC-USDT", state="cancel_only", actor_id=boss, now=now())
    freezes.advance_due(now=start + timedelta(seconds=freezes.WAIT_FIRST_S))
    job.refresh_from_db()
    assert (job.state, trading.open_orders(alice)) == ("done", [])


CRASHING = textwrap.dedent(
    """
    import os, signal, sys
    import django
    django.setup()
    from django.utils import timezone
    from exchange.flows.services import freezes
    from exchange.flows.models import Freeze

    name, when = sys.argv[1], sys.argv[2]
    done = freezes._STEPS[name]

    def step(job, now):
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done(job, now)
        os.kill(os.getpid(), signal.SIGKILL)

    freezes._STEPS[name] = step
    freezes.advance_due(now=timezone.now())
    """
)


@pytest.mark.parametrize("step", ["requested", "frozen", "cancelled"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_killed_at_any_step_leaves_a_job_that_the_next_one_finishes(engine, alice, tmp_path, step, when):
    engine.start()
    buy(alice, "10000")
    job_id = freezes.start(user_id=alice, reason="x", actor_id=None, now=now())
    script = tmp_path / "advance.py"
    script.write_text(CRASHING)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.dev", "PYTHONPATH": "."}
    assert subprocess.run([sys.executable, script, step, when], env=environment, timeout=240).returncode == -9
    assert Freeze.objects.get(id=job_id).state == step  # the mark goes with its step or not at all
    freezes.advance_due(now=now())
    assert Freeze.objects.get(id=job_id).state == "done"
    assert ledger.is_frozen(owner_id=alice) and trading.open_orders(alice) == [] and usdt(alice) == (1000, 0)
    assert Event.objects.filter(topic="flows.customer_frozen").count() == 1
    assert Event.objects.filter(topic="ledger.frozen").count() == 1


def test_a_reversal_that_leaves_a_debt_cancels_the_orders_and_pays_from_them(engine, alice):
    """The design's rule: cancel open orders, take what is available, the rest is the customer's debt."""
    engine.start()
    buy(alice, "40000", "0.02")  # holds 800 of 1,000
    taken = reversals.take_back(
        id=uuid4(),
        owner_id=alice,
        asset_id=USDT,
        amount=900 * UNIT,
        against_account_id=wallet(),
        kind="reversal",
        reference="reorg",
        now=now(),
    )
    assert (taken.taken // UNIT, taken.receivable // UNIT) == (200, 700)
    outbox.deliver(now=now())
    freezes.advance_due(now=now())
    assert ledger.receivables(owner_id=alice).get(USDT, 0) == 0
    assert usdt(alice) == (100, 0)
    assert not ledger.is_frozen(owner_id=alice)


def test_a_later_deposit_pays_the_debt_first(engine, alice, boss):
    engine.start()
    accounts.open_customer(owner_id=boss, asset_ids=[USDT], now=now())
    deposit(boss, 1000)
    reversals.take_back(
        id=uuid4(),
        owner_id=alice,
        asset_id=USDT,
        amount=1500 * UNIT,
        against_account_id=wallet(),
        kind="reversal",
        reference="reorg",
        now=now(),
    )
    outbox.deliver(now=now())
    freezes.advance_due(now=now())
    assert ledger.receivables(owner_id=alice)[USDT] == 500 * UNIT and ledger.is_frozen(owner_id=alice)
    deposit(alice, 800)
    with transaction.atomic():
        payload = {"user_id": alice, "deposit_id": "d1", "asset": "USDT", "network": "ethereum", "amount": "800"}
        payload |= {"address": "0x", "txid": "0x"}
        outbox.append(topic="wallets.deposit_credited", key="address:0x", payload=payload, now=now())
    outbox.deliver(now=now())
    assert usdt(alice) == (300, 0) and not ledger.is_frozen(owner_id=alice)


def test_a_second_start_gives_the_job_that_is_under_way(alice):
    first = freezes.start(user_id=alice, reason="x", actor_id=None, now=now())
    assert freezes.start(user_id=alice, reason="y", actor_id=None, now=now()) == first
    assert Freeze.objects.count() == 1


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_freeze_needs_a_reason(alice, reason):
    with pytest.raises(freezes.ReasonMissing):
        freezes.start(user_id=alice, reason=reason, actor_id=None, now=now())


def test_staff_start_and_lift_it_in_the_back_office(engine, alice, boss):
    engine.start()
    client = Client()
    log_in_staff(client, boss)
    client.post(reverse("admin:flows_freeze_add"), {"user_id": alice, "reason": "Court order"})
    freezes.advance_due(now=now())
    job = Freeze.objects.get()
    assert (job.actor_id, job.reason, job.state) == (boss, "Court order", "done")
    page = reverse("admin:flows_freeze_changelist")
    assert b"Court order" in client.get(page).content
    client.post(page, {"action": "lift", "_selected_action": [job.id], "reason": "The order was lifted"})
    assert ledger.is_frozen(owner_id=alice), "one person alone lifts no freeze"
    approve()
    assert not ledger.is_frozen(owner_id=alice)
