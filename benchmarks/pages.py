"""Server time and query count of every page, with 1, 1,000 and 1,000,000 rows behind it.

The pages are those that `tests/pages/addresses.py` finds in the URLconf, asked through Django's whole stack of middleware by a
customer and by staff who are logged in. At each size every table that grows with use (`GROWS`) has that many rows, and those
that belong to somebody are the customer's own. Printed is the middle of ROUNDS answers, without the first, and the number of
queries. The rows are copies of one that the services wrote, put in as the tables' owner with triggers off: reading is measured
here, and nothing else. What must never happen here: a page counted whose answer was not a page.

Run by `make bench-pages`; BENCH_ROWS=1,1000 for a shorter run, BENCH_ONLY=wallet for some pages.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from typing import Any

from tests.pages import stage

DATABASE = "bench_pages"
ROWS = [int(size) for size in os.environ.get("BENCH_ROWS", "1,1000,1000000").split(",")]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
ONLY = os.environ.get("BENCH_ONLY", "")
# Table → what a copy of a row has of its own, beside what a unique index asks for. `n` counts them.
GROWS: dict[str, dict[str, str]] = {
    "ledger_batch": {},
    "ledger_transfer": {"posted_at": "now() - n * interval '30 seconds'"},
    "ledger_entry": {"transfer_id": "n", "id": "n::bigint << {slot_bits}"},
    "ledger_hold": {"created_at": "now() - n * interval '30 seconds'"},
    "trading_order": {"id": "n::bigint * 1024", "created_at": "now() - n * interval '30 seconds'",
                      "state": "CASE WHEN n % 20000 = 0 THEN 1 ELSE 2 END", "phase": "CASE WHEN n % 20000 = 0 THEN 1 ELSE 0 END"},
    "trading_trade": {"id": "n::bigint * 1024", "maker_order_id": "n::bigint * 1024", "at": "now() - n * interval '30 seconds'"},
    "wallets_address": {},
    "wallets_deposit": {"seen_at": "now() - n * interval '30 seconds'"},
    "wallets_withdrawal": {"requested_at": "now() - n * interval '30 seconds'"},
    "wallets_withdrawal_step": {},
    "wallets_payout": {},
    "wallets_sweep": {},
    "wallets_block": {},
    "notifications_notification": {"created_at": "now() - n * interval '30 seconds'"},
    "audit_record": {},
    "outbox_event": {},
    "outbox_delivery": {},
    "assets_rate_history": {"as_of": "now() - n * interval '30 seconds'"},
    "accounts_user": {"email": "'customer' || n || '@example.com'"},
    "kyc_customer": {},
    "kyc_screeningcase": {},
    "invoices_invoice": {},
    "fiat_bank_deposit": {},
    "custody_signing_job": {},
    "custody_decision": {},
    "notifications_delivery": {},
    "proposals_proposal": {},
    "accounts_pause": {},
    "trading_volume": {},
}  # fmt: skip


def main() -> None:
    stage.prepare(DATABASE)
    from django.db import DatabaseError
    from django.test import override_settings
    from django.utils import timezone

    from tests.pages import addresses, specimens, world

    standing = world.seed(now=timezone.now())
    refused = specimens.fill(now=timezone.now())
    found, _ = addresses.find(standing)
    pages = {page.path: page for page in found if _measured(page)}
    figures: dict[str, list[tuple[float, int]]] = {path: [] for path in pages}
    grown: dict[str, int] = {}
    with override_settings(ALLOWED_HOSTS=["localhost"]):
        for size in ROWS:
            started = time.monotonic()
            for table in GROWS:
                try:
                    grown[table] = grow(table, size)
                except DatabaseError as error:  # said in the report: a table that did not grow measures nothing
                    refused[table] = str(error)
            _analyse()
            print(f"{size:,} rows in {time.monotonic() - started:.0f} s; measuring {len(pages)} pages", file=sys.stderr)
            for path, page in pages.items():
                figures[path].append(measure(standing, page))
    report(pages, figures, grown, refused)


def _measured(page: Any) -> bool:
    if page.viewer not in ("customer", "staff") or ONLY not in page.name:
        return False
    return not page.name.endswith(("-history--staff", "-delete--staff"))


def grow(table: str, to: int) -> int:
    """Copies a row of it until there are so many; how many there are. A table without a row has none to copy."""
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [table])
        if cursor.fetchone()[0] is None:
            raise SystemExit(f"there is no table {table}")
        cursor.execute(f"SELECT count(*) FROM {table}")
        (count,) = cursor.fetchone()
        missing = to - count
        if missing <= 0 or not count:
            return int(count)
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for child in _partitions(cursor, table):
            cursor.execute(f"ALTER TABLE {child} DISABLE TRIGGER USER")
        columns, values = _copy(cursor, table)
        first = 10_000 + count
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} "
            f"FROM (SELECT * FROM {table} ORDER BY 1 DESC LIMIT 1) AS t, generate_series({first}, {first + missing - 1}) AS n "
            "ON CONFLICT DO NOTHING"
        )
        cursor.execute(f"SELECT count(*) FROM {table}")
        return int(cursor.fetchone()[0])


def _copy(cursor: Any, table: str) -> tuple[list[str], list[str]]:
    """The columns, and for each what a copy has there: its own where a unique index or `GROWS` wants it, and else the same."""
    from exchange.ledger.migrations._tables import ENTRY_SLOT_BITS

    cursor.execute(
        "SELECT DISTINCT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) "
        "WHERE i.indrelid = %s::regclass AND i.indisunique",
        [table],
    )
    unique = {name for (name,) in cursor.fetchall()}
    cursor.execute(
        "SELECT a.attname FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey) "
        "WHERE c.conrelid = %s::regclass AND c.contype = 'f'",
        [table],
    )
    unique -= {name for (name,) in cursor.fetchall()}  # what they point to stays the same
    cursor.execute(
        "SELECT column_name, data_type, character_maximum_length FROM information_schema.columns WHERE table_name = %s "
        "AND table_schema = 'public' AND is_generated = 'NEVER' ORDER BY ordinal_position",
        [table],
    )
    columns, values = [], []
    for name, kind, length in cursor.fetchall():
        columns.append(f'"{name}"')
        own = GROWS[table].get(name, "").replace("{slot_bits}", str(ENTRY_SLOT_BITS))
        unlike = f'CASE WHEN t."{name}" IS NOT NULL THEN {_unlike(name, kind, length)} END'
        values.append(own or (unlike if name in unique and not _shared(name) else f't."{name}"'))
    return columns, values


def _shared(name: str) -> bool:
    """Whose they are, and of what: the same for all copies."""
    return name in ("owner_id", "market_id", "asset_id", "network_id", "account_id", "merchant_id", "shard_id", "address_id",
                    "xpub_id", "branch", "payout_id", "withdrawal_id", "edit_id", "list_id", "version_id")  # fmt: skip


def _unlike(name: str, kind: str, length: int | None) -> str:
    if kind in ("bigint", "integer", "smallint", "numeric"):
        return "n"
    if kind == "bytea":
        return "decode(lpad(to_hex(n), 40, '0'), 'hex')"
    if kind == "uuid":
        return "gen_random_uuid()"
    if kind.startswith("timestamp"):
        return "now() - n * interval '30 seconds'"
    if kind == "date":
        return "(now() - n * interval '1 day')::date"
    return f"left(lpad(n::text, 20, '0') || 'x', {length or 40})"


def _partitions(cursor: Any, table: str) -> list[str]:
    cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [table])
    return [name for (name,) in cursor.fetchall()]


def _analyse() -> None:
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE")


def measure(standing: Any, page: Any) -> tuple[float, int]:
    """Milliseconds of an answer, and its queries, once what is remembered between requests is remembered."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = standing.browser(page.viewer)
    client.get(page.path)
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(page.path)
    count = len(asked)  # now: the next request empties the list
    if answer.status_code != 200:
        raise SystemExit(f"{page.path} answered {answer.status_code}")
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        client.get(page.path)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times), count


def report(pages: dict[str, Any], figures: dict[str, Any], grown: dict[str, int], refused: dict[str, str]) -> None:
    for table, reason in refused.items():
        print(f"no row of {table}: {reason.splitlines()[0]}")
    print("rows behind: " + ", ".join(f"{table} {count:,}" for table, count in grown.items()))
    heads = "".join(f" {size:>12,}" for size in ROWS)
    print(f"{'page':64}{heads}   queries")
    slowest = sorted(pages, key=lambda path: -figures[path][-1][0])
    for path in slowest:
        cells = "".join(f" {ms:9.1f} ms" for ms, _ in figures[path])
        asked = [count for _, count in figures[path]]
        note = "  GROWS" if asked[-1] > asked[0] else ""
        print(f"{pages[path].name:64}{cells}   {'/'.join(map(str, asked))}{note}")
    last = [figures[path][-1][0] for path in pages]
    growing = [path for path in pages if figures[path][-1][1] > figures[path][0][1]]
    print(
        json.dumps(
            {
                "bench": "pages",
                "figures": {
                    "pages": len(pages), "rows": ROWS[-1], "median_ms": round(statistics.median(last), 1),
                    "slowest_ms": round(max(last), 1), "slowest": pages[slowest[0]].name, "queries_grow": len(growing),
                },
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
