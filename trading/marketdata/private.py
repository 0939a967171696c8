"""A customer's own channels: orders, fills, balances, notifications.

The engine publishes to `user:{id}` after its commit; this process listens to a customer's channel while one of their sockets
is subscribed here. The snapshot is read from the database after Valkey has confirmed the subscription, and what arrives
meanwhile is kept behind it, so nothing falls in between.
What must never happen here: a message in a mailbox that is not its owner's.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from redis.exceptions import RedisError

from exchange.core.errors import Unavailable
from trading.marketdata import reading
from trading.marketdata.feed import Feed
from trading.marketdata.mailbox import Mailbox, encode

log = structlog.get_logger(__name__)
_LISTS = {"order": ("orders", "order"), "fill": ("fills", "fill"), "balance": ("balances", "balance")}


class PrivateDataUnavailable(Unavailable):
    """The account's own channels cannot be opened at the moment."""

    code = "private_data_unavailable"


class PrivateDesk:
    """Private subscriptions of this process, by customer."""

    def __init__(self, *, feed: Feed) -> None:
        self._feed = feed
        self._readers: dict[int, dict[str, set[Mailbox]]] = {}
        # (customer, shard): the newest batch's sequence, and what of it was told already
        self._newest: dict[tuple[int, int], tuple[int, set[Any]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def subscribe(self, kind: str, user_id: int, mailbox: Mailbox) -> None:
        """Raises PrivateDataUnavailable, and leaves nothing behind then."""
        mailboxes = self._readers.setdefault(user_id, {}).setdefault(kind, set())
        if mailbox in mailboxes:
            return
        mailbox.hold(kind)
        mailboxes.add(mailbox)
        try:
            await self._feed.subscribe(f"user:{user_id}")
            await self.snapshot(kind, user_id, mailbox)
        except (TimeoutError, RedisError, OSError) as error:
            await self.unsubscribe(kind, user_id, mailbox)
            raise PrivateDataUnavailable("Your own data cannot be streamed at the moment. Please try again.") from error
        except BaseException:
            await self.unsubscribe(kind, user_id, mailbox)
            raise

    async def unsubscribe(self, kind: str, user_id: int, mailbox: Mailbox) -> None:
        mailbox.forget(kind)
        kinds = self._readers.get(user_id, {})
        kinds.get(kind, set()).discard(mailbox)
        if not any(kinds.values()) and self._readers.pop(user_id, None) is not None:
            for key in [key for key in self._newest if key[0] == user_id]:
                del self._newest[key]
            await self._feed.unsubscribe(f"user:{user_id}")

    async def snapshot(self, kind: str, user_id: int, mailbox: Mailbox) -> None:
        """Read the channel's state and put it before whatever arrives from now on."""
        mailbox.hold(kind)
        data = await reading.off_loop(reading.private, kind, user_id)
        if mailbox in self._readers.get(user_id, {}).get(kind, ()):  # not unsubscribed meanwhile
            mailbox.release(encode(kind, "snapshot", data))

    def take(self, user_id: int, published: dict[str, Any]) -> None:
        """A message of the customer's channel."""
        kinds = self._readers.get(user_id)
        if not kinds:
            return
        if published["type"] == "balances_changed":
            # Money moved outside the engine (a deposit, a withdrawal): the message says only that; the amounts are read.
            self._spawn(self._reread("balances", user_id))
        if published["type"] == "notification":
            self._spawn(self._told(user_id, published["notification"]))
        if published["type"] == "notifications_changed":
            self._spawn(self._reread("notifications", user_id))
        if published["type"] not in _LISTS or self._repeated(user_id, published):
            return
        kind, field = _LISTS[published["type"]]
        if readers := kinds.get(kind):
            item = {name: value for name, value in published[field].items() if name not in ("asset_id", "user_id")}
            message = encode(kind, "update", {kind: [item]})
            for mailbox in readers:
                mailbox.put(message)

    def announce(self, notice: dict[str, Any]) -> None:
        """Tell every private reader that something may have been lost."""
        for kinds in self._readers.values():
            for kind, readers in kinds.items():
                message = encode(kind, "gap", notice)
                for mailbox in readers:
                    mailbox.put(message)

    async def restore_all(self) -> None:
        """After the feed was lost: a fresh snapshot for each reader."""
        for user_id, kinds in list(self._readers.items()):
            for kind, readers in list(kinds.items()):
                for mailbox in list(readers):
                    await self.snapshot(kind, user_id, mailbox)

    def _repeated(self, user_id: int, published: dict[str, Any]) -> bool:
        """An engine that restarts publishes its last batches again; what was told, or is older than what was, is no news."""
        key, seq = (user_id, published["shard"]), published["seq"]
        newest, told = self._newest.get(key, (-1, set()))
        if seq < newest:
            return True
        if seq > newest:
            newest, told = self._newest[key] = seq, set()
        item = published[published["type"]]
        what = (published["type"], *(item.get(name) for name in ("id", "order_id", "asset")))
        if what in told:
            return True
        told.add(what)
        return False

    async def _reread(self, kind: str, user_id: int) -> None:
        for mailbox in list(self._readers.get(user_id, {}).get(kind, ())):
            await self.snapshot(kind, user_id, mailbox)

    async def _told(self, user_id: int, line: dict[str, Any]) -> None:
        """A new line, and how many are unread with it; lines are few, so the count is asked for each."""
        if not self._readers.get(user_id, {}).get("notifications"):
            return
        unread = await reading.off_loop(reading.unread, user_id)
        message = encode("notifications", "update", {"unread": unread, "notifications": [line]})
        for mailbox in list(self._readers.get(user_id, {}).get("notifications", ())):
            mailbox.put(message)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("private data cannot be read", exc_info=error)
