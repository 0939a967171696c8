"""Bank transfers: announced, matched by staff, credited once however often somebody clicks."""

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from django.test import Client
from django.urls import reverse

from exchange.accounts.services import customers, staff
from exchange.audit.models import Record
from exchange.core import amounts
from exchange.core.errors import Conflict
from exchange.fiat import selectors
from exchange.fiat.models import BankDeposit
from exchange.fiat.services import deposits, statements
from exchange.ledger import reconciliation
from exchange.ledger import selectors as ledger
from exchange.ledger.selectors import stops
from exchange.ledger.services import stops as stopping
from exchange.notifications import selectors as notifications
from exchange.outbox import services as outbox
from tests.factors import log_in_staff

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
USD = 5

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return customers.open(email="alice@example.org", password="x" * 12, email_verified=True, now=NOW)


@pytest.fixture
def boss():
    return staff.open(email="boss@example.org", password="x" * 12, superuser=True, now=NOW)


def announce(user_id, amount="1000", now=NOW):
    return deposits.announce(user_id=user_id, amount=amount, now=now)


def settle(deposit, boss, amount="1000", bank_reference="TX-1", now=NOW):
    return deposits.settle(deposit_id=deposit.id, bank_reference=bank_reference, amount=amount, actor_id=boss, now=now)


def usd(user_id):
    return next(b.balance for b in ledger.balances(owner_id=user_id) if b.asset_id == USD)


def bank():
    return sum(t.balance for t in ledger.totals() if t.asset_id == USD and t.kind == "bank")


def test_an_announcement_gives_a_code_and_moves_nothing(alice):
    deposit = announce(alice, "1000.50")
    assert (deposit.announced, deposit.state, usd(alice)) == (100050, "announced", 0)
    assert selectors.by_reference(f" {deposit.reference.lower()} ") == deposit
    assert selectors.deposits(alice) == [deposit]


def test_what_arrives_is_credited_and_told(alice, boss):
    deposit = settle(announce(alice), boss, "999.99")
    assert (deposit.state, deposit.settled, usd(alice), bank()) == ("settled", 99999, 99999, -99999)
    transfer = ledger.transfer(id=deposit.transfer_id)
    assert (transfer.kind, transfer.reference) == ("bank_deposit", deposit.reference)
    record = Record.objects.get(action="bank_deposit.settle")
    assert (record.actor_id, record.after["bank_reference"]) == (boss, "TX-1")
    outbox.deliver(now=NOW)
    assert notifications.recent(alice)[0].title == "Bank transfer of 999.99 USD credited"


def test_settling_the_same_again_changes_nothing(alice, boss):
    deposit = announce(alice)
    assert settle(deposit, boss) == settle(deposit, boss, now=NOW + timedelta(days=1))
    assert usd(alice) == 100000
    assert Record.objects.filter(action="bank_deposit.settle").count() == 1


@pytest.mark.parametrize("change", [{"amount": "1001"}, {"bank_reference": "TX-2"}])
def test_settling_otherwise_than_before_is_refused(alice, boss, change):
    deposit = announce(alice)
    settle(deposit, boss)
    with pytest.raises(deposits.DepositClosed):
        settle(deposit, boss, **change)
    assert usd(alice) == 100000


def test_one_bank_transaction_is_credited_once_whoever_it_is_matched_to(alice, boss):
    first, second = announce(alice), announce(alice)
    settle(first, boss)
    with pytest.raises(deposits.BankReferenceUsed) as error:
        settle(second, boss)
    assert error.value.param == "bank_reference" and usd(alice) == 100000


@pytest.mark.django_db(transaction=True)
def test_ten_clerks_at_once_credit_once(alice, boss):
    first, second = announce(alice), announce(alice)
    start, outcomes = Barrier(10), []

    def run(deposit, bank_reference):
        start.wait()
        try:
            outcomes.append(settle(deposit, boss, bank_reference=bank_reference).state)
        except Conflict as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [
        Thread(target=run, args=(d, r)) for d in (first, second) for r in ("TX-1", "TX-1", "TX-1", "TX-2", "TX-2")
    ]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    settled = BankDeposit.objects.filter(state="settled").count()
    assert len(outcomes) == 10 and 1 <= settled <= 2
    assert usd(alice) == settled * 100000 == -bank()


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("0", "amount_out_of_range"),
        ("-5", "amount_invalid"),
        ("1.001", "amount_precision"),
        ("1e3", "amount_invalid"),
        ("", "amount_invalid"),
        ("10000000.01", "amount_out_of_range"),
        ("9" * 90, "amount_range"),
    ],
)
def test_a_wrong_amount_is_named_and_moves_nothing(alice, boss, amount, code):
    for attempt in (lambda: announce(alice, amount), lambda: settle(announce(alice), boss, amount)):
        with pytest.raises((deposits.AmountOutOfRange, amounts.InvalidRequest)) as error:
            attempt()
        assert (error.value.code, error.value.param) == (code, "amount")
    assert usd(alice) == 0


@pytest.mark.parametrize("bank_reference", ["", "  ", "x" * 65, "a\nb", None])
def test_a_settlement_needs_the_bank_s_reference(alice, boss, bank_reference):
    with pytest.raises(deposits.BankReferenceInvalid):
        settle(announce(alice), boss, bank_reference=bank_reference)


def test_only_so_many_announcements_wait(alice):
    for _ in range(deposits.OPEN_MAX):
        last = announce(alice)
    with pytest.raises(deposits.TooManyAnnounced):
        announce(alice)
    deposits.cancel(user_id=alice, deposit_id=last.id, now=NOW)
    announce(alice)


def test_a_customer_cancels_only_what_is_theirs_and_has_not_arrived(alice, boss):
    deposit = announce(alice)
    with pytest.raises(deposits.DepositNotFound):
        deposits.cancel(user_id=boss, deposit_id=deposit.id, now=NOW)
    settle(deposit, boss)
    with pytest.raises(deposits.DepositClosed):
        deposits.cancel(user_id=alice, deposit_id=deposit.id, now=NOW)
    cancelled = announce(alice)
    deposits.cancel(user_id=alice, deposit_id=cancelled.id, now=NOW)
    with pytest.raises(deposits.DepositClosed):
        settle(cancelled, boss, bank_reference="TX-9")


def test_deposits_that_are_stopped_cannot_be_announced(alice):
    stopping.stop(scope="deposits", reason="maintenance", now=NOW)
    with pytest.raises(stops.Stopped):
        announce(alice)


def test_reconciliation_holds_the_books_against_the_bank_s_statement(alice, boss, monkeypatch):
    monkeypatch.setattr(reconciliation, "_outside_sources", {"fiat:bank": statements.outside})
    settle(announce(alice), boss)
    assert reconciliation.run(now=NOW).ok  # nothing stated yet, nothing to hold against
    later = NOW + timedelta(hours=2)
    statements.record(balance="1000", as_of=NOW + timedelta(hours=1), actor_id=boss, now=later)
    settle(announce(alice), boss, "250", "TX-2", now=later)
    assert reconciliation.run(now=later).ok  # what was credited since the statement is explained
    statements.record(balance="1249.99", as_of=later, actor_id=boss, now=later)
    report = reconciliation.run(now=later)
    (mismatch,) = report.mismatches
    assert (mismatch.asset_id, mismatch.expected - mismatch.found) == (USD, 1)
    assert stops.is_stopped("withdrawals")


def test_a_statement_of_the_future_is_refused(boss):
    with pytest.raises(statements.StatementFromTheFuture):
        statements.record(balance="1", as_of=NOW + timedelta(seconds=1), actor_id=boss, now=NOW)


def test_a_statement_cannot_be_changed_by_the_runtime_role(boss):
    statements.record(balance="1", as_of=NOW, actor_id=boss, now=NOW)
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        connection.cursor().execute("UPDATE fiat_bank_statement SET balance = 5")


class TestBackOffice:
    @pytest.fixture
    def office(self, boss):
        client = Client()
        log_in_staff(client, boss)
        return client

    def match(self, office, deposit, **data):
        page = reverse("admin:fiat_bankdeposit_change", args=[deposit.id])
        return office.post(page, {"bank_reference": "TX-1", "arrived": "1000", **data})

    def test_a_clerk_matches_a_transfer(self, office, alice, boss):
        deposit = announce(alice)
        assert office.get(reverse("admin:fiat_bankdeposit_change", args=[deposit.id])).status_code == 200
        assert self.match(office, deposit).status_code == 302
        assert (usd(alice), BankDeposit.objects.get().settled_by) == (100000, boss)
        self.match(office, deposit)
        assert usd(alice) == 100000
        assert office.get(reverse("admin:fiat_bankdeposit_change", args=[deposit.id])).status_code == 200
        assert office.get(reverse("admin:fiat_bankdeposit_changelist")).status_code == 200

    @pytest.mark.parametrize("data", [{"arrived": "abc"}, {"arrived": ""}, {"bank_reference": ""}])
    def test_a_slip_is_shown_at_its_field_and_moves_nothing(self, office, alice, data):
        deposit = announce(alice)
        answer = self.match(office, deposit, **data)
        assert answer.status_code == 200
        assert next(iter(data)) in answer.context["adminform"].form.errors
        assert usd(alice) == 0

    def test_a_clerk_records_a_statement(self, office):
        page = reverse("admin:fiat_bankstatement_add")
        assert office.get(page).status_code == 200
        data = {"stated": "5000.25", "as_of_0": "2026-01-02", "as_of_1": "03:04:05"}
        assert office.post(page, data).status_code == 302
        assert office.post(page, {**data, "stated": "x"}).status_code == 200
        assert next(iter(statements.outside(NOW))).amount_seen == 500025
        assert office.get(reverse("admin:fiat_bankstatement_changelist")).status_code == 200
