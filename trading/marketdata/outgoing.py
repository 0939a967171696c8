"""One connection's way out: a mailbox, and whatever empties it at the pace of the reader.

Where the server offers a line (config/lines.py), a message goes onto it at once, and the task here only wakes for answers and
for readers who have fallen behind. Without one everything goes through ASGI's `send`.
What must never happen here: a message that overtakes another of its channel, or a connection that stays open in silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from trading.marketdata.mailbox import Mailbox, Owed, framed

log = structlog.get_logger(__name__)
LINE = "bourse.line"


class Outgoing:
    """`settle(channel)` says to a reader who fell behind that something is missing, and starts the channel over;
    `failed()` ends a connection that cannot be served."""

    def __init__(
        self,
        *,
        scope: dict[str, Any],
        send: Callable[[dict[str, Any]], Awaitable[None]],
        settle: Callable[[str], Awaitable[None]],
        failed: Callable[[], Awaitable[None]],
    ) -> None:
        self._line = scope.get("extensions", {}).get(LINE)
        self._send, self._settle, self._failed = send, settle, failed
        self._filled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.mailbox = Mailbox(wake=self._filled.set, direct=self._line.write if self._line is not None else None)

    @property
    def paused(self) -> bool:
        """While it is set nothing leaves the mailbox: an answer is being made that must go out before what it causes."""
        return self.mailbox.paused

    @paused.setter
    def paused(self, value: bool) -> None:
        self.mailbox.paused = value
        if not value:
            self._filled.set()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def say(self, text: str) -> None:
        """At once, past the mailbox."""
        if self._line is not None and await self._line.writable() and self._line.write(framed(text.encode())):
            return
        await self._send({"type": "websocket.send", "text": text})

    async def _run(self) -> None:
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                await self._empty()
        except OSError:
            return  # the reader has gone; the disconnect follows
        except Exception:
            log.exception("websocket cannot be served")
            await self._failed()

    async def _empty(self) -> None:
        while True:
            if self._line is not None and not await self._line.writable():
                return
            item = self.mailbox.take()  # nothing is waited for between this and the write
            if item is None:
                return
            if isinstance(item, Owed):
                await self._settle(item.channel)
            elif self._line is None:
                await self._send({"type": "websocket.send", "text": item.text})
            elif not self._line.write(item.frame):
                return
