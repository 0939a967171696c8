"""An emptied database for the next seed, in milliseconds: what was there when the run began is put back, all else goes.

Tables that only grow refuse a DELETE even to their owner; this is the superuser's session of an embedded server with its triggers
off, and it asks for the database by name. What must never happen here: any other database.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import psycopg2

from config import embedded

_TABLES = """
SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace
AND relname ~ '^(trading|ledger|outbox)_' AND relname <> 'ledger_retention' ORDER BY relname
"""
_KEPT = ("ledger_writer", "trading_shard")
PREFIX = "simulate_"


class Wiping:
    """Of the database that the environment points to."""

    def __init__(self) -> None:
        name = urlsplit(os.environ["DATABASE_URL"]).path.lstrip("/")
        assert name.startswith(PREFIX), f"{name} is not this run's own"
        url = embedded._Postgres(embedded.state_folder()).url("superuser", name)
        self._connection = psycopg2.connect(url)
        self._connection.autocommit = True
        with self._connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica; SET synchronous_commit = off")
            cursor.execute(_TABLES)
            tables = [table for (table,) in cursor.fetchall()]
            for table in _KEPT:
                cursor.execute(f"CREATE TEMPORARY TABLE kept_{table} AS TABLE {table}")
        wiped = [f"DELETE FROM {table}" for table in tables]
        put_back = [f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE kept_{table}" for table in _KEPT]
        self._statement = "; ".join(["BEGIN", *wiped, *put_back, "COMMIT"])

    def wipe(self) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(self._statement)
