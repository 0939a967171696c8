"""A frozen customer spends nothing; a stop stops everybody; both are lifted with a reason, and all of it is on record."""

from uuid import uuid4

import pytest

from exchange.audit.models import Record
from exchange.ledger import selectors
from exchange.ledger.services import accounts, freezes, holds, stops, transfers
from exchange.outbox.models import Event

pytestmark = pytest.mark.django_db
ALICE = 11


@pytest.fixture
def frozen(book):
    book.deposit(book.alice, 100)
    freezes.freeze(owner_id=ALICE, reason="An enquiry.", actor=3, now=book.now)


def test_a_frozen_customer_neither_pays_nor_holds(book, frozen):
    with pytest.raises(transfers.AccountFrozen):
        book.post(book.transfer(book.alice, book.bob, 1))
    with pytest.raises(holds.AccountFrozen):
        holds.place(id=uuid4(), account_id=book.alice, amount=1, now=book.now)
    assert book.row(book.alice) == (100, 0)


def test_a_frozen_customer_still_receives(book, frozen):
    book.deposit(book.alice, 5)
    assert book.row(book.alice) == (105, 0)


@pytest.mark.parametrize("kind", ["reversal", "repayment", "correction", "seizure"])
def test_the_house_may_still_take_what_it_must(book, frozen, kind):
    book.post(book.transfer(book.alice, book.fees, 5, kind=kind))
    assert book.row(book.alice) == (95, 0)


def test_a_hold_placed_before_still_settles(book):
    book.deposit(book.alice, 100)
    hold = holds.place(id=uuid4(), account_id=book.alice, amount=60, now=book.now)
    freezes.freeze(owner_id=ALICE, reason="An enquiry.", actor=3, now=book.now)
    holds.settle(id=hold.id, transfer=book.transfer(book.alice, book.bob, 60), now=book.now)
    assert book.row(book.alice) == (40, 0)


def test_an_account_opened_while_frozen_is_frozen(book, frozen):
    account = accounts.open(kind="customer", asset_id=2, owner_id=ALICE, now=book.now)
    wallet = accounts.open(kind="chain_wallet", asset_id=2, now=book.now)
    book.post(book.transfer(wallet, account, 9, kind="deposit"))
    other = accounts.open(kind="customer", asset_id=2, owner_id=12, now=book.now)
    with pytest.raises(transfers.AccountFrozen):
        book.post(book.transfer(account, other, 9))


def test_a_customer_is_free_when_the_last_freeze_is_lifted(book, frozen):
    freezes.freeze(owner_id=ALICE, reason="A court order.", actor=3, now=book.now, source="court")
    assert not freezes.freeze(owner_id=ALICE, reason="Again.", actor=3, now=book.now, source="court")
    assert not freezes.unfreeze(owner_id=ALICE, reason="Cleared.", actor=3, now=book.now)
    with pytest.raises(transfers.AccountFrozen):
        book.post(book.transfer(book.alice, book.bob, 1))
    assert freezes.unfreeze(owner_id=ALICE, reason="Lifted.", actor=3, now=book.now, source="court")
    book.post(book.transfer(book.alice, book.bob, 1))


def test_freezing_is_told_and_recorded(book, frozen):
    freezes.unfreeze(owner_id=ALICE, reason="Cleared.", actor=4, now=book.now)
    assert [e.topic for e in Event.objects.filter(key=f"user:{ALICE}").order_by("id")] == [
        "ledger.frozen",
        "ledger.unfrozen",
    ]
    records = Record.objects.filter(subject=f"user:{ALICE}").order_by("id")
    assert [(r.actor_id, r.action) for r in records] == [(3, "ledger.frozen"), (4, "ledger.unfrozen")]


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_freeze_and_its_lifting_need_reasons(book, reason):
    with pytest.raises(freezes.InvalidFreeze):
        freezes.freeze(owner_id=ALICE, reason=reason, actor=3, now=book.now)
    freezes.freeze(owner_id=ALICE, reason="An enquiry.", actor=3, now=book.now)
    with pytest.raises(freezes.InvalidFreeze):
        freezes.unfreeze(owner_id=ALICE, reason=reason, actor=3, now=book.now)


def test_what_is_not_frozen_cannot_be_unfrozen(book):
    with pytest.raises(freezes.NotFrozen):
        freezes.unfreeze(owner_id=ALICE, reason="Cleared.", actor=3, now=book.now)


def test_a_stop_holds_until_it_is_lifted(book):
    stop_id = stops.stop(scope="withdrawals", reason="A key may be lost.", actor=3, now=book.now)
    assert selectors.stops.is_stopped("withdrawals")
    assert not selectors.stops.is_stopped("trading")
    with pytest.raises(selectors.stops.Stopped) as stopped:
        selectors.stops.ensure_open("withdrawals")
    assert (stopped.value.code, stopped.value.status) == ("withdrawals_stopped", 503)
    stops.lift(stop_id=stop_id, reason="It was found.", actor=3, now=book.now)
    selectors.stops.ensure_open("withdrawals")


def test_a_stop_of_one_asset_leaves_the_others_alone(book):
    stop_id = stops.stop(scope="withdrawals:USDT", reason="Its contract answers false.", actor=3, now=book.now)
    assert not selectors.stops.is_stopped("withdrawals") and not selectors.stops.is_stopped("withdrawals", of="BTC")
    assert selectors.stops.is_stopped("withdrawals", of="USDT")
    assert selectors.stops.stopped_of("withdrawals") == {"USDT"}
    selectors.stops.ensure_open("withdrawals", of="BTC")
    with pytest.raises(selectors.stops.Stopped, match="Withdrawals of USDT are stopped") as stopped:
        selectors.stops.ensure_open("withdrawals", of="USDT")
    assert stopped.value.code == "withdrawals_stopped"
    stops.lift(stop_id=stop_id, reason="Delisted.", actor=3, now=book.now)
    selectors.stops.ensure_open("withdrawals", of="USDT")
    for scope in ("trading:USDT", "withdrawals:", "withdrawals:usdt", "withdrawals:A B"):
        with pytest.raises(stops.InvalidStop):
            stops.stop(scope=scope, reason="No.", now=book.now)
    with pytest.raises(selectors.stops.Stopped, match="Withdrawals are stopped"):
        stops.stop(scope="withdrawals", reason="All.", now=book.now)
        selectors.stops.ensure_open("withdrawals", of="USDT")


def test_each_source_has_its_own_stop_and_all_must_be_lifted(book):
    first = stops.stop(scope="withdrawals", reason="One.", now=book.now)
    assert stops.stop(scope="withdrawals", reason="One again.", now=book.now) == first
    second = stops.stop(scope="withdrawals", reason="Two.", now=book.now, source="reconciliation:zero")
    stops.lift(stop_id=first, reason="Done.", actor=3, now=book.now)
    assert [s.id for s in selectors.stops.active()] == [second]
    assert selectors.stops.is_stopped("withdrawals")
    assert Event.objects.filter(topic="ledger.stopped").count() == 2


def test_a_stop_is_lifted_once_and_with_a_reason(book):
    stop_id = stops.stop(scope="trading", reason="Maintenance.", now=book.now)
    with pytest.raises(stops.InvalidStop):
        stops.lift(stop_id=stop_id, reason=" ", actor=3, now=book.now)
    stops.lift(stop_id=stop_id, reason="Done.", actor=3, now=book.now)
    with pytest.raises(stops.StopNotFound):
        stops.lift(stop_id=stop_id, reason="Done.", actor=3, now=book.now)


def test_there_is_no_stop_of_something_unknown(book):
    with pytest.raises(stops.InvalidStop):
        stops.stop(scope="everything", reason="Because.", now=book.now)
