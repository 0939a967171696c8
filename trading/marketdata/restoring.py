"""Reading again what was missed: books from Valkey, trades and candles from the database.

Readers wait for it and nobody else will ask again, so what cannot be read at the moment is asked for until it can.
What must never happen here: a book that is older than what was published after it, shown as if it were the present one.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from redis.exceptions import RedisError

from trading.marketdata import reading
from trading.marketdata.channels import parse
from trading.marketdata.streams import Stream

if TYPE_CHECKING:
    from trading.marketdata.hub import Hub

log = structlog.get_logger(__name__)
BOOK_PAUSE_MAX_S = 1.0
BOOK_LAG_S = 0.3  # the engine stores a book within 0.1 s of a change
DEEPEN_PAUSE_S = 1.0
PAUSE_MAX_S = 5.0
_SEQUENCE = re.compile(rb'"u":(\d+)')


class Restorer:
    """Brings a hub's streams up to date."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._deepening: set[str] = set()

    async def market(self, market: str) -> None:
        """Everything of a market, after something of it was lost."""
        ready = self._hub.streams[market].book.ready  # by a book read while nobody listened
        self._hub.spawn(self._confirm(market) if ready else self.book(market))
        await until_done(self.rows, market)

    async def rows(self, market: str) -> None:
        """Trades, and the candles that somebody has asked for."""
        stream = self._hub.streams[market]
        losses = stream.losses
        trades = await reading.off_loop(reading.trades, market)
        if stream.losses != losses:
            return  # more was lost meanwhile, and is being read
        stream.restore_trades(trades)
        self._hub.start_over(f"trades:{market}")
        for interval in sorted(stream.intervals):
            await self._candles(stream, interval)
        stream.settled()

    async def open_candles(self, name: str) -> None:
        """The first reader of an interval of a market has come."""
        channel = parse(name)
        stream = self._hub.streams[channel.market]
        stream.intervals.add(channel.detail)
        await self._candles(stream, channel.detail)
        stream.settled()

    async def _candles(self, stream: Stream, interval: str) -> None:
        losses = stream.losses
        rows = await reading.off_loop(reading.candles, stream.market, interval)
        if stream.losses == losses:
            stream.restore_candles(interval, rows)
            self._hub.start_over(f"candles:{stream.market}:{interval}")

    async def book(self, market: str) -> None:
        """Until the stored book reaches the differences that wait."""
        stream, pause = self._hub.streams[market], 0.02
        while not stream.book.ready:
            losses = stream.losses
            stored = await self.stored_book(market)
            if stream.losses != losses:
                return  # more was lost meanwhile, and is being read
            if stored is not None and not stream.book.ready and stream.restore_book(stored):
                self._hub.start_over_book(market)
                self._hub.spawn(self._confirm(market))
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, BOOK_PAUSE_MAX_S)

    async def _confirm(self, market: str) -> None:
        """Look once more: what was published just before we listened is in no message, and not yet in the book as first read.

        On a market that then falls silent no difference would tell of the hole.
        """
        await asyncio.sleep(BOOK_LAG_S)
        stored, stream = await self.stored_book(market), self._hub.streams[market]
        if stored is not None and stream.book.u is not None and stored["u"] > stream.book.u:
            stream.book.lose()
            stream.restore_book(stored)
            self._hub.start_over_book(market)

    def deepen(self, stream: Stream) -> None:
        """The book was stored with its best levels only, and many of them are gone: read those behind them."""
        if stream.market not in self._deepening:
            self._deepening.add(stream.market)
            self._hub.spawn(self._deepen(stream))

    async def _deepen(self, stream: Stream) -> None:
        try:
            while stream.book.thin:
                stored = await self.stored_book(stream.market)
                if stored is not None and stream.book.deepen(stored):
                    return
                await asyncio.sleep(DEEPEN_PAUSE_S)
        finally:
            self._deepening.discard(stream.market)

    async def stored_book(self, market: str) -> dict[str, Any] | None:
        """The engine's own; None where there is none or Valkey is away (the feed is lost with it, and everything restored)."""
        try:
            stored = await self._hub.feed.redis.get(f"md:{market}:book")
        except (RedisError, OSError):
            return None
        return dict(orjson.loads(stored)) if stored else None

    async def stored_sequence(self, market: str) -> int | None:
        """The sequence at which the engine's own book stands, without the book."""
        try:
            head = await self._hub.feed.redis.getrange(f"md:{market}:book", 0, 80)
        except (RedisError, OSError):
            return None
        found = _SEQUENCE.search(head)
        return int(found[1]) if found else None


async def until_done(read: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """Ask until it is answered, with pauses that grow."""
    pause = 0.1
    while True:
        try:
            return await read(*arguments)
        except Exception:
            log.exception("market data cannot be restored yet", pause_s=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, PAUSE_MAX_S)
