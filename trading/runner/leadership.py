"""Who leads a shard. One writer at a time, and the database is what enforces it.

A leader holds no lock that a stopped process could keep: a new one terminates the old one's database backend, raises the
epoch, and only then loads. Every batch checks epoch and sequence in its own transaction, so an old leader that wakes up
again commits nothing. The heartbeat in Valkey only says when it is worth taking over.
What must never happen here: two leaders that can both commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import psycopg2
import redis

from trading import wire
from trading.runner.stream import Position

HEARTBEAT_MS = 700
POLL_S = 0.1
TERMINATE_MS = 5_000


class Fenced(Exception):
    """Somebody else leads now; nothing of this batch was committed."""


class Doubt(Exception):
    """Book and database may differ, or the outcome of a commit is unknown. Throw the book away and load it again."""


class Reign(NamedTuple):
    """A leader's title, and the shard as it was when it took it."""

    epoch: int
    seq: int
    published_seq: int
    next_command: int
    next_order: int
    next_trade: int
    position: Position
    market_sequences: dict[int, int]


class ShardUnknown(LookupError):
    """There is no such shard."""


def wait_for_a_vacancy(client: redis.Redis, shard: int, *, stopping: Callable[[], bool]) -> bool:
    """Wait until no leader's heart has beaten for two looks in a row. False when we were told to stop."""
    missing = 0
    while missing < 2:
        if stopping():
            return False
        missing = 0 if client.exists(wire.leader(shard)) else missing + 1
        if missing < 2:
            time.sleep(POLL_S)
    return True


def take(connection: Any, *, shard: int, name: str) -> Reign:
    """Terminate the old leader's backend, raise the epoch, commit. The title is lost as soon as somebody else calls this."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT leader_pid, leader_backend_start FROM trading_shard WHERE id = %s", (shard,))
        row = cursor.fetchone()
        if row is None:
            raise ShardUnknown(f"there is no shard {shard}")
        # A pid alone may be somebody else's by now; with its start it is one backend and no other.
        cursor.execute(
            "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity "
            "WHERE pid = %s AND backend_start = %s AND pid <> pg_backend_pid() AND usename = current_user",
            (TERMINATE_MS, *row),
        )
        if (terminated := cursor.fetchone()) is not None and not terminated[0]:
            raise psycopg2.OperationalError(f"the old leader's backend {row[0]} does not end")
        cursor.execute(
            "UPDATE trading_shard SET epoch = epoch + 1, leader_pid = pg_backend_pid(), leader_name = %s, leader_backend_start = "
            "(SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()) WHERE id = %s "
            "RETURNING epoch, seq, published_seq, next_command, next_order, next_trade, stream_generation, stream_id, "
            "market_sequences",
            (name[:200], shard),
        )
        epoch, seq, published, command, order, trade, generation, stream_id, sequences = cursor.fetchone()
    connection.commit()
    return Reign(
        epoch=epoch,
        seq=seq,
        published_seq=published,
        next_command=command,
        next_order=order,
        next_trade=trade,
        position=Position(generation, stream_id),
        market_sequences={int(market): sequence for market, sequence in sequences.items()},
    )
