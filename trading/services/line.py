"""The line from a web process to the engine: a command out, its reply back.

One subscription a process (strictly: an event loop) takes every reply. A command is sent at most twice with the same UUID,
which the engine does once. Where no reply comes in time, the database is asked before anybody is told "unknown".
What must never happen here: an answer that says "not done" when it may have been.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid as uuids
from collections.abc import Callable
from threading import Lock, Thread
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import orjson
import redis.asyncio as redis
import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from redis.exceptions import ConnectionError as ValkeyConnectionError
from redis.exceptions import RedisError

from exchange.core.errors import OutcomeUnknown, Unavailable
from exchange.core.ids import uuid7
from trading import wire
from trading.models import Command, CommandKey

log = structlog.get_logger(__name__)

BACKLOG_MAX = 20_000
REPLY_TIMEOUT_S = 5.0
CONFIRM_TIMEOUT_S = 3.0
SENDING_MAX = 32
RECONNECT_S = 0.2


class Backlogged(Unavailable):
    """The engine has more commands before it than it may have; this one was not taken."""

    code = "backlogged"


class EngineUnavailable(Unavailable):
    """The way to the engine is closed; nothing was sent."""

    code = "engine_unavailable"


class EngineOutcomeUnknown(OutcomeUnknown):
    """It was sent, and no answer came in time."""

    code = "outcome_unknown"


class Line:
    """The commands and replies of one event loop."""

    def __init__(self) -> None:
        self.process = uuids.uuid4().hex
        self._client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=CONFIRM_TIMEOUT_S)
        self._append = self._client.register_script(wire.APPEND)
        # Fewer at once than the client has connections: one that finds none fails as if Valkey were away, and a command would
        # be given up whose sending never began.
        self._sending = asyncio.Semaphore(SENDING_MAX)
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._subscribed = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    async def ask(self, *, shard: int, encode: Callable[..., bytes]) -> dict[str, Any]:
        """Send one command and wait for its reply. `encode` is called with uuid, process and asked_at_ms.

        Raises Backlogged and EngineUnavailable (not taken), EngineOutcomeUnknown (taken or not, nobody can say yet).
        """
        await self._ready()
        uuid = uuid7()
        body = encode(uuid=uuid, process=self.process, asked_at_ms=time.time_ns() // 1_000_000)
        reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[str(uuid)] = reply
        try:
            await self._send(shard, body)
            async with asyncio.timeout(getattr(settings, "ENGINE_REPLY_TIMEOUT_S", REPLY_TIMEOUT_S)):
                return await reply
        except TimeoutError:
            return await self._from_database(uuid)
        finally:
            self._waiting.pop(str(uuid), None)

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener
        await self._client.aclose()

    async def _ready(self) -> None:
        if self._subscribed.is_set():
            return
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen(), name="engine-replies")
        try:
            async with asyncio.timeout(CONFIRM_TIMEOUT_S):
                await self._subscribed.wait()
        except TimeoutError as error:
            raise EngineUnavailable("Trading is not available at the moment. Nothing was sent.") from error

    async def _send(self, shard: int, body: bytes) -> None:
        keys = [wire.stream(shard), wire.generation(shard)]
        most = getattr(settings, "ENGINE_BACKLOG_MAX", BACKLOG_MAX)
        arguments = [most, str(uuids.uuid4()), body]
        async with self._sending:
            await self._send_once_or_twice(keys, arguments)

    async def _send_once_or_twice(self, keys: list[str], arguments: list[Any]) -> None:
        for attempt in (1, 2):
            try:
                taken = await self._append(keys=keys, args=arguments)
            except ValkeyConnectionError:
                # It may have arrived. The same UUID again is safe: the engine does it once.
                if attempt == 2:
                    return
                continue
            except RedisError as error:
                raise EngineUnavailable("Trading is not available at the moment. Nothing was sent.") from error
            if taken is None:
                raise Backlogged("The engine is busy. Nothing was placed; please try again in a moment.")
            return

    async def _listen(self) -> None:
        channel = wire.replies(self.process)
        while True:
            try:
                async with self._client.pubsub() as pubsub:
                    await pubsub.subscribe(channel)
                    async for message in pubsub.listen():
                        if message["type"] == "subscribe":
                            self._subscribed.set()
                        elif message["type"] == "message":
                            self._take(message["data"])
            except (RedisError, OSError) as error:
                log.warning("engine replies interrupted", error=str(error))
            finally:
                self._subscribed.clear()
            await asyncio.sleep(RECONNECT_S)

    def _take(self, data: bytes) -> None:
        for reply in orjson.loads(data):
            waiting = self._waiting.get(reply["id"])
            if waiting is not None and not waiting.done():  # a reply that comes twice is no news
                waiting.set_result(reply)

    @staticmethod
    async def _from_database(uuid: UUID) -> dict[str, Any]:
        reply = await database_sync_to_async(stored_reply)(uuid)
        if reply is None:
            raise EngineOutcomeUnknown("The engine has not answered in time. Ask again by your client order id.")
        return reply


def stored_reply(uuid: UUID) -> dict[str, Any] | None:
    """What the engine committed for a command, if it did: the reply may have been lost on its way."""
    key = CommandKey.objects.filter(command_uuid=uuid).first()
    command = Command.objects.filter(id=key.command_id).first() if key else None
    if command is None:
        return None
    return {"id": str(uuid), "code": command.verdict, "order_id": command.order_id, "order": None}


_lines: WeakKeyDictionary[asyncio.AbstractEventLoop, Line] = WeakKeyDictionary()


async def ask(*, shard: int, encode: Callable[..., bytes]) -> dict[str, Any]:
    """Ask on the line of the running event loop."""
    loop = asyncio.get_running_loop()
    line = _lines.get(loop)
    if line is None:
        line = _lines[loop] = Line()
    return await line.ask(shard=shard, encode=encode)


async def close() -> None:
    """End the line of the running event loop, if it has one: at a process's end, and a test's."""
    if (line := _lines.pop(asyncio.get_running_loop(), None)) is not None:
        await line.close()


_background: asyncio.AbstractEventLoop | None = None
_background_lock = Lock()


def ask_sync(*, shard: int, encode: Callable[..., bytes]) -> dict[str, Any]:
    """The same for threads, commands and tasks: one event loop in a thread of its own serves them all."""
    global _background
    with _background_lock:
        if _background is None:
            _background = asyncio.new_event_loop()
            Thread(target=_background.run_forever, name="engine-line", daemon=True).start()
    return asyncio.run_coroutine_threadsafe(ask(shard=shard, encode=encode), _background).result()
