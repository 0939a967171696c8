"""The alarm: what somebody changed behind the book's back is found, named, and stops withdrawals."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from exchange.ledger import journal, reconciliation, selectors, verification
from exchange.ledger.journal import Entry, Transfer
from exchange.ledger.models import Batch
from exchange.ledger.models import Transfer as TransferRow
from exchange.ledger.reconciliation import Outside
from exchange.ledger.services import accounts, holds, stops
from exchange.outbox.models import Event

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def traded(book):
    """Some history: deposits, payments, a pending hold."""
    book.deposit(book.alice, 1_000)
    book.deposit(book.bob, 500)
    for amount in (1, 2, 3):
        book.post(book.transfer(book.alice, book.bob, amount, reference=f"payment:{amount}"))
    holds.place(id=uuid4(), account_id=book.alice, amount=100, now=book.now)
    return book


@pytest.fixture
def as_owner(owner_connection):
    """Tampers as the owner can: with the triggers off."""

    def run(*statements: str) -> None:
        with owner_connection.cursor() as cursor:
            for table in ("ledger_entry", "ledger_transfer", "ledger_batch"):
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute("ALTER TABLE ledger_entry_p0 DISABLE TRIGGER USER")
            cursor.execute("ALTER TABLE ledger_transfer_p0 DISABLE TRIGGER USER")
            for statement in statements:
                cursor.execute(statement)
                assert cursor.rowcount > 0, "nothing was tampered with"

    return run


def verify_fails(capsys) -> str:
    with pytest.raises(SystemExit) as ended:
        call_command("ledger", "verify", "--quiet")
    assert ended.value.code == 1
    return capsys.readouterr().err


def run(book, **options):
    return reconciliation.run(now=book.now, **options)


def test_a_book_in_order_passes_everything(traded, capsys):
    assert run(traded).ok
    assert run(traded).ok
    assert run(traded, full=True).ok
    call_command("ledger", "verify")
    out = capsys.readouterr().out
    assert "The ledger is right: 5 transfers, 10 entries, 5 batches, 4 accounts" in out
    assert not selectors.stops.is_stopped("withdrawals")


@pytest.mark.parametrize("reconciled_before", [True, False])
def test_an_edited_balance_stops_withdrawals_and_is_named(traded, as_owner, capsys, reconciled_before):
    if reconciled_before:
        run(traded)
    as_owner(f"UPDATE ledger_account SET balance = balance + 1000000 WHERE id = {traded.bob}")
    report = run(traded)
    assert {(m.sort, m.account_id) for m in report.mismatches} == {("balance", traded.bob), ("zero", None)}
    assert selectors.stops.is_stopped("withdrawals")
    event = Event.objects.filter(topic="ledger.mismatch").order_by("id").first()
    assert event.payload["account_id"] == traded.bob
    assert (event.payload["expected"], event.payload["found"]) == ("506", "1000506")
    assert f"ledger_account {traded.bob}: its balance is 1000506, its entries sum to 506" in verify_fails(capsys)


def test_two_balances_edited_so_that_the_asset_still_sums_to_zero_are_found(traded, as_owner):
    run(traded)
    as_owner(
        f"UPDATE ledger_account SET balance = balance + 5 WHERE id = {traded.bob}",
        f"UPDATE ledger_account SET balance = balance - 5 WHERE id = {traded.alice}",
    )
    assert [(m.sort, m.account_id) for m in run(traded).mismatches] == [
        ("balance", traded.alice),
        ("balance", traded.bob),
    ]


def test_a_lifted_stop_comes_back_while_nothing_is_mended(traded, as_owner):
    as_owner(f"UPDATE ledger_account SET balance = balance + 1 WHERE id = {traded.bob}")
    run(traded)
    events = Event.objects.filter(topic="ledger.mismatch").count()
    run(traded)
    assert Event.objects.filter(topic="ledger.mismatch").count() == events, "told once while the stop stands"
    for stop in selectors.stops.active():
        stops.lift(stop_id=stop.id, reason="Looks fine to me.", actor=1, now=traded.now)
    assert not selectors.stops.is_stopped("withdrawals")
    run(traded)
    assert selectors.stops.is_stopped("withdrawals")


def test_entries_posted_outside_the_chains_are_found(traded, owner_connection, capsys):
    run(traded)
    with owner_connection.cursor() as cursor:  # balanced, so the owner's triggers take it, and move the balances
        cursor.execute(
            "INSERT INTO ledger_entry VALUES (%s, 900000, %s, -77), (%s, 900000, %s, 77)",
            (900000 * 32, traded.wallet, 900000 * 32 + 1, traded.bob),
        )
    report = run(traded)
    assert {m.account_id for m in report.mismatches} == {traded.wallet, traded.bob}
    assert "posted outside the chains" in report.mismatches[0].detail
    assert f"ledger_entry {900000 * 32}: belongs to no transfer" in verify_fails(capsys)


def test_an_entry_and_its_balances_changed_together_are_found(traded, as_owner, capsys):
    """The cleverest owner: the amounts of a posted transfer and both balances, all consistent. Its digest is not."""
    payment = "(SELECT id FROM ledger_transfer WHERE reference = 'payment:3')"
    as_owner(
        f"UPDATE ledger_entry SET amount = amount * 2 WHERE transfer_id = {payment}",
        f"UPDATE ledger_account SET balance = balance - 3 WHERE id = {traded.alice}",
        f"UPDATE ledger_account SET balance = balance + 3 WHERE id = {traded.bob}",
    )
    assert "is not what was posted" in verify_fails(capsys)


def test_a_change_with_a_forged_key_still_breaks_the_chain(traded, as_owner, capsys):
    row = TransferRow.objects.get(reference="payment:3")
    forged = journal.digest(Transfer(row.uuid, row.kind, (Entry(traded.alice, -3), Entry(traded.bob, 3)), "payment:4"))
    as_owner(
        f"UPDATE ledger_transfer SET reference = 'payment:4' WHERE id = {row.id}",
        f"UPDATE ledger_transfer_key SET digest = '\\x{forged.hex()}' WHERE transfer_id = {row.id}",
    )
    assert "ledger_batch" in (wrong := verify_fails(capsys))
    assert "its hash is not that of its transfers" in wrong


def test_a_history_written_anew_by_the_owner_is_found_by_a_head_noted_before(traded, as_owner, tmp_path, capsys):
    """Every digest and hash computed again by somebody who can: only what was kept elsewhere tells."""
    call_command("ledger", "heads")
    noted = tmp_path / "heads"
    noted.write_text(capsys.readouterr().out)
    row = TransferRow.objects.get(reference="payment:3")
    batch = Batch.objects.get(id=row.batch_id)
    forged = Transfer(row.uuid, row.kind, (Entry(traded.alice, -3), Entry(traded.bob, 3)), "payment:4")
    digest = journal.digest(forged)
    chained = journal.chain(
        previous=bytes(batch.previous), writer_id=batch.writer_id, seq=batch.seq, digests=[digest],
        posted_at_us=(batch.posted_at - verification.EPOCH) // timedelta(microseconds=1),
    )  # fmt: skip
    as_owner(
        f"UPDATE ledger_transfer SET reference = 'payment:4' WHERE id = {row.id}",
        f"UPDATE ledger_transfer_key SET digest = '\\x{digest.hex()}' WHERE transfer_id = {row.id}",
        f"UPDATE ledger_batch SET hash = '\\x{chained.hex()}' WHERE id = {batch.id}",
        f"UPDATE ledger_writer SET head = '\\x{chained.hex()}' WHERE id = {batch.writer_id}",
    )
    call_command("ledger", "verify", "--quiet")
    with pytest.raises(SystemExit):
        call_command("ledger", "verify", "--quiet", "--noted", str(noted))
    assert "is not the one that was noted" in capsys.readouterr().err


def test_a_file_that_holds_no_heads_is_refused(traded, tmp_path):
    wrong = tmp_path / "heads"
    wrong.write_text("services-00 one xyz")
    with pytest.raises(CommandError, match="ledger heads"):
        call_command("ledger", "verify", "--noted", str(wrong))


LAST = "(SELECT max(seq) FROM ledger_batch)"
TAMPERINGS = {
    f"UPDATE ledger_batch SET previous = sha256('x') WHERE seq = {LAST}": "does not continue the batch before it",
    "DELETE FROM ledger_batch WHERE seq = 1": "is number 2 of writer",
    f"DELETE FROM ledger_batch WHERE seq = {LAST}": "its head is batch number",
    "UPDATE ledger_writer SET seq = seq + 1 WHERE seq > 0": "its head is batch number",
    "UPDATE ledger_batch SET posted_at = posted_at + interval '1 second' WHERE seq = 2": "was posted at",
    "UPDATE ledger_transfer SET kind = 'gift' WHERE id = 1": "ledger_transfer 1: is not what was posted",
    "DELETE FROM ledger_transfer WHERE id = 2": "ledger_entry 64: belongs to no transfer",
    "DELETE FROM ledger_entry WHERE transfer_id = 3": "ledger_transfer 3: A transfer has 2 to 32 entries",
    "DELETE FROM ledger_transfer_key WHERE transfer_id = 4": "ledger_transfer 4: has no key",
    "UPDATE ledger_account SET held = held + 1 WHERE held > 0": "what holds it comes to 100",
    "UPDATE ledger_entry SET amount = amount + 1 WHERE id = 32": "ledger_transfer 1: The entries in asset 1 sum to 1",
    "INSERT INTO ledger_transfer_key VALUES (gen_random_uuid(), 12345, sha256('x'))": "leads to transfer 12345",
    "DELETE FROM ledger_transfer_key WHERE transfer_id = 3; DELETE FROM ledger_entry WHERE transfer_id = 3; "
    "DELETE FROM ledger_transfer WHERE id = 3": "has none of its transfers",
}


def test_whatever_row_is_changed_verify_names_it(traded, as_owner, owner_connection):
    """One change after another, the book put back in between from copies of its tables."""
    with owner_connection.cursor() as cursor:
        for table in ("account", "writer", "batch", "transfer", "entry", "transfer_key"):
            cursor.execute(f"CREATE TABLE kept_{table} AS TABLE ledger_{table}")
        for tampering, finding in TAMPERINGS.items():
            as_owner(tampering)
            assert finding in str(verification.verify().finding), tampering
            cursor.execute("UPDATE ledger_account a SET held = k.held FROM kept_account k WHERE k.id = a.id")
            cursor.execute("UPDATE ledger_writer w SET seq = k.seq FROM kept_writer k WHERE k.id = w.id")
            for table in ("batch", "transfer", "entry", "transfer_key"):
                cursor.execute(
                    f"DELETE FROM ledger_{table} t WHERE NOT EXISTS (SELECT FROM kept_{table} k WHERE k = t)"
                )
                cursor.execute(f"INSERT INTO ledger_{table} SELECT * FROM kept_{table} ON CONFLICT DO NOTHING")
            assert verification.verify().finding is None, "the book was put back"


def test_held_without_a_reason_stops_withdrawals(traded, as_owner):
    as_owner(f"UPDATE ledger_account SET held = held + 1 WHERE id = {traded.alice}")
    [mismatch] = run(traded).mismatches
    assert (mismatch.sort, mismatch.account_id, mismatch.expected, mismatch.found) == ("held", traded.alice, 100, 101)
    assert selectors.stops.is_stopped("withdrawals")


def test_another_rooms_share_of_held_is_counted(traded, as_owner, monkeypatch):
    monkeypatch.setitem(reconciliation._held_sources, "orders", lambda cursor: [(traded.alice, 1)])
    assert [m.found - m.expected for m in run(traded).mismatches] == [-1]
    as_owner(f"UPDATE ledger_account SET held = held + 1 WHERE id = {traded.alice}")
    assert run(traded).ok


@pytest.fixture
def node(book, monkeypatch):
    """A wallet of ours outside, which shows what the test says."""
    shown = {"seen": 1_500, "pending": 0}

    def look(now):
        if shown["seen"] is None:
            raise ConnectionError("the node is down")
        return [Outside(account_id=book.wallet, amount_seen=shown["seen"], as_of=now, pending=shown["pending"])]

    monkeypatch.setitem(reconciliation._outside_sources, "bitcoin", look)
    return shown


def test_a_coin_moved_away_stops_withdrawals(traded, node):
    assert run(traded).ok
    node["seen"] = 1_499
    [mismatch] = run(traded).mismatches
    assert (mismatch.sort, mismatch.expected, mismatch.found) == ("outside", 1_500, 1_499)
    assert selectors.stops.is_stopped("withdrawals")


def test_an_explained_difference_is_none(traded, node):
    node.update(seen=1_400, pending=100)
    assert run(traded).ok
    assert not run(traded).surpluses


def test_a_surplus_is_shown_but_stops_nothing(traded, node):
    node["seen"] = 1_501
    report = run(traded)
    assert [m.found - m.expected for m in report.surpluses] == [1]
    assert not selectors.stops.is_stopped("withdrawals")


def test_a_node_that_is_down_is_no_theft(traded, node):
    node["seen"] = None
    report = run(traded)
    assert (report.ok, report.unreachable) == (True, ("bitcoin",))
    assert not selectors.stops.is_stopped("withdrawals")


def test_books_that_move_while_the_node_is_asked_are_looked_at_again(traded, monkeypatch):
    looks = []

    def look(now):
        seen = -traded.row(traded.wallet)[0]
        if not looks:
            traded.deposit(traded.bob, 250)  # credited between the node's answer and ours
        looks.append(seen)
        return [Outside(account_id=traded.wallet, amount_seen=seen, as_of=now)]

    monkeypatch.setitem(reconciliation._outside_sources, "bitcoin", look)
    report = run(traded)
    assert looks == [1_500, 1_750]
    assert report.ok
    assert not report.surpluses


@pytest.mark.parametrize(("off", "sort"), [(0, None), (-1, "shortage"), (1_000, "surplus")])
def test_books_that_never_stand_still_are_judged_by_where_they_went(traded, monkeypatch, off, sort):
    def look(now):
        seen = -traded.row(traded.wallet)[0] + off
        traded.deposit(traded.bob, 100)
        return [Outside(account_id=traded.wallet, amount_seen=seen, as_of=now)]

    monkeypatch.setitem(reconciliation._outside_sources, "bitcoin", look)
    report = run(traded)
    assert report.unreachable == ()
    assert bool(report.mismatches) is (sort == "shortage")
    assert bool(report.surpluses) is (sort == "surplus")


def test_a_source_that_speaks_of_something_else_is_reported(traded, monkeypatch):
    monkeypatch.setitem(
        reconciliation._outside_sources, "odd", lambda now: [Outside(account_id=traded.alice, amount_seen=1, as_of=now)]
    )
    assert run(traded).unreachable == ("odd",)


def test_the_nightly_proof_stops_withdrawals_too(traded, as_owner):
    assert verification.verify_and_stop(now=traded.now).finding is None
    as_owner("UPDATE ledger_transfer SET kind = 'gift' WHERE id = 1")
    verification.verify_and_stop(now=traded.now)
    [stop] = selectors.stops.active()
    assert stop.source == "verification"
    assert "ledger_transfer 1" in stop.reason


def test_incremental_sums_follow_many_writers(traded):
    run(traded)
    from django.db import connection

    from exchange.ledger import bulk

    for writer in ("shard-0", "shard-1"):
        with connection.cursor() as cursor:
            bulk.lock(cursor, [traded.alice, traded.bob])
            bulk.post(cursor, writer=writer, transfers=[traded.transfer(traded.bob, traded.alice, 7)], now=traded.now)
    assert run(traded).ok
    assert run(traded, full=True).ok


def test_the_command_lists_and_lifts_stops_with_a_reason(traded, capsys):
    call_command("ledger", "stop", "withdrawals", "--reason", "A drill.")
    call_command("ledger", "stops")
    listed = capsys.readouterr().out
    assert "withdrawals" in listed
    assert "A drill." in listed
    [stop] = selectors.stops.active()
    call_command("ledger", "lift", str(stop.id), "--reason", "It is over.")
    call_command("ledger", "stops")
    assert "Nothing is stopped." in capsys.readouterr().out


def test_the_command_reconciles_and_says_so_by_its_exit_code(traded, as_owner, capsys):
    call_command("ledger", "reconcile", "--full")
    assert "no mismatch" in capsys.readouterr().out
    as_owner(f"UPDATE ledger_account SET balance = balance + 1 WHERE id = {traded.bob}")
    with pytest.raises(SystemExit) as ended:
        call_command("ledger", "reconcile")
    assert ended.value.code == 1
    assert f"account {traded.bob}" in capsys.readouterr().err


def test_an_account_opened_and_never_used_is_in_order(traded):
    accounts.open(kind="customer", asset_id=3, owner_id=99, now=traded.now)
    assert run(traded).ok
