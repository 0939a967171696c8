"""Take back what is there, owe the rest, frozen until it is paid."""

from uuid import uuid4

import pytest

from exchange.ledger import selectors
from exchange.ledger.services import accounts, freezes, holds, reversals, transfers
from exchange.outbox.models import Event

pytestmark = pytest.mark.django_db
ALICE, BTC = 11, 1


def take_back(book, amount, *, id=None, reference="deposit:7"):
    return reversals.take_back(
        id=id or uuid4(), owner_id=ALICE, asset_id=BTC, amount=amount, against_account_id=book.wallet,
        kind="deposit_reversal", reference=reference, now=book.now,
    )  # fmt: skip


def test_what_is_available_is_taken_and_nobody_is_frozen(book):
    book.deposit(book.alice, 100)
    assert take_back(book, 60) == reversals.Reversal(taken=60, receivable=0)
    assert book.row(book.alice) == (40, 0)
    assert book.row(book.wallet) == (-40, 0)
    assert not selectors.is_frozen(owner_id=ALICE)


def test_the_rest_becomes_a_debt_and_freezes_the_customer_in_every_asset(book):
    book.deposit(book.alice, 100)
    other = accounts.open(kind="customer", asset_id=4, owner_id=ALICE, now=book.now)
    book.post(book.transfer(book.alice, book.bob, 70))
    assert take_back(book, 100) == reversals.Reversal(taken=30, receivable=70)
    assert book.row(book.alice) == (0, 0)
    assert selectors.receivables(owner_id=ALICE) == {BTC: 70}
    with pytest.raises(holds.AccountFrozen):
        holds.place(id=uuid4(), account_id=other, amount=1, now=book.now)
    assert Event.objects.filter(topic="ledger.frozen", key=f"user:{ALICE}").count() == 1


def test_what_is_held_is_left_to_its_hold(book):
    book.deposit(book.alice, 100)
    hold = holds.place(id=uuid4(), account_id=book.alice, amount=80, now=book.now)
    assert take_back(book, 100) == reversals.Reversal(taken=20, receivable=80)
    assert book.row(book.alice) == (80, 80)
    holds.settle(id=hold.id, transfer=book.transfer(book.alice, book.bob, 80), now=book.now)


def test_the_same_reversal_again_gives_the_first_split(book):
    book.deposit(book.alice, 100)
    book.post(book.transfer(book.alice, book.bob, 70))
    id = uuid4()
    first = take_back(book, 100, id=id)
    book.deposit(book.alice, 1_000)
    assert take_back(book, 100, id=id) == first
    assert book.row(book.alice) == (1_000, 0)


@pytest.mark.parametrize("change", [{"amount": 99}, {"reference": "deposit:8"}])
def test_the_same_id_for_another_reversal_is_a_conflict(book, change):
    book.deposit(book.alice, 100)
    id = uuid4()
    take_back(book, 100, id=id)
    with pytest.raises(reversals.TransferConflict):
        take_back(book, **{"amount": 100, **change}, id=id)


def test_money_that_comes_in_later_pays_the_debt_and_frees_the_customer(book):
    book.deposit(book.alice, 100)
    book.post(book.transfer(book.alice, book.bob, 100))
    take_back(book, 100)
    book.deposit(book.alice, 60)
    assert reversals.repay(id=uuid4(), owner_id=ALICE, asset_id=BTC, now=book.now) == reversals.Repayment(60, 40)
    assert selectors.is_frozen(owner_id=ALICE)
    book.deposit(book.alice, 50)
    id = uuid4()
    assert reversals.repay(id=id, owner_id=ALICE, asset_id=BTC, now=book.now) == reversals.Repayment(40, 0)
    assert reversals.repay(id=id, owner_id=ALICE, asset_id=BTC, now=book.now) == reversals.Repayment(40, 0)
    assert book.row(book.alice) == (10, 0)
    assert not selectors.is_frozen(owner_id=ALICE)
    book.post(book.transfer(book.alice, book.bob, 10))


def test_a_debt_paid_does_not_lift_what_staff_froze(book):
    book.deposit(book.bob, 100)
    freezes.freeze(owner_id=ALICE, reason="An enquiry.", actor=1, now=book.now)
    take_back(book, 100)
    book.deposit(book.alice, 100)
    reversals.repay(id=uuid4(), owner_id=ALICE, asset_id=BTC, now=book.now)
    assert selectors.is_frozen(owner_id=ALICE)
    with pytest.raises(transfers.AccountFrozen):
        book.deposit(book.alice, 10)
        book.post(book.transfer(book.alice, book.bob, 10))


def test_nothing_owed_is_nothing_paid(book):
    book.deposit(book.alice, 100)
    assert reversals.repay(id=uuid4(), owner_id=ALICE, asset_id=BTC, now=book.now) == reversals.Repayment(0, 0)
    assert book.row(book.alice) == (100, 0)


def test_a_debt_is_made_by_a_reversal_alone(book):
    book.deposit(book.bob, 100)
    receivable = accounts.open(kind="receivable", asset_id=BTC, owner_id=ALICE, now=book.now)
    with pytest.raises(transfers.InvalidTransfer, match="reversal"):
        book.post(book.transfer(receivable, book.alice, 5))


def test_a_debt_paid_by_somebody_else_frees_the_customer_at_the_next_repayment(book):
    book.deposit(book.alice, 100)
    book.post(book.transfer(book.alice, book.bob, 100))
    take_back(book, 100)
    receivable = accounts.open(kind="receivable", asset_id=BTC, owner_id=ALICE, now=book.now)
    book.post(book.transfer(book.bob, receivable, 100))
    reversals.repay(id=uuid4(), owner_id=ALICE, asset_id=BTC, now=book.now)
    assert not selectors.is_frozen(owner_id=ALICE)
