"""A client that keeps every word it was told, to hold against what is stored.

It writes into the shards' streams as a web process does, with the same script, and listens to the replies and to the
customers' own news. A thread listens; whoever sends is the caller.
What must never happen here: a word dropped, or one taken for told that never came.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Condition, Event, Thread
from typing import Any, NamedTuple
from uuid import uuid4

import orjson
import redis

from trading import wire

BACKLOG_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply as it came, and when by time.monotonic()."""

    code: str
    order_id: int | None
    order: Shown | None
    at: float


class Shown(NamedTuple):
    """What of an order must never be taken back. `state`: 1 live, 2 filled, 3 cancelled."""

    id: int
    user_id: int
    filled_lots: int
    state: int
    reason: str


@dataclass(slots=True)
class Told:
    """Everything that was ever heard."""

    replies: dict[str, list[Reply]] = field(default_factory=dict)  # by the command's UUID
    fills: dict[tuple[int, int], set[tuple[int, str, str]]] = field(default_factory=dict)
    """By (user, trade): order, price and quantity; a set, for a fill that is told again must be the same."""


class Recorder:
    """One process's line to the engines, with a memory."""

    def __init__(self, url: str, *, users: Iterable[int] = (), name: str | None = None) -> None:
        self.name = name or uuid4().hex
        self.told = Told()
        self.sent: dict[str, bytes] = {}
        self.sent_at: dict[str, float] = {}
        self.shard_of: dict[str, int] = {}
        self.answered = 0
        self.last_reply_at = 0.0
        self.on_reply: Callable[[str, Reply], None] | None = None
        self._client = redis.Redis.from_url(url)
        self._append = self._client.register_script(wire.APPEND)
        self._changed = Condition()
        self._stopping = Event()
        self._pubsub = self._client.pubsub(ignore_subscribe_messages=True)
        self._pubsub.subscribe(wire.replies(self.name), *(f"user:{user}" for user in users))
        self._thread = Thread(target=self._listen, name="recorder", daemon=True)
        self._thread.start()

    def send(self, commands: Sequence[tuple[int, str, bytes]]) -> None:
        """(shard, UUID, body) of each, in one trip."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.script_load(wire.APPEND)  # a Valkey that was started again has forgotten it
        now = time.monotonic()
        for shard, uuid, body in commands:
            self.sent.setdefault(uuid, body)
            self.sent_at.setdefault(uuid, now)
            self.shard_of[uuid] = shard
            keys = [wire.stream(shard), wire.generation(shard)]
            pipeline.evalsha(self._append.sha, 2, *keys, BACKLOG_MAX, str(uuid4()), body)
        _, *taken = pipeline.execute()
        assert None not in taken, "the stream is full"

    @property
    def unanswered(self) -> int:
        return len(self.sent) - self.answered

    def wait(self, until: Callable[[], bool], seconds: float) -> bool:
        """Wait for a moment in what is heard; False when it did not come in time."""
        with self._changed:
            return self._changed.wait_for(until, timeout=seconds)

    def wait_for_all(self, seconds: float) -> bool:
        return self.wait(lambda: self.unanswered == 0, seconds)

    def reply(self, uuid: str, seconds: float = 120.0) -> Reply:
        """The first reply to a command."""
        assert self.wait(lambda: uuid in self.told.replies, seconds), f"no reply to {self.sent[uuid]!r}"
        return self.told.replies[uuid][0]

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=60)
        self._pubsub.close()
        self._client.close()

    def _listen(self) -> None:
        channel = wire.replies(self.name).encode()
        while not self._stopping.is_set():
            try:
                message = self._pubsub.get_message(timeout=0.2)
            except (redis.RedisError, OSError):
                time.sleep(0.02)  # it subscribes again by itself; what was said meanwhile it has not heard
                continue
            if message is None:
                continue
            data = orjson.loads(message["data"])
            with self._changed:
                if message["channel"] == channel:
                    self._hear(data)
                else:
                    self._overhear(int(message["channel"].split(b":")[1]), data)
                self._changed.notify_all()

    def _hear(self, replies: list[dict[str, Any]]) -> None:
        now = self.last_reply_at = time.monotonic()
        for each in replies:
            reply = Reply(each["code"], each["order_id"], _shown(each["order"]), now)
            known = self.told.replies.setdefault(each["id"], [])
            known.append(reply)
            if len(known) == 1 and each["id"] in self.sent:
                self.answered += 1
            if self.on_reply is not None:
                self.on_reply(each["id"], reply)

    def _overhear(self, user: int, news: dict[str, Any]) -> None:
        if news["type"] == "fill":
            fill = news["fill"]
            self.told.fills.setdefault((user, fill["id"]), set()).add(
                (fill["order_id"], fill["price"], fill["quantity"])
            )


def _shown(packed: Sequence[Any] | None) -> Shown | None:
    if packed is None:
        return None
    row = wire.unpack_order(packed)
    return Shown(row.id, row.user_id, row.filled_lots, row.state, row.reason)
