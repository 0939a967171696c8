"""How many commands a second the real engine process does, from the stream to the reply, durable and with the full ledger.

A process of its own matches and commits; this one feeds the stream with commands made beforehand and takes the replies. First as
many as it can do (`commands_per_s`), then 2,000 each second whatever has been answered (`p50_ms_at_2000`, `p99_ms_at_2000`: from
when a command was due to its reply). Then, in the same run and each on a copy of the same database:
the engine's own statements said again by a bare psycopg2 connection with everything prepared (`ratio_to_sql`), and the same mix
done a transaction a command and a transaction a fill (`ratio_to_transaction_per_fill`).
What must never happen here: a figure from a run in which a reply was missing, a check was off, or the ledger does not verify.

Run by `make bench-engine`; BENCH_COMMANDS, BENCH_CUSTOMERS set the size.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import fill_by_fill, ground, recorded
from benchmarks.feed import Feed, bodies

DATABASE, FILL_BY_FILL = "bench_engine", "bench_engine_fill_by_fill"
WRITTEN_DOWN, SAID_AGAIN = "bench_engine_written_down", "bench_engine_said_again"
COMMANDS = int(os.environ.get("BENCH_COMMANDS", "100000"))
CUSTOMERS = int(os.environ.get("BENCH_CUSTOMERS", "2000"))
WARM_UP = 10_000
RATE = 2_000
STEADY_S = 10
STEADY_WARM_UP = 2_000
USUAL = 1_500  # commands the usual way; its resting orders are as many
SEED = 20_000
TARGETS_LEAST = {"commands_per_s": 20_000, "ratio_to_sql": 0.5, "ratio_to_transaction_per_fill": 20}
TARGETS_BELOW = {"p50_ms_at_2000": 5, "p99_ms_at_2000": 25}
TABLES = (
    "trading_command", "trading_command_key", "trading_order_key", "trading_order", "trading_trade", "trading_candle",
    "trading_batch", "ledger_transfer", "ledger_entry",
)  # fmt: skip
MAY_BE = {"accepted", "order_not_found"}  # a cancel may come after its order was swept


class Spent:
    """What each process spends on a command, in processor time: the measure that a busy machine spoils least."""

    def __init__(self, feed: Feed, engine: int, cursor: Any) -> None:
        cursor.execute("SELECT leader_pid, seq FROM trading_shard WHERE id = 0")
        backend, self._batches = cursor.fetchone()
        self._cursor = cursor
        self._pids = {"engine": engine, "its database backend": backend, "this generator": os.getpid()}
        self._pids["Valkey"] = feed.client.info("server")["process_id"]
        self._before = {name: ground.cpu_seconds(pid) for name, pid in self._pids.items()}

    def show(self, commands: int) -> None:
        each = {name: (ground.cpu_seconds(pid) - self._before[name]) / commands for name, pid in self._pids.items()}
        self._cursor.execute("SELECT seq FROM trading_shard WHERE id = 0")
        print(f"  {'commands a batch':32} {commands / (self._cursor.fetchone()[0] - self._batches):.1f}")
        print(f"  {'processor time a command':32} " + ", ".join(f"{name} {s * 1e6:.1f} µs" for name, s in each.items()))


def saturated(feed: Feed, users: list[int], rng: random.Random, pid: int, cursor: Any) -> float:
    """Commands a second at saturation."""
    feed.saturate(bodies(users, WARM_UP, rng, "w"))
    made = bodies(users, COMMANDS, rng, "m")
    spent = Spent(feed, pid, cursor)
    seconds = feed.saturate(made)
    print(f"  {'saturated':32} {COMMANDS / seconds:,.0f} commands/s")
    spent.show(COMMANDS)
    return COMMANDS / seconds


def steady(feed: Feed, users: list[int], rng: random.Random, pid: int, cursor: Any) -> dict[str, float]:
    """Delays at RATE commands a second, for STEADY_S seconds."""
    feed.steady(bodies(users, STEADY_WARM_UP, rng, "v"), rate=RATE)
    made = bodies(users, RATE * STEADY_S, rng, "s")
    spent = Spent(feed, pid, cursor)
    delays = sorted(feed.steady(made, rate=RATE))
    at = {
        name: delays[int(len(delays) * share)] * 1e3 for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
    }
    print(f"  {f'delay at {RATE:,} a second':32} " + ", ".join(f"{name} {ms:.2f} ms" for name, ms in at.items()))
    spent.show(len(made))
    return {f"p50_ms_at_{RATE}": round(at["p50"], 2), f"p99_ms_at_{RATE}": round(at["p99"], 2)}


def verified(database: str) -> None:
    """Every hash, sum and balance of that database, computed again."""
    environment = {name: ground.at(os.environ[name], database) for name in ground.VARIABLES if name in os.environ}
    done = subprocess.run(
        [sys.executable, "manage.py", "ledger", "verify"], cwd=ground.ROOT, env={**os.environ, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    print(f"  {database:32} {(done.stdout.strip().splitlines() or [done.stderr])[-1]}")
    if done.returncode:
        raise SystemExit(f"the ledger of {database} does not verify")


def said_again(folder: Path, log: Path, users: list[int], rng: random.Random) -> float:
    """Commands a second of the engine's statements alone. The engine that writes them down is not timed."""
    said = folder / "bench-engine-statements"
    feed = Feed()
    with ground.engine(log, ("-m", "benchmarks.recorded", str(said))):
        feed.saturate(bodies(users, WARM_UP, rng, "w"))
        feed.saturate(bodies(users, COMMANDS // 2, rng, "r"))
    url = ground.at(os.environ["ENGINE_DATABASE_URL"], SAID_AGAIN)
    commands, seconds, spent = recorded.play(url, said, warm_up=WARM_UP)
    said.unlink()
    for sql, took in spent.most_common(12):
        print(f"    {took / commands * 1e6:6.2f} µs a command   {sql}")
    return commands / seconds


def on_a_copy(folder: Path, log: Path, users: list[int]) -> float:
    """The engine writes its statements down on a copy of its own, so that they can be said to a fresh one."""
    here = {name: os.environ[name] for name in ground.VARIABLES if name in os.environ}
    ground.copy_database(WRITTEN_DOWN, SAID_AGAIN)
    os.environ.update({name: ground.at(url, WRITTEN_DOWN) for name, url in here.items()})
    try:
        Feed().client.flushdb()
        return said_again(folder, log, users, random.Random(SEED))
    finally:
        os.environ.update(here)


def checked(feed: Feed, cursor: Any, expected: int) -> None:
    """What was on, what was written, and whether it is all there."""
    on = ground.facts(cursor, TABLES)
    cursor.execute("SELECT count(*) FROM trading_command WHERE user_id > 0")
    (commands,) = cursor.fetchone()
    for name, value in on.items():
        print(f"  {name:32} {value}")
    print(f"  {'replies':32} {feed.codes}")
    print(f"  {'fills a command':32} {on['rows trading_trade'] / commands:.3f}")
    if commands != expected or sum(feed.codes.values()) != expected:
        raise SystemExit(f"{expected} commands were sent, {commands} stored, {sum(feed.codes.values())} answered")
    if feed.codes.keys() - MAY_BE:
        raise SystemExit("commands were refused; where they expired, this machine is too busy to measure anything")


def main() -> None:
    ground.prepare(DATABASE)
    from django.db import connection

    from config import embedded
    from exchange.ledger import reconciliation
    from trading import compiled

    folder = embedded.state_folder()
    log = folder / "bench-engine.log"
    log.unlink(missing_ok=True)
    users, rng = ground.fund(CUSTOMERS), random.Random(SEED)
    feed = Feed()
    feed.client.flushdb()
    feed = Feed()
    with ground.engine(log):
        pass  # it opens its markets and accounts; the copies begin from here
    for name in (SAID_AGAIN, FILL_BY_FILL):
        ground.copy_database(name, DATABASE)
    print(f"  {'core':32} {'compiled' if compiled.stands() else 'from its source'}")
    with ground.engine(log) as process, connection.cursor() as cursor:
        rate = saturated(feed, users, rng, process.pid, cursor)
        delays = steady(feed, users, rng, process.pid, cursor)
    with connection.cursor() as cursor:
        checked(feed, cursor, WARM_UP + COMMANDS + STEADY_WARM_UP + RATE * STEADY_S)
    report = reconciliation.run(now=datetime.now(UTC))
    if not report.ok:
        raise SystemExit(f"the books do not agree: {report.mismatches}")
    sql = on_a_copy(folder, log, users)
    usual = fill_by_fill.measure(
        ground.at(os.environ["ENGINE_DATABASE_URL"], FILL_BY_FILL), users, resting=USUAL, commands=USUAL,
        rng=random.Random(SEED),
    )  # fmt: skip
    print(f"  {'its statements alone':32} {sql:,.0f} commands/s")
    print(
        f"  {'a transaction a fill':32} {usual['commands_per_s']:,.0f} commands/s "
        f"({usual['transactions']} transactions, {usual['fills']} fills)"
    )
    for name in (DATABASE, SAID_AGAIN, FILL_BY_FILL):
        verified(name)
    figures = {
        "commands_per_s": round(rate),
        **delays,
        "ratio_to_sql": round(rate / sql, 3),
        "ratio_to_transaction_per_fill": round(rate / usual["commands_per_s"], 1),
    }
    missed = [f"{name} {figures[name]} < {least:,}" for name, least in TARGETS_LEAST.items() if figures[name] < least]
    missed += [f"{name} {figures[name]} ≥ {most}" for name, most in TARGETS_BELOW.items() if figures[name] >= most]
    if missed:
        print(f"  below the target: {', '.join(missed)}")
    print(json.dumps({"bench": "engine", "figures": figures}))


if __name__ == "__main__":
    main()
