"""The ground that the engine's benchmarks stand on: a database of their own, customers with money, the engine as a process.

What must never happen here: a benchmark on somebody's database, or a process that outlives it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg2
import redis

ROOT = Path(__file__).resolve().parent.parent
VARIABLES = ("DATABASE_URL", "DATABASE_OWNER_URL", "ENGINE_DATABASE_URL", "SIGNER_DATABASE_URL")
ASSETS = (1, 4)  # BTC and USDT, what market 1 trades
FUNDS = 10**16
START_S = 120.0


def prepare(database: str) -> None:
    """A database of the benchmark's own, migrated; the environment of this process and of those it starts points to it."""
    from config import embedded

    os.environ.update(embedded.ensure(durable=True).environment)
    admin(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)", f"CREATE DATABASE {database}")
    for variable in VARIABLES:
        os.environ[variable] = at(os.environ[variable], database)
    embedded.prepare_database(os.environ["DATABASE_OWNER_URL"])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", database="owner", verbosity=0)


def at(url: str, database: str) -> str:
    """The same server and role, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def admin(*statements: str) -> None:
    """What no transaction can do: make, copy and drop databases."""
    connection = psycopg2.connect(at(os.environ["DATABASE_OWNER_URL"], "postgres"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


def copy_database(name: str, of: str) -> None:
    """The database as it stands; nobody may be connected to it."""
    from django.db import connections

    connections.close_all()
    admin(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name} TEMPLATE {of}")


def fund(customers: int) -> list[int]:
    """Customers with plenty of BTC and USDT, through the ledger's own door; their user ids."""
    from exchange.ledger.journal import Entry, Kind, Transfer
    from exchange.ledger.services import accounts, transfers

    now = datetime.now(UTC)
    wallets = {asset: accounts.open(kind=Kind.CHAIN_WALLET, asset_id=asset, label="bench", now=now) for asset in ASSETS}
    users = list(range(1, customers + 1))
    posts = []
    for user in users:
        for asset, account in accounts.open_customer(owner_id=user, asset_ids=list(ASSETS), now=now).items():
            posts.append(Transfer(uuid4(), "deposit", (Entry(wallets[asset], -FUNDS), Entry(account, FUNDS))))
    for start in range(0, len(posts), 1_000):
        transfers.post(transfers=posts[start : start + 1_000], now=now)
    return users


@contextmanager
def engine(
    log: Path, command: Sequence[str] = ("manage.py", "run_engine", "--shard", "0"), **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The engine of shard 0, from its first heartbeat on; ended at the end."""
    from django.conf import settings

    from trading import wire

    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete(wire.leader(0))
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, stdout=file, stderr=subprocess.STDOUT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.engine", **environment},
        )  # fmt: skip
    try:
        until = time.monotonic() + START_S
        while not client.exists(wire.leader(0)):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the engine did not start: see {log}")
            time.sleep(0.005)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far: on a busy machine the only figure that does not depend on the others."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def facts(cursor: Any, tables: Sequence[str]) -> dict[str, Any]:
    """What is switched on, as the database says, and the rows of each table. Ends the run where a safety is off."""
    found: dict[str, Any] = {}
    for name in ("fsync", "synchronous_commit", "full_page_writes", "wal_level"):
        cursor.execute(f"SHOW {name}")
        found[name] = cursor.fetchone()[0]
    for name, sql in (
        ("triggers_on", "pg_trigger t WHERE NOT tgisinternal AND tgenabled = 'O'"),
        ("triggers_off", "pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'O'"),
        ("indexes", "pg_indexes WHERE tablename ~ '^(trading|ledger)_'"),
        ("checks", "pg_constraint WHERE contype = 'c' AND conrelid::regclass::text ~ '^(trading|ledger)_'"),
    ):
        cursor.execute(f"SELECT count(*) FROM {sql}")
        found[name] = cursor.fetchone()[0]
    for table in tables:
        cursor.execute(f"SELECT count(*) FROM {table}")
        found[f"rows {table}"] = cursor.fetchone()[0]
    if found["fsync"] != "on" or found["synchronous_commit"] != "on" or found["triggers_off"]:
        raise SystemExit("a safety is switched off; this figure would say nothing")
    return found
