"""The process's one subscription to Valkey.

Each time the connection was lost, the hub is told before anything new arrives: Valkey's publish/subscribe keeps nothing, so
whatever was published in between is gone and must be read again from where it is kept.
What must never happen here: a reconnection that nobody hears of (redis-py would do it in silence, hence our own loop), or a
subscription per reader.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from trading.marketdata import metrics

log = structlog.get_logger(__name__)
PAUSE_MAX_S = 2.0
QUIET_S = 10.0  # without a message, before we ask whether the connection still stands
CONFIRM_S = 5.0


class Feed:
    """Calls `on_message(channel, payload)` for each message, and `on_lost()` / `on_restored()` around a hole."""

    def __init__(
        self,
        *,
        url: str,
        on_message: Callable[[str, bytes], None],
        on_lost: Callable[[], None],
        on_restored: Callable[[], Awaitable[None]],
    ) -> None:
        # No retry of the library's own: an error must come up to `run`, which is the place that announces the hole.
        self.redis = Redis.from_url(url, retry=Retry(NoBackoff(), 0))
        self._on_message, self._on_lost, self._on_restored = on_message, on_lost, on_restored
        self._wanted: set[str] = set()
        self._confirmed: dict[str, asyncio.Event] = {}
        self._pubsub = None
        self._asking = asyncio.Lock()  # subscribe and unsubscribe reach Valkey in the order in which they were meant
        self._broken = False
        self._restoring: asyncio.Task[None] | None = None

    async def subscribe(self, *channels: str) -> None:
        """Returns when Valkey has confirmed: from then on nothing of these channels is missed unannounced."""
        self._wanted.update(channels)
        events = [self._confirmed.setdefault(channel, asyncio.Event()) for channel in channels]
        async with self._asking:
            await self._ask("subscribe", *channels)
        async with asyncio.timeout(CONFIRM_S):
            for event in events:
                await event.wait()

    async def unsubscribe(self, channel: str) -> None:
        self._wanted.discard(channel)
        self._confirmed.pop(channel, None)
        async with self._asking:
            if channel not in self._wanted:  # nobody has asked for it again while we waited
                await self._ask("unsubscribe", channel)

    async def _ask(self, command: str, *channels: str) -> None:
        if self._pubsub is None:
            return  # `_connect` subscribes to everything wanted
        try:
            await getattr(self._pubsub, command)(*channels)
        except (RedisError, OSError):
            # The library may have connected anew in silence on its way to this error; `_read` must not go on as if nothing was.
            self._broken = True

    async def run(self) -> None:
        """Read until cancelled; connect again after each loss."""
        pause = 0.05
        first = True
        try:
            while True:
                try:
                    await self._connect()
                    if not first:
                        self._restore()
                    first, pause = False, 0.05
                    await self._read()
                except (RedisError, OSError) as error:
                    metrics.LOST.inc()
                    log.warning("market data feed lost", error=str(error), pause_s=pause)
                    await self._disconnect()
                    self._on_lost()
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, PAUSE_MAX_S)
        finally:
            if self._restoring is not None:
                self._restoring.cancel()
            await self._disconnect()
            await self.redis.aclose()

    def _restore(self) -> None:
        if self._restoring is not None:
            self._restoring.cancel()
        self._restoring = asyncio.create_task(self._on_restored())

    async def _connect(self) -> None:
        pubsub = self.redis.pubsub()
        # A connection needs one subscription to be read from; this one is never published to.
        asked = set(self._wanted)
        await pubsub.subscribe("md:idle", *asked)
        self._pubsub, self._broken = pubsub, False
        if late := self._wanted - asked:  # wanted while we were connecting
            await pubsub.subscribe(*late)

    async def _disconnect(self) -> None:
        for event in self._confirmed.values():
            event.clear()
        if self._pubsub is not None:
            pubsub, self._pubsub = self._pubsub, None
            with suppress(RedisError, OSError):  # it was broken; that is why it is closed
                await pubsub.aclose()

    async def _read(self) -> None:
        asked = False
        while True:
            message = await self._pubsub.get_message(timeout=QUIET_S)
            if self._broken:
                raise RedisConnectionError("a command could not be sent")
            if message is None:
                if asked:
                    raise RedisConnectionError(f"no answer to a ping for {QUIET_S} s")
                await self._pubsub.ping()
                asked = True
                continue
            asked = False
            if message["type"] == "pong":
                continue
            channel = message["channel"].decode()
            if message["type"] == "message":
                self._on_message(channel, message["data"])
            elif message["type"] == "subscribe" and channel in self._confirmed:
                self._confirmed[channel].set()
