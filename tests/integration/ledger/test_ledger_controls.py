"""What the database refuses whoever asks: each run-time role, and the owner at the gates that hold for the owner, too."""

from uuid import uuid4

import psycopg2
import pytest
from psycopg2 import errors

from exchange.ledger import bulk
from exchange.ledger.journal import Entry, Kind, Transfer

pytestmark = pytest.mark.django_db
JOURNAL = ["ledger_entry", "ledger_transfer", "ledger_batch", "ledger_transfer_key", "ledger_writer"]
TABLES = [
    *JOURNAL, "ledger_account", "ledger_hold", "ledger_freeze", "ledger_stop", "ledger_checkpoint", "ledger_watermark",
    "ledger_retention",
]  # fmt: skip
OPEN = "INSERT INTO ledger_account (kind, asset_id, owner_id, balance, held, created_at) VALUES (%s, %s, %s, %s, %s, now())"
# A balance of 5 on the kind's own side and one of 5 on the wrong side, with different amounts held.
STATES = [
    (kind, sign * (5 if kind.normal_side == "credit" else -5), held)
    for kind in Kind for sign in (1, 0, -1) for held in (-1, 0, 5, 6)
]  # fmt: skip


@pytest.fixture
def execute(database_url):
    """Runs statements as a role in one transaction that is rolled back; the rows of the last."""

    def run(role: str, *statements: str, parameters=()):
        connection = psycopg2.connect(database_url(role))
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement, parameters or None)
                return cursor.fetchall() if cursor.description else cursor.rowcount
        finally:
            connection.close()

    return run


def refused(execute, role, statement):
    with pytest.raises(errors.InsufficientPrivilege):
        execute(role, statement)


@pytest.mark.parametrize("role", ["app", "engine", "signer"])
@pytest.mark.parametrize("table", JOURNAL)
def test_no_runtime_role_can_write_the_journal(execute, role, table):
    column = "uuid" if table == "ledger_transfer_key" else "id"
    for statement in (
        f"UPDATE {table} SET {column} = {column}",
        f"DELETE FROM {table}",
        f"TRUNCATE {table}",
        f"INSERT INTO {table} DEFAULT VALUES",
    ):
        refused(execute, role, statement)


@pytest.mark.parametrize("role", ["app", "engine", "signer"])
def test_no_runtime_role_can_write_a_balance_or_what_an_account_is(execute, role):
    for column in ("balance", "kind", "asset_id", "owner_id", "label"):
        refused(execute, role, f"UPDATE ledger_account SET {column} = {column}")
    refused(
        execute, role, "INSERT INTO ledger_account (kind, asset_id, balance, created_at) VALUES ('bank', 1, 5, now())"
    )
    refused(execute, role, "DELETE FROM ledger_account")


@pytest.mark.parametrize("table", TABLES)
def test_the_signer_can_neither_read_nor_write_the_ledger(execute, table):
    for verb in ("SELECT count(*) FROM", "DELETE FROM", "TRUNCATE"):
        refused(execute, "signer", f"{verb} {table}")
    refused(execute, "signer", f"INSERT INTO {table} DEFAULT VALUES")


def test_the_signer_cannot_call_the_ledgers_functions(execute):
    for call in (
        "SELECT * FROM ledger_post('x', now(), '{}', '{}', '{}', '', '{}', '{}', '{}', '{}', '{}')",
        "SELECT ledger_make_partitions()",
        "SELECT ledger_expire_keys()",
        "SELECT ledger_take_writer('x')",
        "SELECT ledger_move_held('{1}', '{1}', 1)",
    ):
        refused(execute, "signer", call)


@pytest.mark.parametrize("role", ["app", "engine"])
def test_a_runtime_role_cannot_reach_a_partition_or_an_inner_function(execute, role):
    for statement in (
        "INSERT INTO ledger_entry_p0 VALUES (1, 0, 1, 5)",
        "UPDATE ledger_entry_p0 SET amount = 1",
        "DELETE FROM ledger_transfer_p0",
        "DELETE FROM ledger_transfer_key_p0",
        "SELECT ledger_take_writer('x')",
        "SELECT ledger_move_held('{1}', '{1}', 1)",
        "SELECT setval('ledger_transfer_id_seq', 1)",
        "SELECT setval('ledger_batch_id_seq', 1)",
    ):
        refused(execute, role, statement)


@pytest.mark.parametrize(
    "table", ["ledger_entry", "ledger_transfer", "ledger_batch", "ledger_entry_p0", "ledger_transfer_p0"]
)
@pytest.mark.parametrize("verb", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}"])
def test_even_the_owner_changes_nothing_that_was_posted_while_the_triggers_stand(execute, table, verb):
    with pytest.raises(errors.InsufficientPrivilege, match="append-only"):
        execute("owner", verb.format(table))


@pytest.mark.parametrize("table", ["ledger_entry", "ledger_entry_p0"])
def test_entries_must_sum_to_zero_and_move_balances_even_from_the_owner(execute, table):
    accounts = (
        "INSERT INTO ledger_account (id, kind, asset_id, owner_id, created_at) "
        "VALUES (900001, 'bank', 5, NULL, now()), (900002, 'customer', 5, 1, now())"
    )
    insert = f"INSERT INTO {table} VALUES (32, 1, 900001, -5), (33, 1, 900002, {{}})"
    with pytest.raises(errors.CheckViolation, match="off by"):
        execute("owner", accounts, insert.format(6))
    moved = execute("owner", accounts, insert.format(5), "SELECT balance FROM ledger_account WHERE id = 900002")
    assert moved == [(5,)]


def test_zero_in_total_but_not_in_each_asset_is_refused(execute):
    with pytest.raises(errors.CheckViolation, match="in asset"):
        execute(
            "owner",
            "INSERT INTO ledger_account (id, kind, asset_id, created_at) "
            "VALUES (900001, 'bank', 5, now()), (900002, 'suspense', 4, now())",
            "INSERT INTO ledger_entry VALUES (32, 1, 900001, -5), (33, 1, 900002, 5)",
        )


def test_an_entry_on_an_account_that_does_not_exist_is_refused(execute):
    with pytest.raises(errors.ForeignKeyViolation):
        execute("owner", "INSERT INTO ledger_entry VALUES (32, 1, 999999, -5), (33, 1, 999998, 5)")


@pytest.mark.parametrize(("kind", "balance", "held"), STATES)
def test_the_checks_by_kind_say_what_the_journal_says(execute, kind, balance, held):
    row = (kind.value, 1, 77 if kind.has_owner else None, balance, held)
    if kind.allows(balance=balance, held=held):
        assert execute("owner", OPEN, parameters=row) == 1
    else:
        with pytest.raises(errors.CheckViolation):
            execute("owner", OPEN, parameters=row)


def test_an_account_of_an_unknown_kind_is_refused(execute):
    with pytest.raises(errors.CheckViolation):
        execute("owner", OPEN, parameters=("slush", 1, None, 0, 0))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("role", ["app", "engine"])
def test_the_door_refuses_what_does_not_sum_to_zero(book, database_url, role):
    connection = psycopg2.connect(database_url(role))
    crooked = Transfer(uuid4(), "deposit", (Entry(book.wallet, -5), Entry(book.alice, 6)))
    with connection.cursor() as cursor, pytest.raises(errors.CheckViolation, match="off by"):
        bulk.lock(cursor, [book.wallet, book.alice])
        bulk.post(cursor, writer="shard-0", transfers=[crooked], now=book.now)
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_the_engine_moves_balances_and_held_through_the_door_alone(book, database_url):
    book.deposit(book.alice, 100)
    connection = psycopg2.connect(database_url("engine"))
    with connection, connection.cursor() as cursor:
        locked = bulk.lock(cursor, [book.alice, book.bob])
        assert (locked[book.alice].available, locked[book.alice].kind) == (100, "customer")
        receipt = bulk.post(
            cursor,
            writer="shard-7",
            transfers=[Transfer(uuid4(), "trade", (Entry(book.alice, -40), Entry(book.bob, 40)))],
            held_deltas={book.alice: 60, book.bob: 40},
            now=book.now,
        )
    connection.close()
    assert receipt.seq == 1
    assert book.row(book.alice) == (60, 60)
    assert book.row(book.bob) == (40, 40)
