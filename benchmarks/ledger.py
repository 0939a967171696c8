"""How many durable transfers a second the ledger posts, in batches of 1, 100 and 1,000, with every check on.

A transfer moves an amount between two of the customers' accounts: two entries, two balances, a key, a digest, and its share
of the batch's chain hash. Beside it, batch by batch in the same run, the same SQL is sent to the same tables with its
parameters prepared beforehand: what of the database's own speed is left when Python has done its part is `ratio_to_sql`.
What must never happen here: a figure with a trigger, a constraint or fsync off, or of a book that does not verify.

Run by `make bench-ledger`; BENCH_SCALE=0.2 makes a short run of it.
"""

from __future__ import annotations

import gc
import json
import os
import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import psycopg2

DATABASE = "bench_ledger"
ACCOUNTS = 10_000
SEED = 20_261_120
SCALE = float(os.environ.get("BENCH_SCALE", "1"))
ROUNDS = {1_000: 60, 100: 200, 1: 2_000}  # batches of each size, twice: once by the ledger, once as bare SQL
TARGETS = {"transfers_per_s_1000": 30_000, "ratio_to_sql": 0.7}
TABLES = ("ledger_transfer", "ledger_entry", "ledger_transfer_key", "ledger_batch")
VARIABLES = ("DATABASE_URL", "DATABASE_OWNER_URL", "ENGINE_DATABASE_URL", "SIGNER_DATABASE_URL")


class Timing(NamedTuple):
    """One size's seconds, for the same number of transfers either way, and the processors' part of the ledger's."""

    transfers: int
    ledger_s: float
    sql_s: float
    python_cpu_s: float
    database_cpu_s: float


def cpu_s(pid: int) -> float:
    """User and system time of a process: on a busy machine the only measure that leaves the others out."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def prepare() -> None:
    """A throw-away database of the benchmark's own on an embedded, durable PostgreSQL, migrated."""
    from config import embedded

    os.environ.update(embedded.ensure(durable=True).environment)
    admin = psycopg2.connect(urlunsplit(urlsplit(os.environ["DATABASE_OWNER_URL"])._replace(path="/postgres")))
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {DATABASE}")
    admin.close()
    for variable in VARIABLES:
        os.environ[variable] = urlunsplit(urlsplit(os.environ[variable])._replace(path=f"/{DATABASE}"))
    embedded.prepare_database(os.environ["DATABASE_OWNER_URL"])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", database="owner", verbosity=0)


def fund(now: datetime) -> list[int]:
    """Customers with plenty, through the ledger's own door; their account ids."""
    from exchange.core.ids import uuid7
    from exchange.ledger.journal import Entry, Kind, Transfer
    from exchange.ledger.services import accounts, transfers

    wallet = accounts.open(kind=Kind.CHAIN_WALLET, asset_id=1, label="bench", now=now)
    ids = [accounts.open(kind=Kind.CUSTOMER, asset_id=1, owner_id=n + 1, now=now) for n in range(ACCOUNTS)]
    for start in range(0, ACCOUNTS, 1_000):
        deposits = [
            Transfer(uuid7(), "deposit", (Entry(wallet, -(10**12)), Entry(account, 10**12)))
            for account in ids[start : start + 1_000]
        ]
        transfers.post(transfers=deposits, now=now)
    return ids


def batches(rng: random.Random, accounts: list[int], size: int, count: int) -> list[list[Any]]:
    from exchange.core.ids import uuid7
    from exchange.ledger.journal import Entry, Transfer

    made = []
    for _ in range(count):
        batch = []
        for _ in range(size):
            (source, target), amount = rng.sample(accounts, 2), rng.randint(1, 10**8)
            batch.append(Transfer(uuid7(), "payment", (Entry(source, -amount), Entry(target, amount)), "bench"))
        made.append(batch)
    return made


def measure(connection: Any, mine: list[list[Any]], theirs: list[list[Any]], now: datetime) -> Timing:
    """Each batch through the ledger, each of the others as SQL alone, by turns and in changing order."""
    from exchange.ledger import bulk, journal

    prepared = [
        (
            (bulk.array(sorted(journal.net(batch))),),
            bulk.parameters(writer="bench-sql", transfers=batch, held_deltas={}, now=now),
        )
        for batch in theirs
    ]
    clock, spent = time.perf_counter, [0.0, 0.0]
    backend, cpu = connection.info.backend_pid, [0.0, 0.0]

    def by_ledger(number: int) -> None:
        began = clock()
        with connection.cursor() as cursor:
            bulk.lock(cursor, journal.net(mine[number]))
            bulk.post(cursor, writer="bench", transfers=mine[number], now=now)
        connection.commit()
        spent[0] += clock() - began

    def by_sql(number: int) -> None:
        accounts, arguments = prepared[number]
        began = clock()
        with connection.cursor() as cursor:
            cursor.execute(bulk.LOCK, accounts)
            cursor.fetchall()
            cursor.execute(bulk.POST, arguments)
            cursor.fetchone()
        connection.commit()
        spent[1] += clock() - began

    gc.collect()
    gc.freeze()  # the batches prepared above are not what the collector is measured on
    for number in range(len(mine)):
        for one in (by_ledger, by_sql) if number % 2 else (by_sql, by_ledger):
            before = (time.process_time(), cpu_s(backend))
            one(number)
            if one is by_ledger:
                cpu[0] += time.process_time() - before[0]
                cpu[1] += cpu_s(backend) - before[1]
    gc.unfreeze()
    return Timing(sum(map(len, mine)), *spent, *cpu)


def conditions(cursor: Any) -> None:
    """Print what is on, and end the run if anything is not."""
    from exchange.ledger.migrations._tables import KEY_PARTITIONS

    def one(query: str) -> Any:
        cursor.execute(query)
        return cursor.fetchone()[0]

    settings = {
        name: one(f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums")
    }
    print(f"PostgreSQL {one('SHOW server_version')}, role {one('SELECT current_user')}, {settings}")
    if set(settings.values()) != {"on"}:
        sys.exit("a figure is worth nothing unless all of these are on")
    cursor.execute(
        "SELECT tgrelid::regclass::text || '.' || tgname, tgenabled FROM pg_trigger "
        "WHERE tgrelid::regclass::text LIKE 'ledger\\_%%' AND NOT tgisinternal ORDER BY 1"
    )
    triggers = dict(cursor.fetchall())
    print(f"triggers: {', '.join(triggers)}")
    wanted = {"ledger_entry.ledger_entry_apply", "ledger_entry.ledger_entry_append_only"}
    wanted |= {"ledger_transfer.ledger_transfer_append_only", "ledger_batch.ledger_batch_append_only"}
    if not wanted <= triggers.keys() or set(triggers.values()) != {"O"}:
        sys.exit("a trigger of the ledger is missing or disabled")
    cursor.execute(
        "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid::regclass::text IN "
        "('ledger_account', 'ledger_transfer', 'ledger_entry', 'ledger_transfer_key', 'ledger_batch') ORDER BY 1"
    )
    print(f"indexes: {', '.join(name for (name,) in cursor.fetchall())}")
    checks = one(
        "SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND convalidated "
        "AND conrelid::regclass::text IN ('ledger_account', 'ledger_transfer', 'ledger_entry', 'ledger_batch')"
    )
    print(f"{checks} CHECK constraints, {KEY_PARTITIONS} key partitions, ordered row locks, one chain hash a batch")


def rows(cursor: Any) -> dict[str, int]:
    found = {}
    for table in TABLES:
        cursor.execute(f"SELECT count(*) FROM {table}")
        found[table] = cursor.fetchone()[0]
    return found


def run() -> dict[str, float]:
    """The figures, by name."""
    prepare()
    now, rng = datetime.now(UTC), random.Random(SEED)
    accounts = fund(now)
    connection = psycopg2.connect(os.environ["ENGINE_DATABASE_URL"])
    owner = psycopg2.connect(os.environ["DATABASE_OWNER_URL"])
    owner.autocommit = True
    with owner.cursor() as cursor:
        cursor.execute("ANALYZE")
        conditions(cursor)
    with connection.cursor() as cursor:
        before = rows(cursor)
    print(f"{len(accounts)} accounts; {before['ledger_transfer']} transfers before")
    measure(connection, *(batches(rng, accounts, 100, 20) for _ in range(2)), now)  # plans and caches warm
    figures, timings = {}, []
    for size, rounds in ROUNDS.items():
        count = max(10, int(rounds * SCALE))
        timing = measure(connection, *(batches(rng, accounts, size, count) for _ in range(2)), now)
        timings.append(timing)
        mine, bare = timing.transfers / timing.ledger_s, timing.transfers / timing.sql_s
        print(
            f"batches of {size:>5}: {mine:>8,.0f} transfers/s through the ledger, {bare:>8,.0f} as prepared SQL, "
            f"{timing.ledger_s / count * 1e3:.2f} ms a batch; CPU a transfer: "
            f"{timing.python_cpu_s / timing.transfers * 1e6:.1f} µs here, "
            f"{timing.database_cpu_s / timing.transfers * 1e6:.1f} µs in the database"
        )
        figures[f"transfers_per_s_{size}"] = round(mine)
        if size == 1_000:
            figures["ratio_to_sql"] = round(timing.sql_s / timing.ledger_s, 3)
    with connection.cursor() as cursor:
        written = {table: count - before[table] for table, count in rows(cursor).items()}
    connection.close()
    owner.close()
    print(f"rows written: {written}")
    posted = 2 * (2_000 + sum(timing.transfers for timing in timings))
    if (written["ledger_transfer"], written["ledger_entry"], written["ledger_transfer_key"]) != (
        posted,
        2 * posted,
        posted,
    ):
        sys.exit(f"{posted} transfers were posted; the rows written do not agree")
    return figures


def main() -> None:
    figures = run()
    from django.core.management import call_command

    call_command("ledger", "verify")  # exits 1 on the first wrong row
    missed = [f"{name} {figures[name]} < {least}" for name, least in TARGETS.items() if figures[name] < least]
    if missed:
        print(f"below the target: {', '.join(missed)}")
    print(json.dumps({"bench": "ledger", "figures": figures}))


if __name__ == "__main__":
    main()
