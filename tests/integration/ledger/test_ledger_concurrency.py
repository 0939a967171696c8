"""Many at once: one balance is never overdrawn, one id never posted twice, nobody slips past a freeze."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import connection

from exchange.ledger import reconciliation, selectors, verification
from exchange.ledger.journal import Entry, Transfer
from exchange.ledger.models import Account, Batch, Writer
from exchange.ledger.services import accounts, freezes, holds, reversals, transfers

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 32


def at_once(work, count=THREADS):
    """Runs `work(n)` in `count` threads that start together; results, or the exceptions they ended with."""
    barrier = Barrier(count)

    def one(n):
        try:
            barrier.wait()
            return work(n)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_thirty_two_threads_never_overdraw_one_balance(book):
    book.deposit(book.alice, 1_000)

    def spend(n):
        paid = 0
        for _ in range(4):
            try:
                book.post(book.transfer(book.alice, book.bob, 37))
                paid += 37
            except transfers.InsufficientFunds:
                pass
        return paid

    paid = at_once(spend)
    assert sum(paid) == 27 * 37  # 128 tries at 37 of 1,000: as many as fit, and not one more
    assert book.row(book.alice) == (1_000 - 27 * 37, 0)
    assert verification.verify().finding is None


def test_holds_and_payments_together_never_take_more_than_there_is(book):
    book.deposit(book.alice, 1_000)

    def work(n):
        if n % 2:
            return holds.place(id=uuid4(), account_id=book.alice, amount=60, now=book.now)
        return transfers.post(transfers=[book.transfer(book.alice, book.bob, 60)], now=book.now)

    done = [result for result in at_once(work) if not isinstance(result, Exception)]
    assert len(done) == 16
    balance, held = book.row(book.alice)
    assert balance - held == 1_000 - 16 * 60


def test_the_same_transfer_from_thirty_two_threads_is_posted_once(book):
    deposit = book.transfer(book.wallet, book.alice, 100, kind="deposit")
    receipts = [receipt for [receipt] in at_once(lambda n: transfers.post(transfers=[deposit], now=book.now))]
    assert sum(not receipt.replayed for receipt in receipts) == 1
    assert len({receipt.transfer_id for receipt in receipts}) == 1
    assert book.row(book.alice) == (100, 0)


def test_one_id_with_many_bodies_is_posted_once_and_the_rest_are_conflicts(book):
    """Bodies on accounts of their own share no lock: only the unique key stands between them."""
    wallets = [accounts.open(kind="chain_wallet", asset_id=1, label=f"w{n}", now=book.now) for n in range(8)]
    owners = [accounts.open(kind="customer", asset_id=1, owner_id=100 + n, now=book.now) for n in range(8)]
    id = uuid4()

    def work(n):
        return transfers.post(
            transfers=[Transfer(id, "deposit", (Entry(wallets[n], -5), Entry(owners[n], 5)))], now=book.now
        )

    results = at_once(work, 8)
    assert sum(isinstance(result, list) for result in results) == 1
    assert sum(isinstance(result, transfers.TransferConflict) for result in results) == 7
    assert sum(book.row(owner)[0] for owner in owners) == 5


def test_one_hold_is_resolved_once(book):
    book.deposit(book.alice, 1_000)
    hold = holds.place(id=uuid4(), account_id=book.alice, amount=100, now=book.now)

    def work(n):
        if n % 2:
            return holds.void(id=hold.id, now=book.now).state
        return holds.settle(id=hold.id, transfer=book.transfer(book.alice, book.bob, 100), now=book.now)

    results = at_once(work)
    settled = [r for r in results if isinstance(r, holds.Receipt)]
    balance, held = book.row(book.alice)
    assert held == 0
    assert balance == 1_000 - 100 * len(settled)
    assert len(settled) <= 1
    assert all(isinstance(r, holds.HoldResolved | holds.Receipt | str) for r in results)


def test_crossing_payments_do_not_deadlock(book):
    book.deposit(book.alice, 10_000)
    book.deposit(book.bob, 10_000)

    def work(n):
        source, target = (book.alice, book.bob) if n % 2 else (book.bob, book.alice)
        for amount in range(1, 6):
            transfers.post(
                transfers=[book.transfer(source, target, amount), book.transfer(target, book.fees, 1)], now=book.now
            )

    assert at_once(work) == [None] * THREADS
    assert book.row(book.fees) == (160, 0)
    assert verification.verify().finding is None


def test_an_account_opened_during_a_freeze_does_not_slip_past_it(book):
    for round_number in range(5):
        owner = 1_000 + round_number

        def work(n, owner=owner):
            if n == 0:
                freezes.freeze(owner_id=owner, reason="An enquiry.", actor=None, now=book.now)
            else:
                accounts.open(kind="customer", asset_id=n, owner_id=owner, now=book.now)

        assert at_once(work, 16) == [None] * 16
        assert set(Account.objects.filter(owner_id=owner).values_list("frozen", flat=True)) == {True}


def test_an_account_opened_by_many_is_one(book):
    ids = at_once(lambda n: accounts.open(kind="customer", asset_id=9, owner_id=77, now=book.now))
    assert len(set(ids)) == 1


def test_reversals_and_payments_at_once_lose_nothing(book):
    book.deposit(book.alice, 1_000)
    book.deposit(book.bob, 1_000)

    def work(n):
        if n % 4 == 0:
            return reversals.take_back(
                id=uuid4(), owner_id=11, asset_id=1, amount=100, against_account_id=book.wallet,
                kind="deposit_reversal", reference=f"deposit:{n}", now=book.now,
            )  # fmt: skip
        return transfers.post(transfers=[book.transfer(book.alice, book.bob, 50)], now=book.now)

    results = at_once(work)
    allowed = (list, reversals.Reversal, transfers.InsufficientFunds, transfers.AccountFrozen)
    assert all(isinstance(result, allowed) for result in results)
    taken = sum(r.taken for r in results if isinstance(r, reversals.Reversal))
    paid = 50 * sum(isinstance(r, list) for r in results)
    owed = selectors.receivables(owner_id=11).get(1, 0)
    assert taken + owed == 800
    assert book.row(book.alice)[0] == 1_000 - taken - paid >= 0
    assert verification.verify().finding is None


def test_services_spread_over_their_lanes(book):
    book.deposit(book.alice, 10_000)
    at_once(lambda n: [book.post(book.transfer(book.alice, book.bob, 1)) for _ in range(3)])
    used = set(Batch.objects.values_list("writer_id", flat=True))
    assert used <= set(Writer.objects.filter(lane=True).values_list("id", flat=True))
    assert book.row(book.bob) == (96, 0)


def test_reconciliation_raises_no_false_alarm_while_money_moves(book):
    """Checks run by eight at once, between payments and holds of others: each sees one moment of the book."""
    book.deposit(book.alice, 10_000)

    def work(n):
        for _ in range(5):
            if n % 4 == 0:
                assert reconciliation.run(now=book.now).mismatches == ()
            elif n % 4 == 1:
                hold = holds.place(id=uuid4(), account_id=book.alice, amount=1, now=book.now)
                holds.void(id=hold.id, now=book.now)
            else:
                book.post(book.transfer(book.alice, book.bob, 1))

    assert at_once(work) == [None] * THREADS
    assert reconciliation.run(now=book.now).ok
    assert not selectors.stops.is_stopped("withdrawals")
    assert book.row(book.bob) == (80, 0)
