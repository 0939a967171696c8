"""Cancel on disconnect: a customer whose line breaks has no order left that nobody watches.

While a guarded connection lives, its process renews the customer's countdown in the engine (RENEW_S apart, COUNTDOWN_S long);
when it ends, cleanly or not, all the customer's orders are cancelled at once. A process that is killed cannot do that, and so
the engine does it when the countdown runs out. There is one countdown a customer, whoever set it: the last to go takes it
back, and which connections still live stands in Valkey, where all processes see it.
What must never happen here: a connection told that it is guarded before the engine has confirmed it, or a guard that ends
because Valkey or the engine was away for a moment.
"""

from __future__ import annotations

import asyncio
import time
import uuid

import structlog
from django.utils import timezone

from exchange.core.errors import DomainError
from exchange.outbox import valkey
from trading.services import orders
from trading.sockets.messages import limit

log = structlog.get_logger(__name__)
AGAIN_S = 1.0
ATTEMPTS = 5
CLOSING_S = 4.0

# KEYS[1]: the customer's guarded connections, by when they were last renewed. ARGV: this one, now and until when, in ms.
_RENEW = valkey.Script(
    """
    redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[3] - ARGV[2] + 60000)
    return 1
    """
)
# The same without it: how many others live.
_LEAVE = valkey.Script(
    """
    redis.call('ZREM', KEYS[1], ARGV[1])
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
    return redis.call('ZCARD', KEYS[1])
    """
)
_closing: set[asyncio.Task[None]] = set()


class Guard:
    """One connection's."""

    def __init__(self, user_id: int) -> None:
        self.user_id, self.name = user_id, uuid.uuid4().hex
        self.seconds = int(limit("countdown_s"))
        self._task: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] | None = None  # from the line's end on
        self._closing: asyncio.Task[None] | None = None

    async def raise_(self) -> None:
        """Returns when the engine has the countdown. Raises the errors of services.line."""
        if self._task is None:
            await self._renew()
            self._task = self._task or asyncio.create_task(self._keep_up(), name="cancel on disconnect")
            if self._under_way is not None:  # the line ended meanwhile
                self.line_ended(self._under_way)

    async def lower(self) -> None:
        """The customer no longer wants it. Raises the errors of services.line."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            await self._take_back()

    def line_ended(self, under_way: set[asyncio.Task[None]]) -> None:
        """Cancel everything now; and once more after the commands that were still under way, which may be orders."""
        self._under_way = under_way
        if self._task is None:
            return
        self._task.cancel()
        self._task = None
        self._closing = asyncio.create_task(self._cancel_all(under_way), name="cancel after disconnect")
        _closing.add(self._closing)
        self._closing.add_done_callback(_closing.discard)

    async def closed(self) -> None:
        """Gives the cancelling some time: a server that ends waits for its connections, and for nothing else."""
        if self._closing is not None:
            await asyncio.wait({self._closing}, timeout=CLOSING_S)

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(limit("renew_s"))
            while not await self._renewed():
                await asyncio.sleep(AGAIN_S)

    async def _renewed(self) -> bool:
        try:
            await self._renew()
        except DomainError as error:
            log.warning("a guard could not be renewed", user_id=self.user_id, code=error.code)
            return False
        return True

    async def _renew(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        try:
            await valkey.pipe().evaluate(_RENEW, (self._key(),), (self.name, now_ms, now_ms + 1000 * self.seconds))
        except valkey.ValkeyError as error:
            log.warning("a guard could not be noted", user_id=self.user_id, error=str(error))
        await orders.countdown(user_id=self.user_id, seconds=self.seconds, now=timezone.now())

    async def _take_back(self) -> None:
        """Ends the countdown where no other connection of the customer needs it; where nobody can tell, it runs out."""
        try:
            others = await valkey.pipe().evaluate(_LEAVE, (self._key(),), (self.name, time.time_ns() // 1_000_000))
        except valkey.ValkeyError:
            return
        if not others:
            await orders.countdown(user_id=self.user_id, seconds=0, now=timezone.now())

    async def _cancel_all(self, under_way: set[asyncio.Task[None]]) -> None:
        late = bool(under_way)
        await self._cancelled()
        while under_way:
            await asyncio.wait(set(under_way))
        if late:
            await self._cancelled()
        try:
            await self._take_back()
        except DomainError as error:
            log.warning("a countdown runs on", user_id=self.user_id, code=error.code)

    async def _cancelled(self) -> None:
        for _ in range(ATTEMPTS):
            try:
                count = await orders.cancel_all(user_id=self.user_id, reason="disconnect", now=timezone.now())
            except DomainError as error:
                log.warning("orders of a broken line are not cancelled yet", user_id=self.user_id, code=error.code)
                await asyncio.sleep(AGAIN_S)
            else:
                log.info("orders of a broken line cancelled", user_id=self.user_id, orders=count)
                return

    def _key(self) -> str:
        return f"guarded:{self.user_id}"
