"""How many commands a second the real engine process does, from the stream to the reply, durable and with the full ledger.

A process of its own matches and commits; this one feeds the stream with commands made beforehand and counts replies. The mix
is half new resting orders, four tenths cancels, one tenth market orders that sweep about 2.5 resting ones: 0.25 fills a
command. What is switched on is read from the database and printed, and the books are verified afterwards.
What must never happen here: a figure from a run in which a reply was missing, a check was off, or the ledger does not verify.

Run by `make bench-engine`; BENCH_COMMANDS, BENCH_CUSTOMERS set the size.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import orjson
import psycopg2
import redis

ROOT = Path(__file__).resolve().parent.parent
DATABASE = "bench_engine"
COMMANDS = int(os.environ.get("BENCH_COMMANDS", "100000"))
CUSTOMERS = int(os.environ.get("BENCH_CUSTOMERS", "2000"))
WARM_UP = 10_000
BACKLOG = 6_000
CHUNK = 500
PROCESS = "bench"
SILENCE_S = 20.0
SEED = 20_000
VARIABLES = ("DATABASE_URL", "DATABASE_OWNER_URL", "ENGINE_DATABASE_URL", "SIGNER_DATABASE_URL")


def prepare() -> None:
    """A database of the benchmark's own, migrated; the environment of this process and the engine's points to it."""
    from config import embedded

    os.environ.update(embedded.ensure().environment)
    owner = os.environ["DATABASE_OWNER_URL"]
    admin = psycopg2.connect(urlunsplit(urlsplit(owner)._replace(path="/postgres")))
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        cursor.execute(f"CREATE DATABASE {DATABASE}")
    admin.close()
    for variable in VARIABLES:
        if variable in os.environ:
            os.environ[variable] = urlunsplit(urlsplit(os.environ[variable])._replace(path=f"/{DATABASE}"))
    embedded.prepare_database(os.environ["DATABASE_OWNER_URL"])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", database="owner", verbosity=0)


def fund() -> list[int]:
    """Customers with plenty of BTC and USDT, through the ledger's own door; their user ids."""
    from exchange.ledger.journal import Entry, Kind, Transfer
    from exchange.ledger.services import accounts, transfers

    now = datetime.now(UTC)
    wallets = {asset: accounts.open(kind=Kind.CHAIN_WALLET, asset_id=asset, label="bench", now=now) for asset in (1, 4)}
    users = list(range(1, CUSTOMERS + 1))
    posts = []
    for user in users:
        for asset, account in accounts.open_customer(owner_id=user, asset_ids=[1, 4], now=now).items():
            entries = (Entry(wallets[asset], -(10**16)), Entry(account, 10**16))
            posts.append(Transfer(uuid4(), "deposit", entries))
    for start in range(0, len(posts), 1_000):
        transfers.post(transfers=posts[start : start + 1_000], now=now)
    return users


def bodies(users: list[int], count: int, rng: random.Random, prefix: str) -> list[bytes]:
    """The commands, in the mix above. Cancels name their order by the client's id, so nothing waits for an answer."""
    from exchange.core.ids import uuid7
    from trading import wire

    at, made, resting = time.time_ns() // 1_000_000, [], []
    for number in range(count):
        head = {"uuid": uuid7(), "process": PROCESS, "asked_at_ms": at}
        draw = rng.random()
        if draw < 0.5 or not resting:
            user, buying, client = rng.choice(users), rng.random() < 0.5, f"{prefix}-{number}"
            price = rng.randint(4_990_00, 4_999_99) if buying else rng.randint(5_000_00, 5_009_99)
            made.append(
                wire.encode_place(
                    **head, user_id=user, market_id=1, side=1 if buying else 2, kind=1, time_in_force=1, price=price,
                    lots=10, quote_units=0, client_order_id=client,
                )
            )  # fmt: skip
            resting.append((user, client))
        elif draw < 0.9:
            at_random = rng.randrange(len(resting))
            resting[at_random], resting[-1] = resting[-1], resting[at_random]
            user, client = resting.pop()
            made.append(wire.encode_cancel(**head, user_id=user, order_id=0, client_order_id=client))
        else:
            made.append(
                wire.encode_place(
                    **head, user_id=rng.choice(users), market_id=1, side=rng.choice((1, 2)), kind=2, time_in_force=2,
                    price=0, lots=25, quote_units=0, client_order_id=None,
                )
            )  # fmt: skip
    return made


class Feed:
    """Appends with the same script as the web processes, in chunks made beforehand, and counts the replies."""

    def __init__(self) -> None:
        from django.conf import settings

        from trading import wire

        self.client = redis.Redis.from_url(settings.REDIS_URL)
        self.sha = self.client.script_load(wire.APPEND)
        self.keys = (wire.stream(0).encode(), wire.generation(0).encode())
        self.replies = self.client.pubsub(ignore_subscribe_messages=True)
        self.replies.subscribe(wire.replies(PROCESS))
        self.codes: dict[str, int] = {}

    def chunks(self, made: list[bytes]) -> list[bytes]:
        generation = str(uuid4()).encode()

        def call(body: bytes) -> bytes:
            parts = [b"EVALSHA", self.sha.encode(), b"2", *self.keys, b"1000000", generation, body]
            return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)

        return [b"".join(map(call, made[start : start + CHUNK])) for start in range(0, len(made), CHUNK)]

    def run(self, made: list[bytes]) -> float:
        """Seconds from the first append to the last reply, with at most BACKLOG commands waiting."""
        chunks, sent, answered = self.chunks(made), 0, 0
        connection = self.client.connection_pool.get_connection()
        started = time.perf_counter()
        while answered < len(made):
            if chunks and sent - answered <= BACKLOG - CHUNK:
                chunk = chunks.pop(0)
                connection.send_packed_command([chunk])
                size = min(CHUNK, len(made) - sent)
                for _ in range(size):
                    connection.read_response()
                sent += size
                answered += self._take(0.0)
            else:
                got = self._take(SILENCE_S)
                if not got:
                    raise SystemExit(f"no reply for {SILENCE_S:.0f} s, {len(made) - answered} are missing")
                answered += got
        seconds = time.perf_counter() - started
        self.client.connection_pool.release(connection)
        return seconds

    def _take(self, timeout: float) -> int:
        answered = 0
        while message := self.replies.get_message(timeout=0.0 if answered else timeout):
            for reply in orjson.loads(message["data"]):
                self.codes[reply["code"]] = self.codes.get(reply["code"], 0) + 1
                answered += 1
        return answered


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far: on a busy machine the only figure that does not depend on the others."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def facts(cursor: Any) -> dict[str, Any]:
    """What is switched on, as the database says, and the rows of each table."""
    found: dict[str, Any] = {}
    for name in ("fsync", "synchronous_commit", "full_page_writes", "wal_level"):
        cursor.execute(f"SHOW {name}")
        found[name] = cursor.fetchone()[0]
    cursor.execute(
        "SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE NOT tgisinternal AND tgenabled = 'O'"
    )
    found["triggers_on"] = cursor.fetchone()[0]
    cursor.execute("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'O'")
    found["triggers_off"] = cursor.fetchone()[0]
    cursor.execute("SELECT count(*) FROM pg_indexes WHERE tablename ~ '^(trading|ledger)_'")
    found["indexes"] = cursor.fetchone()[0]
    cursor.execute(
        "SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND conrelid::regclass::text ~ '^(trading|ledger)_'"
    )
    found["checks"] = cursor.fetchone()[0]
    for table in ("trading_command", "trading_command_key", "trading_order_key", "trading_order", "trading_trade",
                  "trading_candle", "trading_batch", "ledger_transfer", "ledger_entry"):  # fmt: skip
        cursor.execute(f"SELECT count(*) FROM {table}")
        found[f"rows {table}"] = cursor.fetchone()[0]
    return found


def main() -> None:
    from config import embedded

    prepare()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    from exchange.ledger import reconciliation
    from trading import wire

    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    users, rng = fund(), random.Random(SEED)
    feed = Feed()
    log = (embedded.state_folder() / "bench-engine.log").open("wb")
    engine = subprocess.Popen(
        [sys.executable, "manage.py", "run_engine", "--shard", "0"], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.engine"},
    )  # fmt: skip
    try:
        while not feed.client.exists(wire.leader(0)):
            if engine.poll() is not None:
                raise SystemExit(f"the engine ended: see {log.name}")
            time.sleep(0.05)
        feed.run(bodies(users, WARM_UP, rng, "w"))
        feed.codes.clear()
        made = bodies(users, COMMANDS, rng, "m")
        with connection.cursor() as cursor:
            cursor.execute("SELECT leader_pid FROM trading_shard WHERE id = 0")
            pids = {"engine": engine.pid, "its database backend": cursor.fetchone()[0]}
        pids |= {"Valkey": feed.client.info("server")["process_id"], "this generator": os.getpid()}
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        seconds = feed.run(made)
        for name, pid in pids.items():
            print(f"  {'CPU of ' + name:28} {(cpu_seconds(pid) - before[name]) / COMMANDS * 1e6:.1f} µs a command")
    finally:
        engine.send_signal(signal.SIGTERM)
        engine.wait(timeout=30)
    with connection.cursor() as cursor:
        on = facts(cursor)
        cursor.execute("SELECT seq FROM trading_shard WHERE id = 0")
        (batches,) = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM trading_command WHERE user_id <> 0")  # without the engine's own
        (commands,) = cursor.fetchone()
    for name, value in on.items():
        print(f"  {name:28} {value}")
    print(f"  {'replies':28} {feed.codes}")
    print(f"  {'commands a batch':28} {commands / batches:.0f}")
    print(f"  {'fills a command':28} {on['rows trading_trade'] / commands:.3f}")
    if on["fsync"] != "on" or on["synchronous_commit"] != "on" or on["triggers_off"]:
        raise SystemExit("a safety is switched off; this figure would say nothing")
    if commands != COMMANDS + WARM_UP or sum(feed.codes.values()) != COMMANDS:
        raise SystemExit("commands and replies do not match")
    if feed.codes.keys() - {"accepted", "order_not_found"}:  # a cancel may come after its order was swept
        raise SystemExit("commands were refused; where they expired, this machine is too busy to measure anything")
    call_command("ledger", "verify")
    report = reconciliation.run(now=datetime.now(UTC))
    if not report.ok:
        raise SystemExit(f"the books do not agree: {report.mismatches}")
    print(json.dumps({"bench": "engine", "figures": {"commands_per_s": round(COMMANDS / seconds)}}))


if __name__ == "__main__":
    main()
