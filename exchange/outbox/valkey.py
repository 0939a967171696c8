"""One connection to Valkey for each event loop, shared by all who have something to ask there at the same moment.

What is asked in one turn of the loop goes out in one write, and answers come back in order, so a thousand callers cost the
server a few reads and this process a few microseconds each. `Away` says that nothing was sent; `Lost` that it may have been
done: whoever asked must know what that means for what they asked.
What must never happen here: an answer given to the wrong caller, a caller left waiting on a connection that has gone, or more
callers waiting than WAITING_MAX.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

import hiredis
import structlog
from django.conf import settings
from redis.connection import SSLConnection, UnixDomainSocketConnection, parse_url

log = structlog.get_logger(__name__)

# After so long a Valkey that says nothing counts as gone. A machine too busy for that may be given more.
CONNECT_S = float(os.environ.get("VALKEY_CONNECT_S", "1"))
ANSWER_S = float(os.environ.get("VALKEY_ANSWER_S", "2"))
WATCH_S = 0.5
PING_S = 3.0
WAITING_MAX = 50_000
Argument = str | bytes | int
_R = TypeVar("_R", bound="Receiver")


class ValkeyError(Exception):
    """Valkey did not answer as it should."""


class Away(ValkeyError):
    """It could not be reached; nothing was sent."""


class Lost(ValkeyError):
    """The connection went after it was sent: done or not, nobody knows."""


class Refused(ValkeyError):
    """Valkey's own error: it was not done."""


class Receiver(Protocol):
    """Who an answer is for: a future, or something lighter that is told at once."""

    def done(self) -> bool: ...

    def set_result(self, answer: Any, /) -> None: ...

    def set_exception(self, error: Any, /) -> None: ...


class Script:
    """A Lua script, known to every connection from its beginning on. To be made at import. One that has `first` runs on each
    new connection before anything else is asked there, with what `first` then gives as its keys and arguments."""

    every: list[Script] = []

    def __init__(
        self, text: str, *, first: Callable[[], tuple[Sequence[Argument], Sequence[Argument]]] | None = None
    ) -> None:
        self.text, self.first = text, first
        self.sha = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324 - Valkey's own name for a script
        Script.every.append(self)

    def call(self, keys: Sequence[Argument], arguments: Sequence[Argument]) -> tuple[Argument, ...]:
        """The command that runs it."""
        return ("EVALSHA", self.sha, len(keys), *keys, *arguments)


class _Wire(asyncio.Protocol):
    """Bytes out, answers in."""

    def __init__(self, take: Callable[[Any], None], gone: Callable[[_Wire], None]) -> None:
        self._take, self._gone = take, gone
        self._reader = hiredis.Reader()
        self._out: list[bytes] = []
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment]  # uvloop's transports are none of asyncio's classes

    def write(self, packed: bytes) -> None:
        """At the end of this turn of the loop, together with all that comes until then."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(packed)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self.transport is not None:
            self.transport.write(b"".join(out))

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (answer := self._reader.gets()) is not False:
                self._take(answer)
        except hiredis.ProtocolError:
            self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self._gone(self)

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


async def _connected(url: str, take: Callable[[Any], None], gone: Callable[[_Wire], None]) -> _Wire:
    """A connection that has logged in and chosen its database, as the URL says. Raises OSError, TimeoutError."""
    loop, given = asyncio.get_running_loop(), parse_url(url)

    def made() -> _Wire:
        return _Wire(take, gone)

    async with asyncio.timeout(CONNECT_S):
        if given.get("connection_class") is UnixDomainSocketConnection:
            _, wire = await loop.create_unix_connection(made, given["path"])
        else:
            secure = ssl.create_default_context() if given.get("connection_class") is SSLConnection else None
            where = given.get("host", "localhost"), given.get("port", 6379)
            _, wire = await loop.create_connection(made, *where, ssl=secure)
    return wire


def _greetings(url: str) -> list[tuple[Argument, ...]]:
    given = parse_url(url)
    first: list[tuple[Argument, ...]] = []
    if given.get("password"):
        first.append(("AUTH", *((given["username"],) if given.get("username") else ()), given["password"]))
    if given.get("db"):
        first.append(("SELECT", given["db"]))
    return first


class Pipe:
    """Commands of one event loop, each answered by a future."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.get_running_loop()
        self._wire: _Wire | None = None
        self._waiting: deque[tuple[Receiver, float]] = deque()
        self._unsent: list[tuple[Receiver, bytes]] = []
        self._connecting: asyncio.Task[None] | None = None
        self._watch: asyncio.TimerHandle | None = None

    def send(self, *parts: Argument) -> asyncio.Future[Any]:
        """The answer's future; it raises Away, Lost or Refused."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        return self.send_for(answer, *parts)

    def send_for(self, receiver: _R, *parts: Argument) -> _R:
        """The same for a receiver of the caller's own, which is told from within the reading: it must not wait or raise."""
        packed = hiredis.pack_command(parts)
        if len(self._waiting) + len(self._unsent) >= WAITING_MAX:
            receiver.set_exception(Away("too much is being asked at once"))
        elif self._wire is not None:
            self._waiting.append((receiver, self._loop.time() + ANSWER_S))
            self._wire.write(packed)
        else:
            self._unsent.append((receiver, packed))
            if self._connecting is None or self._connecting.done():
                self._connecting = self._loop.create_task(self._connect(), name="valkey")
        return receiver

    def evaluate(self, script: Script, keys: Sequence[Argument], arguments: Sequence[Argument]) -> asyncio.Future[Any]:
        """Run a script. One that the server has forgotten (its scripts were flushed) is a Refused; the connection is made
        anew then, and so it is known again."""
        return self.send(*script.call(keys, arguments))

    def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
        if self._watch is not None:
            self._watch.cancel()
        self._drop()

    async def _connect(self) -> None:
        try:
            wire = await _connected(self._url, self._take, self._gone)
        except (OSError, TimeoutError) as error:
            unsent, self._unsent = self._unsent, []
            for answer, _ in unsent:
                if not answer.done():
                    answer.set_exception(Away(str(error)))
            return
        first = _greetings(self._url) + [("SCRIPT", "LOAD", script.text) for script in Script.every]
        self._wire = wire
        for parts in first:
            self.send(*parts).add_done_callback(self._greeted)
        for script in Script.every:
            if script.first is not None:
                self.send(*script.call(*script.first())).add_done_callback(self._began)
        unsent, self._unsent = self._unsent, []
        for answer, packed in unsent:
            if not answer.done():
                self._waiting.append((answer, self._loop.time() + ANSWER_S))
                wire.write(packed)
        if self._watch is None:
            self._watch = self._loop.call_later(WATCH_S, self._look)

    def _greeted(self, answer: asyncio.Future[Any]) -> None:
        if not answer.cancelled() and (error := answer.exception()) is not None and isinstance(error, Refused):
            log.error("valkey refuses this process", error=str(error))

    def _began(self, answer: asyncio.Future[Any]) -> None:
        """A connection that could not begin as it must is none."""
        self._greeted(answer)
        if not answer.cancelled() and isinstance(answer.exception(), Refused):
            self._drop()

    def _take(self, answer: Any) -> None:
        asked, _ = self._waiting.popleft()
        if isinstance(answer, hiredis.ReplyError):
            text = str(answer)
            if not asked.done():
                asked.set_exception(Refused(text))
            if text.startswith("NOSCRIPT"):
                self._drop()
        elif not asked.done():
            asked.set_result(answer)

    def _drop(self) -> None:
        """This connection is of no use any more; the next command makes another."""
        if (wire := self._wire) is not None:
            wire.abort()
            self._gone(wire)

    def _gone(self, wire: _Wire) -> None:
        if wire is not self._wire:
            return
        self._wire = None
        waiting, self._waiting = self._waiting, deque()
        for answer, _ in waiting:
            if not answer.done():
                answer.set_exception(Lost("the connection to Valkey went"))

    def _look(self) -> None:
        """A server that says nothing for ANSWER_S is as good as gone."""
        self._watch = self._loop.call_later(WATCH_S, self._look)
        if self._waiting and self._waiting[0][1] < self._loop.time():
            self._drop()


class Listener:
    """One subscription to one channel, kept up until `close`: `heard` gets each message's bytes."""

    def __init__(
        self,
        url: str,
        channel: str,
        *,
        heard: Callable[[bytes], None],
        standing: Callable[[bool], None],
        again_s: float,
    ) -> None:
        self._url, self._channel, self._heard, self._standing, self._again_s = url, channel, heard, standing, again_s
        self._wire: _Wire | None = None
        self._lost = asyncio.Event()
        self._said_something = True
        self._task = asyncio.get_running_loop().create_task(self._keep_up(), name=f"valkey {channel}")

    def close(self) -> None:
        self._task.cancel()
        if self._wire is not None:
            self._wire.abort()

    async def _keep_up(self) -> None:
        while True:
            self._lost.clear()
            try:
                self._wire = await _connected(self._url, self._take, self._gone)
            except (OSError, TimeoutError) as error:
                log.warning("valkey cannot be listened to", channel=self._channel, error=str(error))
            else:
                for parts in (*_greetings(self._url), ("SUBSCRIBE", self._channel)):
                    self._wire.write(hiredis.pack_command(parts))
                await self._until_lost(self._wire)
                log.warning("valkey subscription lost", channel=self._channel)
            await asyncio.sleep(self._again_s)

    async def _until_lost(self, wire: _Wire) -> None:
        """Asks from time to time whether the other end is still there: a line cut in silence would look like a quiet one."""
        while not self._lost.is_set():
            self._said_something = False
            wire.write(hiredis.pack_command(("PING",)))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING_S):
                    await self._lost.wait()
            if not self._said_something:
                wire.abort()
                await self._lost.wait()

    def _take(self, answer: Any) -> None:
        self._said_something = True
        if isinstance(answer, hiredis.ReplyError):
            log.error("valkey refuses this process", error=str(answer))
            if self._wire is not None:
                self._wire.abort()
        elif isinstance(answer, list) and answer[0] == b"message":
            self._heard(answer[2])
        elif isinstance(answer, list) and answer[0] == b"subscribe":
            self._standing(True)

    def _gone(self, wire: _Wire) -> None:
        self._wire = None
        self._standing(False)
        self._lost.set()


_pipes: WeakKeyDictionary[asyncio.AbstractEventLoop, Pipe] = WeakKeyDictionary()


def pipe() -> Pipe:
    """The running event loop's own."""
    loop = asyncio.get_running_loop()
    if (found := _pipes.get(loop)) is None:
        found = _pipes[loop] = Pipe(settings.REDIS_URL)
    return found


def close() -> None:
    """End the running event loop's connection, if it has one: at a process's end, and a test's."""
    if (found := _pipes.pop(asyncio.get_running_loop(), None)) is not None:
        found.close()
