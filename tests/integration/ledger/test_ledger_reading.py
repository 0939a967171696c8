"""What the ledger shows: selectors, staff pages, tasks and upkeep."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.urls import reverse

from exchange.audit.models import Record
from exchange.ledger import selectors, tasks, upkeep
from exchange.ledger.journal import Kind
from exchange.ledger.models import Entry, Hold, Stop, Transfer, TransferKey
from exchange.ledger.services import accounts, freezes, holds, transfers
from tests.factors import log_in_staff

pytestmark = pytest.mark.django_db
ALICE = 11


@pytest.fixture
def staff(client: Client) -> Client:
    user = get_user_model().objects.create_superuser(email="staff@example.com", password="x")
    log_in_staff(client, user)
    return client


def test_balances_say_what_is_available(book):
    book.deposit(book.alice, 100)
    holds.place(id=uuid4(), account_id=book.alice, amount=30, now=book.now)
    accounts.open(kind=Kind.CUSTOMER, asset_id=4, owner_id=ALICE, now=book.now)
    accounts.open(kind=Kind.RECEIVABLE, asset_id=4, owner_id=ALICE, now=book.now)
    first, second = selectors.balances(owner_id=ALICE)
    assert (first.asset_id, first.account_id, first.balance, first.held, first.available) == (
        1,
        book.alice,
        100,
        30,
        70,
    )
    assert (second.asset_id, second.balance, second.available) == (4, 0, 0)
    assert selectors.account_ids(owner_id=ALICE) == {1: book.alice, 4: second.account_id}
    assert selectors.owner_of(account_ids=[book.alice, book.bob, book.fees]) == {book.alice: 11, book.bob: 12}
    assert selectors.account_ids_of(owner_ids=[12, 11, 99]) == {
        11: {1: book.alice, 4: second.account_id}, 12: {1: book.bob},
    }  # fmt: skip


def test_history_is_newest_first_and_goes_on_from_a_cursor(book):
    book.deposit(book.alice, 100)
    for amount in (1, 2, 3):
        book.post(book.transfer(book.alice, book.bob, amount, reference=f"payment:{amount}"))
    page = selectors.history(account_id=book.alice, limit=2)
    assert [m.amount for m in page] == [-3, -2]
    rest = selectors.history(account_id=book.alice, before=page[-1].id)
    assert [(m.amount, m.kind, m.reference) for m in rest] == [(-1, "payment", "payment:1"), (100, "deposit", "")]
    assert rest[-1].posted_at == book.now


def test_a_transfer_is_found_by_its_clients_id(book):
    deposit = book.deposit(book.alice, 100)
    view = selectors.transfer(id=deposit.id)
    assert (view.id, view.kind, view.posted_at) == (deposit.id, "deposit", book.now)
    assert [(line.account_id, line.asset_id, line.amount) for line in view.entries] == [
        (book.wallet, 1, -100), (book.alice, 1, 100),
    ]  # fmt: skip
    assert selectors.transfer(id=uuid4()) is None


def test_totals_of_an_asset_sum_to_zero(book):
    book.deposit(book.alice, 100)
    book.post(book.transfer(book.alice, book.fees, 7))
    totals = {total.kind: total.balance for total in selectors.totals() if total.asset_id == 1}
    assert totals == {Kind.CUSTOMER: 93, Kind.HOUSE_FEES: 7, Kind.CHAIN_WALLET: -100}
    assert sum(totals.values()) == 0


def test_a_hold_can_be_looked_up(book):
    book.deposit(book.alice, 100)
    hold = holds.place(id=uuid4(), account_id=book.alice, amount=30, now=book.now)
    assert selectors.holds.get(id=hold.id) == hold
    assert selectors.holds.get(id=uuid4()) is None


@pytest.mark.parametrize("model", ["account", "transfer", "entry", "batch", "hold", "freeze"])
def test_staff_see_the_book_and_can_change_nothing(book, staff, model):
    deposit = book.deposit(book.alice, 100)
    holds.place(id=uuid4(), account_id=book.alice, amount=30, now=book.now)
    freezes.freeze(owner_id=ALICE, reason="An enquiry.", actor=None, now=book.now)
    listed = staff.get(reverse(f"admin:ledger_{model}_changelist"))
    assert listed.status_code == 200
    assert staff.get(reverse(f"admin:ledger_{model}_add")).status_code == 403
    row = {
        "account": book.alice,
        "transfer": Transfer.objects.get(uuid=deposit.id).id,
        "entry": Entry.objects.get(account_id=book.alice).id,
        "batch": Transfer.objects.get(uuid=deposit.id).batch_id,
        "hold": Hold.objects.get().id,
        "freeze": freezes.Freeze.objects.get().id,
    }[model]
    page = reverse(f"admin:ledger_{model}_change", args=[row])
    assert staff.get(page).status_code == 200
    assert staff.post(page, {"balance": "1", "amount": "1"}).status_code == 403
    assert staff.post(reverse(f"admin:ledger_{model}_delete", args=[row]), {"post": "yes"}).status_code == 403


def test_staff_stop_the_withdrawals_of_one_asset(staff):
    form = {"scope": "trading", "asset": "USDT", "reason": "Its contract answers false."}
    assert (
        b"Only withdrawals are stopped of one asset alone" in staff.post(reverse("admin:ledger_stop_add"), form).content
    )
    assert staff.post(reverse("admin:ledger_stop_add"), {**form, "scope": "withdrawals"}).status_code == 302
    assert Stop.objects.get().scope == "withdrawals:USDT"
    assert selectors.stops.stopped_of("withdrawals") == {"USDT"}


def test_staff_stop_and_lift_with_reasons(staff):
    user = get_user_model().objects.get(email="staff@example.com")
    form = {"scope": "withdrawals", "reason": "A key may be lost."}
    assert staff.post(reverse("admin:ledger_stop_add"), form).status_code == 302
    stop = Stop.objects.get()
    assert (stop.scope, stop.reason, stop.actor_id) == ("withdrawals", "A key may be lost.", user.id)
    page = reverse("admin:ledger_stop_change", args=[stop.id])
    assert staff.post(page, {"lifted_reason": ""}).status_code == 200
    assert selectors.stops.is_stopped("withdrawals")
    assert staff.post(page, {"lifted_reason": "It was found."}).status_code == 302
    assert not selectors.stops.is_stopped("withdrawals")
    stop.refresh_from_db()
    assert (stop.lifted_by, stop.lifted_reason) == (user.id, "It was found.")
    assert staff.post(page, {"lifted_reason": "Once more."}).status_code == 403
    assert [r.actor_id for r in Record.objects.filter(subject=f"stop:{stop.id}")] == [user.id, user.id]


def test_tasks_do_the_upkeep(book):
    book.deposit(book.alice, 100)
    long_ago = book.now - timedelta(days=900)
    holds.place(id=uuid4(), account_id=book.alice, amount=30, now=long_ago - timedelta(days=1), expires_at=long_ago)
    tasks.expire_holds(an_argument_of_an_older_version=1)
    assert book.row(book.alice) == (100, 0)
    tasks.reconcile()
    tasks.verify()
    assert not selectors.stops.is_stopped("withdrawals")


def test_keys_past_their_retention_go_and_the_others_stay(book):
    old = book.transfer(book.wallet, book.alice, 5, kind="deposit")
    transfers.post(transfers=[old], now=book.now - timedelta(days=900))
    new = book.deposit(book.alice, 7)
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        current = cursor.fetchone()[0]
    recent = book.transfer(book.wallet, book.alice, 9, kind="deposit")
    transfers.post(transfers=[recent], now=current)
    assert upkeep.expire_keys() >= 1
    kept = set(TransferKey.objects.values_list("uuid", flat=True))
    assert old.id not in kept
    assert recent.id in kept
    assert (new.id in kept) is (current - book.now < timedelta(days=400))
    tasks.verify()
    assert not selectors.stops.is_stopped("withdrawals"), "a book without its oldest keys is still right"


@pytest.mark.django_db(transaction=True)
def test_partitions_are_made_ahead_and_take_what_comes(book, owner_connection):
    book.deposit(book.alice, 100)
    assert upkeep.make_partitions() == 0
    with owner_connection.cursor() as cursor:
        cursor.execute("SELECT setval('ledger_transfer_id_seq', 3 * (1 << 24) - 1)")
    assert upkeep.make_partitions() == 4  # two more of transfers, two more of entries
    last = book.transfer(book.alice, book.bob, 1)
    transfers.post(transfers=[book.transfer(book.alice, book.bob, 1), last], now=book.now)
    assert Transfer.objects.get(uuid=last.id).id >= 3 * (1 << 24)
    with owner_connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger_entry_p3")
        assert cursor.fetchone()[0] > 0
        cursor.execute("SELECT has_table_privilege('bourse_app', 'ledger_entry_p3', 'SELECT, INSERT, UPDATE, DELETE')")
        assert cursor.fetchone() == (False,)
        cursor.execute("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'ledger_entry_p3'::regclass")
        assert cursor.fetchone() == (2,)
    tasks.make_partitions()
