"""The line from a web process to the engine: a command out, its reply back.

One subscription a process (strictly: an event loop) takes every reply. A command is sent at most twice with the same UUID,
which the engine does once. Where no reply comes in time, the database is asked before anybody is told "unknown".
What must never happen here: an answer that says "not done" when it may have been.
"""

from __future__ import annotations

import asyncio
import uuid as uuids
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from threading import Lock, Thread
from typing import Any
from weakref import WeakKeyDictionary

import orjson
import structlog
from django.conf import settings

from exchange.accounts.api import threads
from exchange.core.errors import DomainError, OutcomeUnknown, Unavailable
from exchange.core.ids import uuid7
from exchange.outbox import valkey
from trading import wire
from trading.models import Command, CommandKey

log = structlog.get_logger(__name__)

CONFIRM_TIMEOUT_S = 3.0
RECONNECT_S = 0.2
LATE_EACH_S = 0.1
Encode = Callable[..., bytes]
Reply = dict[str, Any]
_APPEND = valkey.Script(wire.APPEND)


class Backlogged(Unavailable):
    """The engine has more commands before it than it may have; this one was not taken."""

    code = "backlogged"


class EngineUnavailable(Unavailable):
    """The way to the engine is closed; nothing was sent."""

    code = "engine_unavailable"


class EngineOutcomeUnknown(OutcomeUnknown):
    """It was sent, and no answer came in time."""

    code = "outcome_unknown"


class Named:
    """A command whose UUID somebody has written down before it is sent. It is an `Encode`."""

    __slots__ = ("encode", "uuid")

    def __init__(self, encode: Encode, uuid: uuids.UUID) -> None:
        self.encode, self.uuid = encode, uuid

    def __call__(self, **given: Any) -> bytes:
        return self.encode(**given)


class _Late(Exception):
    """No reply came in time."""


class _Appending:
    """Valkey's word on one command: it matters only where the command was not taken."""

    __slots__ = ("attempt", "body", "line", "reply", "shard", "uuid")

    def __init__(
        self, line: Line, shard: int, uuid: str, body: bytes, reply: asyncio.Future[Reply], attempt: int
    ) -> None:
        self.line, self.shard, self.uuid, self.body, self.reply, self.attempt = line, shard, uuid, body, reply, attempt

    def done(self) -> bool:
        return self.reply.done()

    def set_result(self, taken: Any, /) -> None:
        if taken is None:
            error = Backlogged("The engine is busy. Nothing was done; please try again in a moment.")
            self.reply.set_exception(error)

    def set_exception(self, error: Exception, /) -> None:
        """Where the connection was lost it may have arrived: the same UUID again is safe. Lost twice, the reply may still
        come; if it does not, the database is asked."""
        if isinstance(error, valkey.Lost) or "NOSCRIPT" in str(error):
            if self.attempt == 1:
                self.line._append(self.shard, self.uuid, self.body, self.reply, attempt=2)
        elif self.attempt == 1:
            self.reply.set_exception(EngineUnavailable("Trading is not available at the moment. Nothing was sent."))


class Line:
    """The commands and replies of one event loop."""

    def __init__(self) -> None:
        self.process = uuids.uuid4().hex
        self._loop = asyncio.get_running_loop()
        self._pipe = valkey.pipe()
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._due: deque[tuple[float, asyncio.Future[Reply]]] = deque()
        self._sweep: asyncio.TimerHandle | None = None
        self._subscribed = asyncio.Event()
        self._listener: valkey.Listener | None = None

    async def ask(self, *, shard: int, encode: Encode) -> Reply:
        """Send one command and wait for its reply. `encode` is called with uuid, process and asked_at_ms.

        Raises Backlogged and EngineUnavailable (not taken), EngineOutcomeUnknown (taken or not, nobody can say yet).
        """
        if not self._subscribed.is_set():
            await self._ready()
        uuid, reply = self._sent(shard, encode)
        try:
            return await reply
        except _Late:
            (found,) = await self._from_database([uuid])
            if isinstance(found, DomainError):
                raise found from None
            return found
        finally:
            self._waiting.pop(uuid, None)

    async def ask_many(self, asked: Sequence[tuple[int, Encode]]) -> list[Reply | DomainError]:
        """The same for several, sent in one write and, within a shard, in this order. Each has its reply or the error that it
        would have raised alone."""
        if not self._subscribed.is_set():
            try:
                await self._ready()
            except EngineUnavailable as error:
                return [error] * len(asked)
        sent = [self._sent(shard, encode) for shard, encode in asked]
        try:
            got = await asyncio.gather(*(reply for _, reply in sent), return_exceptions=True)
        finally:
            for uuid, _ in sent:
                self._waiting.pop(uuid, None)
        late = [place for place, answer in enumerate(got) if isinstance(answer, _Late)]
        if late:
            found = await self._from_database([sent[place][0] for place in late])
            for place, answer in zip(late, found, strict=True):
                got[place] = answer
        for answer in got:
            if isinstance(answer, BaseException) and not isinstance(answer, DomainError):
                raise answer
        return got  # type: ignore[return-value]

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        if self._sweep is not None:
            self._sweep.cancel()
        valkey.close()

    async def _ready(self) -> None:
        if self._listener is None:
            self._listener = valkey.Listener(
                settings.REDIS_URL, wire.replies(self.process), heard=self._take, standing=self._stands,
                again_s=RECONNECT_S,
            )  # fmt: skip
        try:
            async with asyncio.timeout(CONFIRM_TIMEOUT_S):
                await self._subscribed.wait()
        except TimeoutError as error:
            raise EngineUnavailable("Trading is not available at the moment. Nothing was sent.") from error

    def _stands(self, standing: bool) -> None:
        (self._subscribed.set if standing else self._subscribed.clear)()

    def _sent(self, shard: int, encode: Encode) -> tuple[str, asyncio.Future[Reply]]:
        made = encode.uuid if type(encode) is Named else uuid7()
        uuid = str(made)
        body = encode(uuid=uuid, process=self.process, asked_at_ms=made.int >> 80)
        reply: asyncio.Future[Reply] = self._loop.create_future()
        self._waiting[uuid] = reply
        self._due.append((self._loop.time() + settings.ENGINE_REPLY_TIMEOUT_S, reply))
        if self._sweep is None:
            self._sweep = self._loop.call_later(LATE_EACH_S, self._look)
        self._append(shard, uuid, body, reply, attempt=1)
        return uuid, reply

    def _append(self, shard: int, uuid: str, body: bytes, reply: asyncio.Future[Reply], *, attempt: int) -> None:
        receiver = _Appending(self, shard, uuid, body, reply, attempt)
        # The generation's name, where one is needed, is this command's own: no two lives of a stream are called alike.
        self._pipe.send_for(
            receiver, "EVALSHA", _APPEND.sha, 2, wire.stream(shard), wire.generation(shard), settings.ENGINE_BACKLOG_MAX,
            uuid, body,
        )  # fmt: skip

    def _look(self) -> None:
        """Those that have waited too long; all wait equally long, so the first due stand first."""
        now = self._loop.time()
        while self._due and (self._due[0][0] <= now or self._due[0][1].done()):
            _, reply = self._due.popleft()
            if not reply.done():
                reply.set_exception(_Late())
        self._sweep = self._loop.call_later(LATE_EACH_S, self._look) if self._due else None

    def _take(self, data: bytes) -> None:
        for reply in orjson.loads(data):
            waiting = self._waiting.get(reply["id"])
            if waiting is not None and not waiting.done():  # a reply that comes twice is no news
                waiting.set_result(reply)

    @staticmethod
    async def _from_database(asked: Sequence[str]) -> list[Reply | DomainError]:
        found = await threads.run(stored_replies, asked)
        unknown = "The engine has not answered in time. Ask again by your client order id."
        return [found.get(uuid) or EngineOutcomeUnknown(unknown) for uuid in asked]


def stored_replies(asked: Iterable[str]) -> dict[str, Reply]:
    """What the engine committed for these commands, if it did: the replies may have been lost on their way."""
    keys = {key.command_id: str(key.command_uuid) for key in CommandKey.objects.filter(command_uuid__in=list(asked))}
    return {
        keys[command.id]: {
            "id": keys[command.id], "code": command.verdict, "order_id": command.order_id, "order": None,
        }
        for command in Command.objects.filter(id__in=list(keys))
    }  # fmt: skip


_lines: WeakKeyDictionary[asyncio.AbstractEventLoop, Line] = WeakKeyDictionary()


def _line() -> Line:
    loop = asyncio.get_running_loop()
    line = _lines.get(loop)
    if line is None:
        line = _lines[loop] = Line()
    return line


async def ask(*, shard: int, encode: Encode) -> Reply:
    """Ask on the line of the running event loop."""
    return await _line().ask(shard=shard, encode=encode)


async def ask_many(asked: Sequence[tuple[int, Encode]]) -> list[Reply | DomainError]:
    """Ask several at once: (shard, encode) each."""
    return await _line().ask_many(asked)


async def close() -> None:
    """End the line of the running event loop, if it has one: at a process's end, and a test's."""
    if (line := _lines.pop(asyncio.get_running_loop(), None)) is not None:
        await line.close()


_background: asyncio.AbstractEventLoop | None = None
_background_lock = Lock()


def _in_background() -> asyncio.AbstractEventLoop:
    """One event loop in a thread of its own serves all threads, commands and tasks."""
    global _background
    with _background_lock:
        if _background is None:
            _background = asyncio.new_event_loop()
            Thread(target=_background.run_forever, name="engine-line", daemon=True).start()
        return _background


def ask_sync(*, shard: int, encode: Encode) -> Reply:
    """`ask` for threads, commands and tasks."""
    return asyncio.run_coroutine_threadsafe(ask(shard=shard, encode=encode), _in_background()).result()


def ask_many_sync(asked: Sequence[tuple[int, Encode]]) -> list[Reply | DomainError]:
    """`ask_many` for threads, commands and tasks."""
    return asyncio.run_coroutine_threadsafe(ask_many(asked), _in_background()).result()
