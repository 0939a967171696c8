"""Holds: pending, then posted, voided or expired, once."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from exchange.ledger.journal import HoldState
from exchange.ledger.models import Hold as HoldRow
from exchange.ledger.services import holds, transfers

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(book):
    """A hold of 60 of Alice's 100."""
    book.deposit(book.alice, 100)
    return holds.place(id=uuid4(), account_id=book.alice, amount=60, now=book.now)


def test_what_is_held_cannot_be_spent(book, held):
    assert book.row(book.alice) == (100, 60)
    with pytest.raises(transfers.InsufficientFunds):
        book.post(book.transfer(book.alice, book.bob, 41))
    book.post(book.transfer(book.alice, book.bob, 40))


def test_more_than_is_available_cannot_be_held(book, held):
    with pytest.raises(holds.InsufficientFunds):
        holds.place(id=uuid4(), account_id=book.alice, amount=41, now=book.now)


def test_placing_again_gives_the_first_result_and_another_body_a_conflict(book, held):
    assert holds.place(id=held.id, account_id=book.alice, amount=60, now=book.now) == held
    with pytest.raises(holds.HoldConflict):
        holds.place(id=held.id, account_id=book.alice, amount=61, now=book.now)
    with pytest.raises(holds.HoldConflict):
        holds.place(id=held.id, account_id=book.bob, amount=60, now=book.now)
    assert book.row(book.alice) == (100, 60)


def test_settling_posts_and_releases_what_was_not_taken(book, held):
    payment = book.transfer(book.alice, book.bob, 50)
    receipt = holds.settle(id=held.id, transfer=payment, now=book.now)
    assert book.row(book.alice) == (50, 0)
    again = holds.settle(id=held.id, transfer=payment, now=book.now)
    assert (again.transfer_id, again.replayed) == (receipt.transfer_id, True)
    assert book.row(book.alice) == (50, 0)


def test_a_settled_hold_takes_no_other_resolution(book, held):
    holds.settle(id=held.id, transfer=book.transfer(book.alice, book.bob, 60), now=book.now)
    with pytest.raises(holds.HoldResolved):
        holds.void(id=held.id, now=book.now)
    with pytest.raises(holds.HoldResolved):
        holds.settle(id=held.id, transfer=book.transfer(book.alice, book.bob, 60), now=book.now)


@pytest.mark.parametrize("amount", [61, 100])
def test_settling_takes_no_more_than_was_held(book, held, amount):
    with pytest.raises(holds.HoldExceeded):
        holds.settle(id=held.id, transfer=book.transfer(book.alice, book.bob, amount), now=book.now)
    assert book.row(book.alice) == (100, 60)


def test_a_transfer_posted_before_does_not_settle_a_hold(book, held):
    payment = book.post(book.transfer(book.alice, book.bob, 10))
    with pytest.raises(holds.TransferConflict):
        holds.settle(id=held.id, transfer=payment, now=book.now)
    assert book.row(book.alice) == (90, 60)


def test_voiding_releases_once(book, held):
    assert holds.void(id=held.id, now=book.now).state == HoldState.VOIDED
    assert holds.void(id=held.id, now=book.now).state == HoldState.VOIDED
    assert book.row(book.alice) == (100, 0)
    with pytest.raises(holds.HoldResolved):
        holds.settle(id=held.id, transfer=book.transfer(book.alice, book.bob, 60), now=book.now)


def test_a_hold_expires_at_its_time_and_not_before(book):
    book.deposit(book.alice, 100)
    until = book.now + timedelta(minutes=15)
    hold = holds.place(id=uuid4(), account_id=book.alice, amount=60, now=book.now, expires_at=until)
    assert holds.expire_due(now=until - timedelta(seconds=1)) == 0
    assert holds.expire_due(now=until) == 1
    assert holds.expire_due(now=until) == 0
    assert book.row(book.alice) == (100, 0)
    assert HoldRow.objects.get(id=hold.id).state == HoldState.EXPIRED


def test_an_unknown_hold_is_not_found(book):
    with pytest.raises(holds.HoldNotFound):
        holds.void(id=uuid4(), now=book.now)


@pytest.mark.parametrize("amount", [0, -1, 1.5, True])
def test_only_an_amount_above_zero_is_held(book, amount):
    with pytest.raises(holds.InvalidHold):
        holds.place(id=uuid4(), account_id=book.alice, amount=amount, now=book.now)


def test_nothing_is_held_on_an_account_whose_kind_holds_nothing(book):
    book.deposit(book.fees, 100)
    with pytest.raises(holds.InvalidHold):
        holds.place(id=uuid4(), account_id=book.fees, amount=1, now=book.now)


def test_the_database_itself_refuses_a_second_resolution(book, held):
    holds.void(id=held.id, now=book.now)
    with pytest.raises(IntegrityError, match="already"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_hold SET state = 'posted', transfer_uuid = id WHERE id = %s", (str(held.id),))


class TestSettlingTogether:
    """A batch is settled as one: each hold by its own transfer, or none of them."""

    @pytest.fixture
    def two(self, book, held):
        """Two more holds, of Alice's and of Bob's."""
        book.deposit(book.bob, 50)
        return (
            holds.place(id=uuid4(), account_id=book.alice, amount=30, now=book.now),
            holds.place(id=uuid4(), account_id=book.bob, amount=20, now=book.now),
        )

    def test_all_are_posted_and_what_was_not_taken_is_released(self, book, held, two):
        first, second = two
        settlements = {
            held.id: book.transfer(book.alice, book.fees, 60),
            first.id: book.transfer(book.alice, book.fees, 25),
            second.id: book.transfer(book.bob, book.fees, 20),
        }
        assert len(holds.settle_all(settlements=settlements, now=book.now)) == 3
        assert [book.row(account) for account in (book.alice, book.bob, book.fees)] == [(15, 0), (30, 0), (105, 0)]
        for hold_id, transfer in settlements.items():
            row = HoldRow.objects.get(id=hold_id)
            assert (row.state, row.transfer_uuid) == (HoldState.POSTED, transfer.id)
        with pytest.raises(holds.HoldResolved):
            holds.settle_all(settlements=settlements, now=book.now)

    def test_one_that_takes_too_much_lets_none_through(self, book, held, two):
        _, second = two
        settlements = {
            held.id: book.transfer(book.alice, book.fees, 60),
            second.id: book.transfer(book.bob, book.fees, 21),
        }
        with pytest.raises(holds.HoldExceeded):
            holds.settle_all(settlements=settlements, now=book.now)
        with pytest.raises(holds.HoldNotFound):
            holds.settle_all(settlements={**settlements, uuid4(): book.transfer(book.bob, book.fees, 1)}, now=book.now)
        assert (book.row(book.alice), book.row(book.bob)) == ((100, 90), (50, 20))
