"""Transfers: once for each id, all of a call or nothing, never more than there is."""

import pytest

from exchange.ledger.journal import Entry, Kind
from exchange.ledger.models import Entry as EntryRow
from exchange.ledger.services import accounts, transfers

pytestmark = pytest.mark.django_db


def test_a_transfer_moves_both_balances(book):
    book.deposit(book.alice, 100)
    book.post(book.transfer(book.alice, book.bob, 30))
    assert book.row(book.alice) == (70, 0)
    assert book.row(book.bob) == (30, 0)
    assert book.row(book.wallet) == (-100, 0)


def test_the_same_id_and_body_gives_the_first_result(book):
    deposit = book.transfer(book.wallet, book.alice, 100, kind="deposit")
    first = transfers.post(transfers=[deposit], now=book.now)
    again = transfers.post(transfers=[deposit], now=book.now)
    assert [r.replayed for r in first + again] == [False, True]
    assert first[0].transfer_id == again[0].transfer_id
    assert book.row(book.alice) == (100, 0)


@pytest.mark.parametrize("change", ["amount", "kind", "reference", "account"])
def test_the_same_id_with_another_body_is_a_conflict(book, change):
    deposit = book.deposit(book.alice, 100)
    other = {
        "amount": deposit._replace(entries=(Entry(book.wallet, -101), Entry(book.alice, 101))),
        "kind": deposit._replace(kind="gift"),
        "reference": deposit._replace(reference="x"),
        "account": deposit._replace(entries=(Entry(book.wallet, -100), Entry(book.bob, 100))),
    }[change]
    with pytest.raises(transfers.TransferConflict):
        transfers.post(transfers=[other], now=book.now)
    assert book.row(book.alice) == (100, 0)


def test_more_than_there_is_moves_nothing_of_the_whole_call(book):
    book.deposit(book.alice, 100)
    with pytest.raises(transfers.InsufficientFunds):
        transfers.post(
            transfers=[book.transfer(book.alice, book.bob, 60), book.transfer(book.alice, book.fees, 41)],
            now=book.now,
        )
    assert book.row(book.alice) == (100, 0)
    assert EntryRow.objects.count() == 2


def test_money_may_pass_through_an_account_within_one_call(book):
    book.deposit(book.alice, 100)
    transfers.post(
        transfers=[book.transfer(book.bob, book.fees, 100), book.transfer(book.alice, book.bob, 100)], now=book.now
    )
    assert book.row(book.fees) == (100, 0)


def test_a_debit_account_does_not_cross_zero(book):
    book.deposit(book.alice, 100)
    with pytest.raises(transfers.InsufficientFunds):
        book.post(book.transfer(book.alice, book.fees, 100))
        book.post(book.transfer(book.fees, book.wallet, 101))


def test_entries_that_do_not_sum_to_zero_in_each_asset_are_refused(book):
    usdt = accounts.open(kind=Kind.CUSTOMER, asset_id=4, owner_id=11, now=book.now)
    crooked = book.transfer(book.wallet, usdt, 100)
    with pytest.raises(transfers.InvalidTransfer) as refused:
        transfers.post(transfers=[crooked], now=book.now)
    assert refused.value.param == "not_zero"


def test_an_unknown_account_is_refused(book):
    with pytest.raises(transfers.UnknownAccount):
        transfers.post(transfers=[book.transfer(book.wallet, 999_999, 5)], now=book.now)


def test_a_call_may_hold_old_and_new_transfers(book):
    old = book.deposit(book.alice, 100)
    new = book.transfer(book.alice, book.bob, 40)
    receipts = transfers.post(transfers=[new, old], now=book.now)
    assert [(r.id, r.replayed) for r in receipts] == [(new.id, False), (old.id, True)]
    assert book.row(book.alice) == (60, 0)


def test_opening_an_account_twice_gives_the_same_one(book):
    again = accounts.open(kind=Kind.CUSTOMER, asset_id=1, owner_id=11, now=book.now)
    assert again == book.alice
    both = accounts.open_customer(owner_id=11, asset_ids=[1, 2], now=book.now)
    assert both[1] == book.alice
    assert set(both) == {1, 2}


@pytest.mark.parametrize(("kind", "owner"), [("customer", None), ("house_fees", 11)])
def test_an_account_has_an_owner_if_its_kind_does(book, kind, owner):
    with pytest.raises(accounts.InvalidAccount):
        accounts.open(kind=kind, asset_id=1, owner_id=owner, now=book.now)


def test_a_reference_and_a_kind_come_back_as_they_went_in(book):
    reference = 'a "quoted" \\ {reference}, with NULL and ünïcode'
    posted = book.post(book.transfer(book.wallet, book.alice, 7, kind="deposit", reference=reference))
    from exchange.ledger.models import Transfer as TransferRow

    assert TransferRow.objects.get(uuid=posted.id).reference == reference


def test_amounts_past_sixty_four_bits_are_exact(book):
    amount = 10**60 + 1
    book.deposit(book.alice, amount)
    book.post(book.transfer(book.alice, book.bob, 10**60))
    assert book.row(book.alice) == (1, 0)
