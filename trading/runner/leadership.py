"""Who leads a shard. One writer at a time, and the database is what enforces it.

A leader holds no lock that a stopped process could keep: a new one terminates the old one's database backend, raises the
epoch, and only then loads. Every batch checks epoch and sequence in its own transaction, so an old leader that wakes up
again commits nothing. The heartbeat in Valkey only says when it is worth taking over; the epoch beside it keeps an old
leader's late words from standing over the new one's.
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

HEARTBEAT_MS = 400  # a heart silent for so long is not heard any more
BEATS = 5  # in that time
VACANT_BEATS = 1.5  # an emptied Valkey has no heartbeat either, until the next beat
MISSED_BEATS = 2  # after so many a standby begins to load
POLL_S = 0.02
TERMINATE_MS = 5_000

# Nobody beats over another's name, so an old leader that wakes up hears that it is one. KEYS: leader, epoch. ARGV: name,
# milliseconds, epoch, whether to take the place of whoever stands there.
_BEAT = """
local there = redis.call('GET', KEYS[1])
if there and there ~= ARGV[1] and ARGV[4] ~= '1' then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[3])
return 1
"""
_LEAVE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


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


def epoch_key(shard: int) -> str:
    """The key in Valkey with the epoch of whoever leads: what an older one still wants to show is refused."""
    return f"engine:{shard}:epoch"


class Heart:
    """The sign of life that a leader leaves in Valkey, and a standby looks at."""

    def __init__(self, client: redis.Redis, shard: int, name: str, *, heartbeat_ms: int) -> None:
        self.heartbeat_ms = heartbeat_ms
        self._client = client
        self._name = name
        self._keys = [wire.leader(shard), epoch_key(shard)]
        self._beat = client.register_script(_BEAT)
        self._leave = client.register_script(_LEAVE)

    def claim(self, epoch: int) -> None:
        """The first beat of a reign, in the place of whoever beat before."""
        self._beat(keys=self._keys, args=[self._name, self.heartbeat_ms, epoch, "1"])

    def beat(self, epoch: int) -> bool:
        """False when another heart beats there: somebody else has taken the lead."""
        return bool(self._beat(keys=self._keys, args=[self._name, self.heartbeat_ms, epoch, "0"]))

    def leave(self) -> None:
        """Let a standby know at once."""
        self._leave(keys=self._keys[:1], args=[self._name])

    def wait_for_a_vacancy(self, *, stopping: Callable[[], bool], silent: Callable[[bool], bool]) -> bool:
        """Wait until no heart has beaten for a while. False when we were told to stop.

        `silent` hears at each look whether beats were missed, and says whether whoever waits is ready to lead.
        """
        missing_since: float | None = None
        beat_ms = self.heartbeat_ms / BEATS
        while not stopping():
            now = time.monotonic()
            left_ms = self._client.pttl(self._keys[0])  # below zero: it is gone
            ready = silent(left_ms < self.heartbeat_ms - MISSED_BEATS * beat_ms)
            if left_ms >= 0:
                missing_since = None
            elif missing_since is None:
                missing_since = now
            elif now - missing_since >= VACANT_BEATS * beat_ms / 1_000 and ready:
                return True
            time.sleep(POLL_S)
        return False


def take(connection: Any, *, shard: int, name: str, after: int | None = None) -> Reign:
    """Terminate the old leader's backend, raise the epoch, commit. The title is lost as soon as somebody else calls this.

    `after` is the epoch of our own reign that ended in doubt: where it is not the shard's any more, somebody else has led
    since, and the place is theirs. Raises Fenced then, and where another took the lead in the same moment.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT epoch, leader_pid, leader_backend_start FROM trading_shard WHERE id = %s", (shard,))
        row = cursor.fetchone()
        if row is None:
            raise ShardUnknown(f"there is no shard {shard}")
        epoch, pid, backend_start = row
        if after is not None and epoch != after:
            raise Fenced(f"shard {shard} is at epoch {epoch}, we led at {after}")
        # A pid alone may be somebody else's by now; with its start it is one backend and no other.
        cursor.execute(
            "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity "
            "WHERE pid = %s AND backend_start = %s AND pid <> pg_backend_pid() AND usename = current_user",
            (TERMINATE_MS, pid, backend_start),
        )
        if (terminated := cursor.fetchone()) is not None and not terminated[0]:
            raise psycopg2.OperationalError(f"the old leader's backend {pid} does not end")
        cursor.execute(
            "UPDATE trading_shard SET epoch = epoch + 1, leader_pid = pg_backend_pid(), leader_name = %s, leader_backend_start = "
            "(SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()) WHERE id = %s AND epoch = %s "
            "RETURNING epoch, seq, published_seq, next_command, next_order, next_trade, stream_generation, stream_id, "
            "market_sequences",
            (name[:200], shard, epoch),
        )
        taken = cursor.fetchone()
        if taken is None:
            raise Fenced(f"somebody else took shard {shard} in the same moment")
        epoch, seq, published, command, order, trade, generation, stream_id, sequences = taken
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
