"""One public channel: its readers, and what is on its way to them.

A message goes to a few readers at once. To thousands it goes in slices, between which everything else on the event loop has
its turn; what happens meanwhile is merged into one update for all, encoded once, so a process that cannot keep up falls
behind by one round and never by more. Somebody who joins during a round starts at the beginning of the next one, with a
snapshot that stands exactly where the update after it begins.
What must never happen here: an update handed to a reader whose snapshot holds it already, or one that is missing in between.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from trading.marketdata import metrics
from trading.marketdata.channels import Channel
from trading.marketdata.mailbox import Mailbox, Message, encode, merge

SLICE = 250  # readers, before the others on the event loop have their turn: about two milliseconds
PENDING_MAX = 1_000  # updates that wait for a round; beyond it readers start over from a snapshot

State = Callable[[Channel], dict[str, Any] | None]
Spawn = Callable[[Coroutine[Any, Any, None]], Any]


class Topic:
    """Everything here happens between two awaits of the event loop, but for `_rounds`, which waits between slices."""

    def __init__(self, channel: Channel, *, state: State, spawn: Spawn) -> None:
        self.channel = channel
        self._state, self._spawn = state, spawn
        self._readers: dict[Mailbox, None] = {}
        self._joining: dict[Mailbox, None] = {}
        self._left: set[Mailbox] = set()  # since the round began
        # What the next rounds take out: ("update", data of each), ("gap", [notice]) or ("snapshot", []), which is always last.
        self._pending: deque[tuple[str, list[dict[str, Any]]]] = deque()
        self._busy = False
        self._snapshot: Message | None = None

    @property
    def empty(self) -> bool:
        return not self._readers and not self._joining

    def __contains__(self, mailbox: object) -> bool:
        return mailbox in self._readers or mailbox in self._joining

    def join(self, mailbox: Mailbox) -> None:
        """From now on the mailbox gets the channel: a snapshot first, or as soon as one is known."""
        self._joining[mailbox] = None
        if not self._pending:
            self._admit()

    def leave(self, mailbox: Mailbox) -> None:
        self._readers.pop(mailbox, None)
        self._joining.pop(mailbox, None)
        if self._busy:
            self._left.add(mailbox)

    def restart(self, mailbox: Mailbox) -> None:
        """Start over with a snapshot for one reader, who has missed something."""
        if mailbox in self:
            self.leave(mailbox)
            self.join(mailbox)

    def update(self, data: dict[str, Any]) -> None:
        """News for every reader."""
        self._snapshot = None
        if self.empty:
            return
        last, waiting = self._pending[-1] if self._pending else ("", [])
        if last == "snapshot":
            return  # it will hold this
        if last != "update":
            self._pending.append(("update", [data]))
        elif len(waiting) < PENDING_MAX:
            waiting.append(data)
        else:
            self._pending.pop()
            self._pending.append(("gap", [{"reason": "slow_reader"}]))
            self._pending.append(("snapshot", []))
        self._go()

    def gap(self, notice: dict[str, Any]) -> None:
        """Tell every reader that something may have been lost. `start_over` follows when it was read again."""
        self._snapshot = None
        self._pending = deque(item for item in self._pending if item[0] == "update")
        self._pending.append(("gap", [notice]))
        self._go()

    def start_over(self) -> None:
        """A snapshot for every reader, in place of the updates that wait."""
        self._snapshot = None
        self._pending = deque(item for item in self._pending if item[0] == "gap")
        self._pending.append(("snapshot", []))
        self._go()

    def _go(self) -> None:
        if self._busy:
            return
        if len(self._readers) > SLICE:
            self._busy = True
            self._spawn(self._rounds())
            return
        while self._pending:
            messages, readers = self._next()
            for mailbox in readers:
                for message in messages:
                    mailbox.put(message)

    async def _rounds(self) -> None:
        try:
            while self._pending:
                messages, readers = self._next()
                for start in range(0, len(readers), SLICE):
                    for mailbox in readers[start : start + SLICE]:
                        if mailbox not in self._left:
                            for message in messages:
                                mailbox.put(message)
                    await asyncio.sleep(0)
        finally:
            self._busy = False
            self._left.clear()

    def _next(self) -> tuple[list[Message], list[Mailbox]]:
        """The next messages and who is to have them. Whoever waits to join starts here, behind them, where nothing else waits."""
        self._left.clear()
        type, waiting = self._pending.popleft()
        readers = list(self._readers)
        if type == "snapshot":
            messages = [message] if (message := self._shown()) else []
        elif type == "gap":
            messages = [encode(self.channel.name, "gap", waiting[0])]
        else:
            messages = [encode(self.channel.name, "update", data) for data in _merged(self.channel.name, waiting)]
            metrics.CONFLATED_FOR_ALL.inc((len(waiting) - len(messages)) * len(readers))
        metrics.MESSAGES.labels(self.channel.kind).inc(len(messages))
        if not self._pending:
            self._admit()
        return messages, readers

    def _admit(self) -> None:
        if not self._joining:
            return
        joining, self._joining = self._joining, {}
        self._readers.update(joining)
        if message := self._shown():
            for mailbox in joining:
                mailbox.put(message)

    def _shown(self) -> Message | None:
        if self._snapshot is None and (data := self._state(self.channel)) is not None:
            self._snapshot = encode(self.channel.name, "snapshot", data)
        return self._snapshot


def _merged(name: str, updates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As few updates as say the same: one, unless it would be too large."""
    if len(updates) == 1:
        return updates
    joined = merge(name, updates)
    if joined is not None:
        return [joined]
    half = len(updates) // 2
    return _merged(name, updates[:half]) + _merged(name, updates[half:])
