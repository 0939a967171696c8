"""Limits on coins: what passes a deposit limit is held, never lost, and credited once; withdrawals count in both windows."""

from __future__ import annotations

import itertools
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection, connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.accounts.models import User
from exchange.accounts.services import staff
from exchange.assets.models import Rate
from exchange.audit.models import Record
from exchange.core.errors import DomainError
from exchange.ledger import selectors as ledger
from exchange.outbox.models import Event
from kyc.kinds import WITHDRAWAL
from kyc.services import levels
from kyc.services.limits import LimitExceeded
from tests.factors import log_in_staff
from tests.integration.wallets.limited import ALICE, BTC, COIN, DOLLARS, balance, total, used, whole
from wallets import selectors
from wallets.models import Deposit, Withdrawal
from wallets.services import crediting, holding, scanning, withdrawals

BOB = 102
OUTSIDE = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
KEYS = itertools.count()

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("limited")]


def test_what_passes_the_limit_is_held_and_shown_and_owed(pay, clock):
    (first,) = pay(COIN // 2)
    (second,) = pay(COIN)
    assert (first.state, first.worth, second.state, second.held_for) == ("credited", 5_000 * DOLLARS, "held", "limit")
    assert (second.credited_at, second.worth, second.held_at) == (None, None, clock.now)
    assert (balance(), total("suspense"), total("chain_wallet")) == (COIN // 2, COIN, -3 * COIN // 2)
    assert used(now=clock.now) == 5_000 * DOLLARS
    whole()
    view = next(each for each in selectors.deposits(ALICE) if each.id == second.id)
    assert (view.state, view.held_for, view in selectors.pending(ALICE)) == ("held", "limit", True)
    told = [event.topic for event in Event.objects.order_by("id") if event.payload.get("deposit_id") == str(second.id)]
    assert told[-1] == "wallets.deposit_held"
    assert ledger.transfer(id=second.transfer_id).kind == "deposit_held"


def test_of_two_in_one_batch_the_second_counts_the_first(pay, clock):
    found = pay(COIN * 7 // 10, COIN * 6 // 10, COIN * 3 // 10)
    assert sorted(each.state for each in found) == ["credited", "credited", "held"]
    assert balance() + total("suspense") == COIN * 16 // 10
    assert used(now=clock.now) <= 10_000 * DOLLARS
    whole()


def test_it_is_credited_when_the_day_frees_and_then_the_month_counts(pay, clock):
    pay(COIN)
    (second,) = pay(COIN // 2)
    (third,) = pay(COIN // 4)
    assert (second.state, third.state) == ("held", "held")
    assert holding.release_due(now=clock.now) == 0
    clock.wait(hours=25)
    assert holding.release_due(now=clock.now) == 1  # $15,000 in 30 days
    second.refresh_from_db()
    third.refresh_from_db()
    assert (second.state, second.held_for, second.worth, third.state) == ("credited", "", 5_000 * DOLLARS, "held")
    assert second.credited_at == clock.now
    assert balance() == COIN * 3 // 2
    whole()
    clock.wait(days=30)
    assert holding.release_due(now=clock.now) == 1
    assert (balance(), total("suspense")) == (COIN * 7 // 4, 0)
    assert holding.release_due(now=clock.now) == 0
    whole()


def test_it_is_credited_at_a_higher_level(pay, clock):
    (held,) = pay(2 * COIN)
    levels.assign(user_id=ALICE, level=2, reason="Passport seen", actor_id=1, now=clock.now)
    assert holding.release_due(now=clock.now) == 1
    held.refresh_from_db()
    assert (held.state, balance()) == ("credited", 2 * COIN)
    transfer = ledger.transfer(id=held.release_id)
    assert (transfer.kind, transfer.reference) == ("deposit", f"bitcoin:{held.txid}:{held.position}")


def test_who_has_no_limit_waits_for_no_price(pay, clock):
    Rate.objects.all().delete()
    (own,) = pay(50 * COIN, user_id=BOB)
    assert (own.state, own.worth) == ("credited", None)


def test_without_a_price_it_waits_for_one(pay, clock):
    clock.now += timedelta(hours=25)  # the prices are too old by now
    (held,) = pay(COIN // 10)
    assert (held.state, held.held_for) == ("held", "price")
    Rate.objects.filter(asset_id=BTC).delete()
    assert holding.release_due(now=clock.now) == 0
    Rate.objects.create(asset_id=BTC, price=200_000, as_of=clock.now, fetched_at=clock.now, source="test")
    assert holding.release_due(now=clock.now) == 0
    held.refresh_from_db()
    assert held.held_for == "limit"  # its worth is known now, and too much
    Rate.objects.filter(asset_id=BTC).update(price=90_000)
    assert holding.release_due(now=clock.now) == 1
    held.refresh_from_db()
    assert (held.state, held.worth) == ("credited", 9_000 * DOLLARS)


def test_nothing_is_let_go_while_deposits_are_stopped(pay, clock):
    from exchange.ledger.services import stops

    pay(2 * COIN)
    levels.assign(user_id=ALICE, level=2, reason="Passport seen", actor_id=1, now=clock.now)
    stops.stop(scope="deposits", reason="For a test", actor=None, now=clock.now)
    assert holding.release_due(now=clock.now) == 0


def test_staff_credit_it_with_a_reason_once(pay, clock):
    (held,) = pay(2 * COIN)
    with pytest.raises(holding.NoteMissing):
        holding.release(deposit_id=held.id, actor_id=9, note=" ", now=clock.now)
    boss = staff.open(email="boss@example.org", password="x" * 12, superuser=True, now=clock.now)
    office = Client()
    log_in_staff(office, User.objects.get(id=boss))
    assert b"Credit it now" in office.get(reverse("admin:wallets_deposit_change", args=[held.id])).content
    deed = reverse("admin:wallets_deposit_deed", args=[held.id])
    office.post(deed, {"deed": "release", "note": "Papers seen"})
    office.post(deed, {"deed": "release", "note": "Papers seen"})
    held.refresh_from_db()
    assert (held.state, balance(), held.worth) == ("credited", 2 * COIN, 20_000 * DOLLARS)
    record = Record.objects.get(action="deposit.release")
    assert (record.actor_id, record.after["note"]) == (boss, "Papers seen")
    assert used(now=timezone.now()) == 20_000 * DOLLARS
    with pytest.raises(holding.DepositNotHeld):
        holding.release(deposit_id=held.id, actor_id=9, note="Again", now=clock.now)
    whole()


def test_all_at_once_it_is_credited_once(pay, clock):
    held = pay(COIN * 11 // 10, COIN * 12 // 10)
    levels.assign(user_id=ALICE, level=4, reason="Visited", actor_id=1, now=clock.now)
    start = Barrier(6)

    def run(work):
        start.wait()
        try:
            work()
        except holding.DepositNotHeld:
            pass
        finally:
            connections.close_all()

    by_staff = [
        lambda each=each: holding.release(deposit_id=each.id, actor_id=9, note="x", now=clock.now) for each in held
    ]
    works = [lambda: holding.release_due(now=clock.now)] * 4 + by_staff
    threads = [Thread(target=run, args=(work,)) for work in works]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert balance() == COIN * 23 // 10
    assert Deposit.objects.filter(state="credited").count() == 2
    whole()


def test_a_reorganisation_takes_a_held_one_back_and_holds_it_again(pay, paper, clock):
    (held,) = pay(2 * COIN)
    paper.reorganise(9, lost=1.0)
    for _ in range(12):
        paper.mine()
    scanning.scan(network="bitcoin", now=clock.now)
    held.refresh_from_db()
    assert (held.state, held.held_for, total("suspense"), total("chain_wallet"), balance()) == ("orphaned", "", 0, 0, 0)
    assert holding.release_due(now=clock.now) == 0
    whole()


def test_a_reorganisation_takes_back_what_was_let_go(pay, paper, clock):
    (held,) = pay(2 * COIN)
    levels.assign(user_id=ALICE, level=2, reason="Passport seen", actor_id=1, now=clock.now)
    holding.release_due(now=clock.now)
    assert balance() == 2 * COIN
    paper.reorganise(9, lost=1.0)
    for _ in range(12):
        paper.mine()
    scanning.scan(network="bitcoin", now=clock.now)
    held.refresh_from_db()
    assert (held.state, held.release_id, balance(), total("chain_wallet")) == ("orphaned", None, 0, 0)
    assert used(now=clock.now) == 0
    whole()


def test_the_second_booking_of_a_deposit_has_transfers_of_its_own(pay, clock):
    (held,) = pay(2 * COIN)
    first = held.transfer_id
    # As a reorganisation and a new block leave it: taken back, and deep enough again.
    Deposit.objects.filter(id=held.id).update(reversal_due=True, state="orphaned", held_for="", block_height=None)
    from wallets import routes

    assert crediting.reverse_due(routes=routes.of("bitcoin"), now=clock.now) == 1
    whole()
    Deposit.objects.filter(id=held.id).update(state="confirming", block_height=held.block_height)
    assert crediting.credit_due(routes=routes.of("bitcoin"), now=clock.now) == 1
    held.refresh_from_db()
    assert (held.state, held.credits) == ("held", 2) and held.transfer_id != first
    levels.assign(user_id=ALICE, level=2, reason="Passport seen", actor_id=1, now=clock.now)
    assert holding.release_due(now=clock.now) == 1
    assert (balance(), total("suspense")) == (2 * COIN, 0)
    whole()


# --- Withdrawals ------------------------------------------------------------------------------------------------------------


def ask(amount, *, now, user_id=ALICE):
    return withdrawals.request(
        user_id=user_id, asset="BTC", network="bitcoin", address=OUTSIDE, amount=amount, idempotency_key=f"{next(KEYS)}",
        now=now,
    )  # fmt: skip


@pytest.fixture
def rich(house, fund):
    fund(ALICE, BTC, 10 * COIN)


def test_withdrawals_count_in_a_day_and_in_30_days(rich, clock):
    ask("0.9", now=clock.now)
    with pytest.raises(LimitExceeded, match="1000 of 10000 USD in 24 hours"):
        ask("0.2", now=clock.now)
    clock.wait(hours=25)
    with pytest.raises(LimitExceeded, match="6000 of 15000 USD in 30 days"):
        ask("0.7", now=clock.now)
    ask("0.6", now=clock.now)
    clock.wait(days=31)
    ask("1", now=clock.now)


def test_a_withdrawal_keeps_the_price_of_its_request(rich, clock):
    view = ask("0.5", now=clock.now)
    Rate.objects.filter(asset_id=BTC).update(price=100_000)
    assert Withdrawal.objects.get(id=view.id).worth == used(WITHDRAWAL, now=clock.now) == 5_000 * DOLLARS
    ask("0.05", now=clock.now)
    with pytest.raises(LimitExceeded):
        ask("0.01", now=clock.now)


def test_what_did_not_leave_is_given_back(rich, clock):
    view = ask("1", now=clock.now)
    with pytest.raises(LimitExceeded):
        ask("0.1", now=clock.now)
    withdrawals.cancel(user_id=ALICE, withdrawal_id=view.id, now=clock.now)
    assert used(WITHDRAWAL, now=clock.now) == 0
    ask("1", now=clock.now)


def test_an_old_price_is_a_refusal_and_holds_nothing(rich, clock):
    with pytest.raises(DomainError) as refused:
        ask("0.01", now=clock.now + timedelta(hours=25))
    assert (refused.value.status, refused.value.code) == (503, "worth_unknown")
    assert not Withdrawal.objects.exists()


def test_many_requests_at_once_never_pass_the_limit(rich, clock):
    start, done = Barrier(12), []

    def withdraw():
        start.wait()
        try:
            ask("0.3", now=clock.now)
            done.append("held")
        except LimitExceeded:
            done.append("refused")
        finally:
            connection.close()

    threads = [Thread(target=withdraw) for _ in range(12)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(done) == ["held"] * 3 + ["refused"] * 9
    assert used(WITHDRAWAL, now=clock.now) == 9_000 * DOLLARS
