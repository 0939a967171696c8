"""A database put back row by row is the template again, and one that cannot be is made anew (see tests/restoring.py).

Each test works on a database of its own, so that it may take a look after the putting back, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest

from config import embedded
from tests import restoring

Execute = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def name(django_db_setup: Any) -> Iterator[str]:
    name = f"{django_db_setup.name}_restoring"
    django_db_setup.drop(name)
    django_db_setup.admin(f"CREATE DATABASE {name} TEMPLATE {django_db_setup.template} STRATEGY file_copy")
    yield name
    django_db_setup.drop(name)


@pytest.fixture
def rows(name: str) -> Iterator[restoring.Rows]:
    opened = restoring.Rows(embedded.superuser_url(name))
    yield opened
    opened.close()


@pytest.fixture
def execute(name: str, rows: restoring.Rows, django_db_setup: Any) -> Execute:
    """Runs statements as the owner of the tables, in a session that ends."""

    def run(*statements: str) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(django_db_setup.url("owner", name))
        connection.autocommit = True
        found = []
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                found += cursor.fetchall() if cursor.description else []
        connection.close()
        return found

    return run


def contents(execute: Execute) -> list[tuple[Any, ...]]:
    """Every row of every table and the state of every sequence."""
    named = "SELECT oid::regclass::text FROM pg_class WHERE relkind = '{}' AND relnamespace = 'public'::regnamespace ORDER BY 1"
    rows = [f"SELECT '{table}', x::text FROM ONLY {table} x ORDER BY 2" for (table,) in execute(named.format("r"))]
    states = [f"SELECT '{name}', last_value, is_called FROM {name}" for (name,) in execute(named.format("S"))]
    return execute(*rows, *states)


KEPT = "INSERT INTO audit_record (at, action, subject) VALUES (now(), 'a', 'b')"  # moves audit_tip, too
WRITTEN = (
    "UPDATE assets_asset SET name = 'Another' WHERE id = 1",  # a table that the template has rows in
    "DELETE FROM kyc_limit",
    "INSERT INTO django_content_type (app_label, model) VALUES ('a', 'b')",  # takes a number of a sequence
    "INSERT INTO django_session (session_key, session_data, expire_date) VALUES ('k', 'd', now())",
    KEPT,
)


def test_whatever_was_written_is_gone_and_whatever_was_taken_away_is_back(
    rows: restoring.Rows, execute: Execute
) -> None:
    before = contents(execute)
    for _ in range(2):  # the second time, what is put back is what was put back
        execute(*WRITTEN)
        assert contents(execute) != before
        assert rows.put_back()
        assert contents(execute) == before


def test_what_may_never_be_deleted_is_put_back_too(rows: restoring.Rows, execute: Execute) -> None:
    before = contents(execute)
    execute(KEPT)
    with pytest.raises(psycopg2.Error, match="append"):
        execute("DELETE FROM audit_record")
    assert rows.put_back()
    assert contents(execute) == before


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE another (id int)",
        "ALTER TABLE django_session ADD COLUMN another int",
        "DROP INDEX django_session_expire_date_a5c62663",
        "GRANT UPDATE ON audit_record TO bourse_app",
        "ALTER TABLE audit_record DISABLE TRIGGER USER",
        "CREATE FUNCTION another() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER SEQUENCE django_content_type_id_seq INCREMENT BY 2",
        "TRUNCATE django_session",
        "ANALYZE assets_asset",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM bourse_app",
        "REVOKE USAGE ON SCHEMA public FROM bourse_app",
        "INSERT INTO django_session SELECT i::text, 'd', now() FROM generate_series(1, 6000) i",
    ],
)
def test_more_than_some_rows_asks_for_a_database_made_anew(
    rows: restoring.Rows, execute: Execute, statement: str
) -> None:
    assert rows.put_back()
    execute(statement)
    assert not rows.put_back()


def test_settings_of_the_database_ask_for_it_too(rows: restoring.Rows, execute: Execute, name: str) -> None:
    execute(f"ALTER DATABASE {name} SET statement_timeout = 1000")
    assert not rows.put_back()


def test_nobody_is_left_inside(rows: restoring.Rows, name: str, django_db_setup: Any) -> None:
    straggler = psycopg2.connect(django_db_setup.url("owner", name))
    straggler.cursor().execute("UPDATE assets_asset SET name = 'Another'")  # and holds the rows, not committed
    assert rows.put_back()
    with pytest.raises(psycopg2.OperationalError):
        straggler.commit()


def test_after_some_time_dead_rows_are_reason_enough(rows: restoring.Rows) -> None:
    assert [rows.put_back() for _ in range(restoring.TIMES_AT_MOST + 1)] == [True] * restoring.TIMES_AT_MOST + [False]
