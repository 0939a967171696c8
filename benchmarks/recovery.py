"""How long a killed engine's successor takes until it answers, and how much memory it then has, by the number of open orders.

The orders are put into the tables by SQL, with what they hold in the ledger and their keys, as if they had been placed; then the
real process is started: the time runs from its start, through Python, Django, the lead and the loading, to the reply to a first
command. What must never happen here: a book that is smaller than it says, or that the reconciliation does not find right.

Run by `make bench-recovery`; BENCH_ORDERS=10000,100000 makes a short run of it.
"""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2

from benchmarks import ground
from benchmarks.feed import PROCESS, Feed

DATABASE = "bench_recovery"
ORDERS = [int(text) for text in os.environ.get("BENCH_ORDERS", "10000,100000,1000000").split(",")]
CUSTOMERS = 2_000
NAMES = {10_000: "10k", 100_000: "100k", 1_000_000: "1m"}
TARGET_S_100K = 5.0

# Half of the orders buy, half of them have a client's id; prices spread over 100,000 ticks a side, ten lots each.
ROWS = """
INSERT INTO trading_order (id, user_id, market_id, side, kind, time_in_force, price, lots, quote_units, filled_lots,
  filled_quote, fee, state, reason, client_order_id, base_account, quote_account, created_at, updated_at, rank, phase, held)
SELECT n.id, n.user_id, 1, n.side, 1, 1, n.price, 10, 0, 0, 0, 0, 1, '', CASE WHEN n.i / 2 %% 2 = 0 THEN 'r-' || n.i END,
  base.id, quote.id, now(), now(), n.i, 1,
  10::numeric * CASE n.side WHEN 1 THEN n.price * m.tick_quote_units ELSE m.lot_base_units END
FROM (SELECT i, i * 1024 AS id, 1 + i * 7919 %% %(customers)s AS user_id, 1 + i %% 2 AS side,
             CASE i %% 2 WHEN 0 THEN 499999 - i * 104729 %% 100000 ELSE 500001 + i * 104729 %% 100000 END AS price
      FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS i) AS n
JOIN trading_market m ON m.id = 1
JOIN ledger_account base ON base.owner_id = n.user_id AND base.asset_id = m.base_asset_id AND base.kind = 'customer'
JOIN ledger_account quote ON quote.owner_id = n.user_id AND quote.asset_id = m.quote_asset_id AND quote.kind = 'customer'
"""
KEYS = """
INSERT INTO trading_order_key (user_id, client_order_id, command_id)
SELECT user_id, client_order_id, id FROM trading_order WHERE id BETWEEN %s AND %s AND client_order_id IS NOT NULL
"""
HOLDS = """
SELECT CASE side WHEN 1 THEN quote_account ELSE base_account END, sum(held)::text FROM trading_order
WHERE id BETWEEN %s AND %s AND state = 1 GROUP BY 1
"""


def put(first: int, last: int) -> None:
    """Open orders with these counters, as if the engine had taken them."""
    from exchange.ledger import bulk

    owner = psycopg2.connect(os.environ["DATABASE_OWNER_URL"])
    with owner, owner.cursor() as cursor:
        cursor.execute(ROWS, {"customers": CUSTOMERS, "first": first, "last": last})
        cursor.execute(KEYS, (first * 1024, last * 1024))
        cursor.execute("UPDATE trading_shard SET next_order = %s WHERE id = 0", (last + 1,))
        cursor.execute(HOLDS, (first * 1024, last * 1024))
        held = {account: int(amount) for account, amount in cursor.fetchall()}
    owner.autocommit = True
    with owner.cursor() as cursor:
        cursor.execute("ANALYZE trading_order")
    owner.close()
    engine = psycopg2.connect(os.environ["ENGINE_DATABASE_URL"])
    with engine, engine.cursor() as cursor:
        bulk.lock(cursor, held)
        bulk.post(cursor, writer="shard-0", transfers=[], held_deltas=held, now=datetime.now(UTC))
    engine.close()


def memory_mb(pid: int) -> int:
    """Resident memory of a process."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024)


def answered(feed: Feed, users: list[int]) -> None:
    """Send a cancel of nothing and wait for its reply: whoever answers it has its book."""
    from exchange.core.ids import uuid7
    from trading import wire

    uuid = uuid7()
    body = wire.encode_cancel(
        uuid=uuid, process=PROCESS, asked_at_ms=time.time_ns() // 1_000_000, user_id=users[0], order_id=0,
        client_order_id="nothing",
    )  # fmt: skip
    feed.client.evalsha(feed.sha, 2, *feed.keys, "1000000", str(uuid4()), body)
    until = time.perf_counter() + ground.START_S
    while str(uuid) not in feed._take(1.0):  # a killed engine's last replies are told again
        if time.perf_counter() > until:
            raise SystemExit("the engine does not answer")


def restarted(log: Path, users: list[int], expected: int) -> tuple[float, int]:
    """Seconds from the start of the process to its first reply, and its memory then; it is killed after that."""
    feed = Feed()
    started = time.perf_counter()
    with ground.engine(log) as process:
        answered(feed, users)
        seconds, memory = time.perf_counter() - started, memory_mb(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
    feed.client.flushdb()
    loaded = [line for line in log.read_text().splitlines() if "engine leads" in line][-1]
    if f"open_orders={expected}" not in loaded and f'"open_orders": {expected}' not in loaded:
        raise SystemExit(f"{expected} orders are open; the engine says: {loaded}")
    return seconds, memory


def main() -> None:
    os.environ.setdefault("LOG_LEVEL", "INFO")
    ground.prepare(DATABASE)
    from django.core.management import call_command
    from django.db import connection

    from config import embedded
    from exchange.ledger import reconciliation

    users = ground.fund(CUSTOMERS)
    log = embedded.state_folder() / "bench-recovery.log"
    log.unlink(missing_ok=True)
    Feed().client.flushdb()
    with ground.engine(log):
        pass  # it opens its markets
    figures: dict[str, Any] = {}
    print(f"  {'open orders':>12} {'until it answers':>17} {'memory':>9}")
    there = 0
    for count in ORDERS:
        put(there + 1, count)
        there = count
        seconds, memory = restarted(log, users, count)
        print(f"  {count:>12,} {seconds:>15.2f} s {memory:>6} MB")
        name = NAMES.get(count, str(count))
        figures[f"restart_s_{name}"] = round(seconds, 2)
        if name == "1m":
            figures["memory_mb_1m"] = memory
    with connection.cursor() as cursor:
        for name, value in ground.facts(cursor, ("trading_order", "trading_order_key")).items():
            print(f"  {name:28} {value}")
    report = reconciliation.run(now=datetime.now(UTC))
    if not report.ok:
        raise SystemExit(f"the books do not agree: {report.mismatches}")
    call_command("ledger", "verify")
    if figures.get("restart_s_100k", 0) >= TARGET_S_100K:
        print(f"  below the target: restart_s_100k {figures['restart_s_100k']} ≥ {TARGET_S_100K}")
    print(json.dumps({"bench": "recovery", "figures": figures}))


if __name__ == "__main__":
    main()
