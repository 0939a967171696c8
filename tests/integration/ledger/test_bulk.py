"""Bulk posting as the engine does it: one batch, one chain, exactly what was given."""

from uuid import uuid4

import psycopg2
import pytest
from django.db import connection

from exchange.ledger import bulk, journal
from exchange.ledger.journal import Entry, Transfer
from exchange.ledger.models import Batch, Writer
from exchange.ledger.verification import EPOCH

pytestmark = pytest.mark.django_db


def trade(book, amount=1):
    return Transfer(uuid4(), "trade", (Entry(book.alice, -amount), Entry(book.bob, amount)), "trade:1")


def post(book, transfers, *, writer="shard-0", held_deltas=None):
    with connection.cursor() as cursor:
        bulk.lock(cursor, journal.net(transfers).keys() | set(held_deltas or {}))
        return bulk.post(cursor, writer=writer, transfers=transfers, held_deltas=held_deltas, now=book.now)


def test_a_thousand_transfers_are_one_batch_in_order(book):
    book.deposit(book.alice, 10_000)
    trades = [trade(book, n + 1) for n in range(100)]
    receipt = post(book, trades)
    assert receipt.transfer_ids == sorted(receipt.transfer_ids)
    assert len(receipt.transfer_ids) == 100
    assert book.row(book.bob) == (5050, 0)


def test_a_writers_batches_form_a_chain_that_the_journal_computes_alike(book):
    book.deposit(book.alice, 100)
    batches = [[trade(book), trade(book)], [trade(book)]]
    receipts = [post(book, batch) for batch in batches]
    writer = Writer.objects.get(name="shard-0")
    previous = journal.GENESIS
    for seq, (batch, receipt) in enumerate(zip(batches, receipts, strict=True), start=1):
        previous = journal.chain(
            previous=previous, writer_id=writer.id, seq=seq, digests=[journal.digest(t) for t in batch],
            posted_at_us=int((book.now - EPOCH).total_seconds()) * 1_000_000,
        )  # fmt: skip
        assert (receipt.seq, receipt.hash) == (seq, previous)
    assert bytes(writer.head) == previous


def test_writers_have_chains_of_their_own(book):
    book.deposit(book.alice, 100)
    assert post(book, [trade(book)], writer="shard-0").seq == 1
    assert post(book, [trade(book)], writer="shard-1").seq == 1
    assert Batch.objects.filter(writer_id=Writer.objects.get(name="shard-1").id).count() == 1


def test_held_is_released_before_and_taken_after_the_entries(book):
    """Alice spends all she has, all of it held; Bob has what comes in held at once: both pass through no wrong state."""
    book.deposit(book.alice, 100)
    post(book, [], held_deltas={book.alice: 100})
    post(book, [trade(book, 100)], held_deltas={book.alice: -100, book.bob: 100})
    assert book.row(book.alice) == (0, 0)
    assert book.row(book.bob) == (100, 100)


def test_held_alone_makes_no_batch(book):
    book.deposit(book.alice, 100)
    before = Batch.objects.count()
    receipt = post(book, [], held_deltas={book.alice: 7, book.bob: 0})
    assert receipt == bulk.BatchReceipt(None, None, None, [])
    assert Batch.objects.count() == before
    assert book.row(book.alice) == (100, 7)


@pytest.mark.parametrize("held", [{"alice": 101}, {"alice": -1}])
def test_held_beyond_the_balance_or_below_zero_is_refused(book, held):
    book.deposit(book.alice, 100)
    with pytest.raises(Exception, match="ledger_account_held"):
        post(book, [], held_deltas={book.alice: held["alice"]})


def test_a_transfer_id_used_before_is_refused(book):
    book.deposit(book.alice, 100)
    first = trade(book)
    post(book, [first])
    with pytest.raises(Exception, match="duplicate key"):
        post(book, [first])


def test_more_entries_than_a_transfer_has_places_are_refused(book):
    lines = tuple(Entry(book.alice, -1) for _ in range(16)) + tuple(Entry(book.bob, 1) for _ in range(17))
    with pytest.raises(journal.JournalError):
        post(book, [Transfer(uuid4(), "trade", lines)])


def test_thirty_two_entries_keep_their_order(book):
    book.deposit(book.alice, 1_000)
    lines = tuple(Entry(book.alice, -n) if n % 2 else Entry(book.bob, n - 1) for n in range(1, 33))
    [transfer_id] = post(book, [Transfer(uuid4(), "trade", lines)]).transfer_ids
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT account_id, amount::bigint FROM ledger_entry WHERE transfer_id = %s ORDER BY id", (transfer_id,)
        )
        assert tuple(Entry(*row) for row in cursor.fetchall()) == lines


def test_locking_an_account_that_does_not_exist_is_refused(book):
    with connection.cursor() as cursor, pytest.raises(bulk.UnknownAccount, match="999999"):
        bulk.lock(cursor, [book.alice, 999_999])


def test_a_batch_has_a_limit(book):
    with pytest.raises(ValueError, match="4096"):
        post(book, [trade(book)] * 4097)


def test_psycopg2_is_what_django_uses_here():
    assert connection.Database is psycopg2
