"""What waits to be sent to one reader: bounded, and made smaller when the reader is slow.

Pure. A reader who keeps up gets each message as it was encoded and framed once for all, straight onto the line, and nothing
waits here. Behind by more than QUEUE_MAX messages on a channel, the updates that wait are merged into one (absolute values:
the last one counts). When even the merged one outgrows its bound, it is thrown away and the reader is owed a notice of the
gap and a fresh snapshot.
What must never happen here: a wait for the reader, a queue without a bound, an update dropped that nobody is told about.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from trading.marketdata import books, metrics

QUEUE_MAX = 16  # messages a channel, before merging begins
REPLIES_MAX = 128  # answers to the reader's own messages
MERGED_ITEMS_MAX = 1000  # prices, trades, orders … in one merged update


@dataclass(frozen=True, slots=True)
class Message:
    """One message, encoded and framed once; `data` is kept for merging and shared, so nobody may change it."""

    channel: str
    type: str  # snapshot | update | gap; of an answer to the reader's own message: reply
    data: dict[str, Any]
    text: str
    frame: bytes


def encode(channel: str, type: str, data: dict[str, Any]) -> Message:
    """Make the bytes that every reader of the channel will be sent."""
    body = orjson.dumps({"channel": channel, "type": type, "data": data})
    return Message(channel, type, data, body.decode(), framed(body))


def framed(body: bytes) -> bytes:
    """A websocket frame of text, whole and unmasked, as a server sends it (RFC 6455, 5.2)."""
    length = len(body)
    if length < 126:
        return bytes((0x81, length)) + body
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2, "big") + body
    return b"\x81\x7f" + length.to_bytes(8, "big") + body


@dataclass(frozen=True, slots=True)
class Owed:
    """In place of a message: this reader lost updates of `channel` and needs a gap notice and a snapshot."""

    channel: str


@dataclass(slots=True)
class _Waiting:
    """One channel's messages. `merged` holds updates that were joined and come after everything in `queue`."""

    queue: deque[Message] = field(default_factory=deque)
    merged: list[dict[str, Any]] = field(default_factory=list)
    owed: bool = False
    held: bool = False  # a snapshot is being read: what arrives meanwhile must go out after it


def _by(*keys: str) -> Callable[[dict[str, Any]], Any]:
    return lambda item: tuple(item[key] for key in keys)


# Channels of which each update says everything: the last one counts.
_WHOLE = frozenset({"ticker", "bbo", "market"})
# Of the others: the list in its data, and what makes two items of it the same thing.
_ITEMS: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "trades": ("trades", _by("id")),
    "candles": ("candles", _by("time")),
    "tickers": ("tickers", _by("market")),
    "prices": ("prices", _by("asset")),
    "orders": ("orders", _by("id")),
    "fills": ("fills", _by("id", "order_id")),
    "balances": ("balances", _by("asset")),
    "notifications": ("notifications", _by("id")),
}


def merge(channel: str, updates: list[dict[str, Any]]) -> dict[str, Any] | None:
    """One update that says what `updates` say in turn, or None when it would be too large."""
    kind = channel.partition(":")[0]
    if kind in _WHOLE or "depth" in updates[-1]:
        return updates[-1]
    if kind == "book":
        joined = books.merged(updates)
        return joined if len(joined["bids"]) + len(joined["asks"]) <= MERGED_ITEMS_MAX else None
    name, key = _ITEMS[kind]
    items: dict[Any, Any] = {}
    for update in updates:
        for item in update[name]:
            items.pop(key(item), None)  # the newest state also takes the newest place
            items[key(item)] = item
    return {**updates[-1], name: list(items.values())} if len(items) <= MERGED_ITEMS_MAX else None


class Mailbox:
    """A reader's messages, taken one at a time: answers first, then the channels in turn.

    `direct` writes a frame straight onto the line, or returns False where the reader does not take it now.
    """

    def __init__(self, *, wake: Callable[[], None], direct: Callable[[bytes], bool] | None = None) -> None:
        self._wake = wake
        self._direct = direct
        self.paused = False  # nothing may leave at the moment
        self._replies: deque[Message] = deque()
        self._channels: dict[str, _Waiting] = {}

    def reply(self, answer: str | bytes) -> bool:
        """An answer to the reader's own message; False when the reader takes none and more must not be kept."""
        body = answer.encode() if isinstance(answer, str) else answer
        frame = framed(body)
        if not self._replies and not self.paused and self._direct is not None and self._direct(frame):
            return True
        if len(self._replies) >= REPLIES_MAX:
            return False
        self._replies.append(Message("", "reply", {}, body.decode(), frame))
        self._wake()
        return True

    def put(self, message: Message) -> None:
        """A channel's message. Never waits."""
        free = not self._channels and not self._replies and not self.paused  # nothing stands before it
        if free and self._direct is not None and self._direct(message.frame):
            return
        waiting = self._channels.setdefault(message.channel, _Waiting())
        if message.type == "snapshot":
            # It replaces whatever went before, but not the notice that something was lost.
            self._channels[message.channel] = _Waiting(queue=deque([*self._notices(message.channel), message]))
        elif waiting.owed:
            return  # the snapshot that is owed will be newer than this
        elif message.type == "update" and (waiting.merged or len(waiting.queue) >= QUEUE_MAX):
            self._join(waiting, message)
        else:
            waiting.queue.append(message)
            if len(waiting.queue) > QUEUE_MAX * 2:  # gap notices alone: a feed that flaps
                self._owe(message.channel, held=waiting.held)
        self._wake()

    def owe(self, channel: str) -> None:
        """Throw away what waits on the channel: the reader will get a gap notice and a snapshot in its place."""
        self._owe(channel, held=False)
        self._wake()

    def _owe(self, channel: str, *, held: bool) -> None:
        metrics.RESTARTED.inc()
        self._channels[channel] = _Waiting(owed=True, held=held)

    def hold(self, channel: str) -> None:
        """A snapshot is about to be read outside this process: keep what arrives from now on until it stands."""
        self._channels[channel] = _Waiting(queue=self._notices(channel), held=True)

    def release(self, snapshot: Message) -> None:
        """The snapshot was read: it goes out after the notice of a gap, before everything that was kept since `hold`."""
        waiting = self._channels.setdefault(snapshot.channel, _Waiting())
        notices = self._notices(snapshot.channel)
        waiting.queue = deque([*notices, snapshot, *(kept for kept in waiting.queue if kept.type == "update")])
        waiting.held = False
        self._wake()

    def forget(self, channel: str) -> None:
        """The reader has unsubscribed."""
        self._channels.pop(channel, None)

    def take(self) -> Message | Owed | None:
        """The next thing to send, or None. A channel that is owed a snapshot is held until that is put in."""
        if self.paused:
            return None
        if self._replies:
            return self._replies.popleft()
        channel = next((name for name, waiting in self._channels.items() if not waiting.held), None)
        if channel is None:
            return None
        waiting = self._channels.pop(channel)
        if waiting.queue:
            message = waiting.queue.popleft()
        elif waiting.owed:
            self._channels[channel] = _Waiting(held=True)
            return Owed(channel)
        else:
            message = encode(channel, "update", waiting.merged[0])
            waiting.merged = []
        if waiting.queue or waiting.merged or waiting.owed:
            self._channels[channel] = waiting  # behind the others
        return message

    def _notices(self, channel: str) -> deque[Message]:
        """The last notice of a gap that waits on the channel, if any."""
        waiting = self._channels.get(channel, _Waiting())
        return deque([kept for kept in waiting.queue if kept.type == "gap"][-1:])

    def _join(self, waiting: _Waiting, message: Message) -> None:
        trailing = []
        while waiting.queue and waiting.queue[-1].type == "update":
            trailing.append(waiting.queue.pop().data)
        joined = merge(message.channel, [*waiting.merged, *reversed(trailing), message.data])
        if joined is None:
            self._owe(message.channel, held=waiting.held)
        else:
            metrics.CONFLATED_FOR_ONE.inc(len(waiting.merged) + len(trailing))
            waiting.merged = [joined]
