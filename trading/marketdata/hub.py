"""The process's market data: one feed in, many mailboxes out.

Everything here runs on one event loop and none of the steps between reading state and putting it in a mailbox waits, so a
snapshot and the updates after it fit without a lock.
What must never happen here: a send to a socket (mailboxes are emptied elsewhere, each at its own pace), a private message to
anybody but its owner, a hole passed over in silence.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

import orjson
import structlog
from django.conf import settings
from prometheus_client import Counter, Gauge
from redis.exceptions import RedisError

from exchange.core.errors import NotFound, Unavailable
from trading.marketdata import reading
from trading.marketdata.books import Verdict
from trading.marketdata.channels import INTERVALS, Channel, parse
from trading.marketdata.feed import Feed
from trading.marketdata.mailbox import Mailbox, Message, encode
from trading.marketdata.private import PrivateDesk
from trading.marketdata.streams import Stream

log = structlog.get_logger(__name__)
GAPS = Counter("bourse_marketdata_gaps_total", "Holes found in a market's sequence.", ["market"])
MESSAGES = Counter("bourse_marketdata_messages_total", "Messages encoded for readers, by kind of channel.", ["kind"])
READERS = Gauge("bourse_marketdata_subscriptions", "Subscriptions that stand now.")
TICKER_PAUSE_S = 1.0  # at most one ticker message a second
TICKER_AGE_MAX_S = 15.0  # and one look at least this often: the 24 hours roll on without any trade
BOOK_PAUSE_MAX_S = 1.0
BOOK_LAG_S = 0.3  # the engine stores a book within 0.1 s of a change
RESTORE_PAUSE_MAX_S = 5.0


class MarketNotFound(NotFound):
    """There is no such market."""

    code = "market_not_found"


class MarketDataUnavailable(Unavailable):
    """The market data feed cannot be reached at the moment."""

    code = "market_data_unavailable"


class Hub:
    """Subscriptions of every socket of this process."""

    def __init__(self, *, url: str) -> None:
        self._feed = Feed(url=url, on_message=self._receive, on_lost=self._lost, on_restored=self._restore_all)
        self.private = PrivateDesk(feed=self._feed)
        self._streams: dict[str, Stream] = {}
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._readers: dict[str, set[Mailbox]] = {}
        self._snapshots: dict[str, Message] = {}
        self._tickers: dict[str, dict[str, Any]] = {}
        self._prices: dict[str, dict[str, Any]] = {}
        self._stale_tickers = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begin to read. The tasks end with the event loop."""
        self._spawn(self._feed.run())
        self._spawn(self._keep_tickers())

    async def stop(self) -> None:
        """Cancel every task and close the connection to Valkey."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def subscribe(self, channel: Channel, mailbox: Mailbox) -> None:
        """From now on the mailbox gets the channel: its snapshot first, or as soon as it is known."""
        await self._open(channel)
        if channel.kind.startswith("ticker") and channel.name not in self._readers:
            await self._read_tickers()  # nobody looked: what we have may be old
        readers = self._readers.setdefault(channel.name, set())
        if mailbox in readers:
            return
        readers.add(mailbox)
        READERS.inc()
        self.snapshot(channel, mailbox)

    def unsubscribe(self, channel: Channel, mailbox: Mailbox) -> None:
        readers = self._readers.get(channel.name, set())
        if mailbox in readers:
            readers.discard(mailbox)
            READERS.dec()
        if not readers:
            self._readers.pop(channel.name, None)
        mailbox.forget(channel.name)

    def snapshot(self, channel: Channel, mailbox: Mailbox) -> None:
        """Put the channel's present state in the mailbox. Not known yet: its readers get it when it is."""
        if message := self._snapshot(channel):
            mailbox.put(message)

    # --- state -----------------------------------------------------------------------------------------------------

    async def _open(self, channel: Channel) -> None:
        """See to it that what the channel shows is kept; done once, whoever asks first."""
        key = channel.market or channel.kind
        if (task := self._opening.get(key)) is None or (task.done() and (task.cancelled() or task.exception())):
            work = self._open_market(channel.market) if channel.market else self._open_shared(channel.kind)
            task = self._opening[key] = self._spawn(work)
        try:
            await asyncio.shield(task)
        except (TimeoutError, RedisError, OSError) as error:
            raise MarketDataUnavailable("Market data cannot be had at the moment. Please try again.") from error

    async def _open_market(self, market: str) -> None:
        if market not in await reading.off_loop(reading.symbols):
            raise MarketNotFound(f"There is no market {market[:20]!r}.", param="channels")
        self._streams[market] = Stream(market)
        await self._feed.subscribe(f"md:{market}")
        await self._restore_rows(market)
        self._spawn(self._restore_book(market))
        if market not in self._tickers:
            await self._read_tickers()

    async def _open_shared(self, kind: str) -> None:
        if kind == "prices":
            await self._feed.subscribe("prices")
            self._take_prices(await reading.off_loop(reading.latest_prices))
        else:
            for market in await reading.off_loop(reading.symbols):
                await self._open(Channel("book", market))
            await self._read_tickers()

    async def _restore_rows(self, market: str) -> None:
        trades = await reading.off_loop(reading.trades, market)
        candles = {interval: await reading.off_loop(reading.candles, market, interval) for interval in INTERVALS}
        stream = self._streams[market]
        stream.restore_rows(trades=trades, candles=candles)
        for name in stream.channels[1:]:
            self._broadcast_snapshot(name)

    async def _restore_book(self, market: str) -> None:
        """Until the stored book reaches the differences that wait; the engine stores it within 100 ms of a change."""
        stream, pause = self._streams[market], 0.02
        while not stream.book.ready:
            try:
                stored = await self._feed.redis.get(f"md:{market}:book")
            except (RedisError, OSError):
                stored = None
            if stored and stream.book.restore(orjson.loads(stored)):
                self._broadcast_snapshot(f"book:{market}")
                self._spawn(self._confirm_book(market))
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, BOOK_PAUSE_MAX_S)

    async def _confirm_book(self, market: str) -> None:
        """Look once more: what was published just before we listened is in no message, and not yet in the book as first read.

        On a market that then falls silent no difference would tell of the hole.
        """
        await asyncio.sleep(BOOK_LAG_S)
        book = self._streams[market].book
        try:
            stored = await self._feed.redis.get(f"md:{market}:book")
        except (RedisError, OSError):
            return  # the feed is lost with it, and restores everything
        if stored and book.u is not None and (snapshot := orjson.loads(stored))["u"] > book.u:
            book.lose()
            book.restore(snapshot)
            self._broadcast_snapshot(f"book:{market}")

    async def _restore(self, market: str) -> None:
        ready = self._streams[market].book.ready  # by a book read while nobody listened
        self._spawn(self._confirm_book(market) if ready else self._restore_book(market))
        await _until_done(self._restore_rows, market)

    async def _restore_all(self) -> None:
        for market in list(self._streams):
            await self._restore(market)
        await _until_done(self._read_tickers)
        if "prices" in self._opening:
            self._take_prices(await _until_done(reading.off_loop, reading.latest_prices))
        await _until_done(self.private.restore_all)

    # --- what arrives ----------------------------------------------------------------------------------------------

    def _receive(self, channel: str, payload: bytes) -> None:
        try:
            published = orjson.loads(payload)
            if channel.startswith("md:"):
                self._take_market(published)
            elif channel.startswith("user:"):
                self.private.take(int(channel.removeprefix("user:")), published)
            elif channel == "prices":
                self._take_prices(
                    [
                        {
                            "asset": row["asset"],
                            "currency": "USD",
                            "price": row["usd"],
                            "as_of": row["as_of"],
                            "source": published["source"],
                        }
                        for row in published["prices"]
                    ]
                )
        except (KeyError, TypeError, ValueError):
            log.exception("market data message not understood", channel=channel)
            if (stream := self._streams.get(channel.removeprefix("md:"))) is not None:
                self._hole(stream, {"reason": "feed"})

    def _take_market(self, published: dict[str, Any]) -> None:
        stream = self._streams.get(published["market"])
        if stream is None:
            return
        before = stream.book.u
        verdict, updates = stream.take(published)
        if verdict is Verdict.GAP:
            self._hole(
                stream, {"reason": "feed", "expected": (before or 0) + 1, "received": published["U"]}, lose=False
            )
        for name, data in updates:
            self._broadcast(name, data)
        if published.get("trades") or published.get("bids") or published.get("asks"):
            self._stale_tickers.set()

    def _hole(self, stream: Stream, notice: dict[str, Any], *, lose: bool = True) -> None:
        GAPS.labels(stream.market).inc()
        log.warning("hole in market data", market=stream.market, **notice)
        if lose:
            stream.lose()
        self._announce(stream.channels, notice)
        self._spawn(self._restore(stream.market))

    def _lost(self) -> None:
        for stream in self._streams.values():
            stream.lose()
            self._announce(stream.channels, {"reason": "feed"})
        self.private.announce({"reason": "feed"})

    def _take_prices(self, rows: list[dict[str, Any]]) -> None:
        changed = [row for row in rows if self._prices.get(row["asset"]) != row]
        self._prices.update((row["asset"], row) for row in changed)
        if changed:
            self._broadcast("prices", {"prices": changed})

    async def _keep_tickers(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stale_tickers.wait(), TICKER_AGE_MAX_S)
            self._stale_tickers.clear()
            if any(name.startswith("ticker") for name in self._readers):
                try:
                    await self._read_tickers()
                except Exception:  # a database that restarts must not end the tickers of this process
                    log.exception("tickers cannot be read")
            await asyncio.sleep(TICKER_PAUSE_S)

    async def _read_tickers(self) -> None:
        rows = await reading.off_loop(reading.tickers)
        changed = [row for row in rows if not _same_ticker(self._tickers.get(row["market"]), row)]
        self._tickers.update((row["market"], row) for row in changed)
        for row in changed:
            self._broadcast(f"ticker:{row['market']}", row)
        if changed:
            self._broadcast("tickers", {"tickers": changed})

    # --- what goes out ---------------------------------------------------------------------------------------------

    def _snapshot(self, channel: Channel) -> Message | None:
        if (message := self._snapshots.get(channel.name)) is None:
            data = self._state(channel)
            if data is None:
                return None
            message = self._snapshots[channel.name] = encode(channel.name, "snapshot", data)
        return message

    def _state(self, channel: Channel) -> dict[str, Any] | None:
        if channel.kind == "ticker":
            return self._tickers.get(channel.market)
        if channel.kind == "tickers":
            return {"tickers": [self._tickers[market] for market in sorted(self._tickers)]}
        if channel.kind == "prices":
            return {"prices": list(self._prices.values())}
        return self._streams[channel.market].snapshot(channel)

    def _broadcast(self, name: str, data: dict[str, Any]) -> None:
        self._snapshots.pop(name, None)
        self._send(name, "update", data)

    def _broadcast_snapshot(self, name: str) -> None:
        self._snapshots.pop(name, None)
        if name in self._readers and (message := self._snapshot(parse(name))):
            for mailbox in self._readers[name]:
                mailbox.put(message)

    def _announce(self, names: Iterable[str], notice: dict[str, Any]) -> None:
        for name in names:
            self._snapshots.pop(name, None)
            self._send(name, "gap", notice)

    def _send(self, name: str, type: str, data: dict[str, Any]) -> None:
        if readers := self._readers.get(name):
            MESSAGES.labels(name.partition(":")[0]).inc()
            message = encode(name, type, data)
            for mailbox in readers:
                mailbox.put(message)

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, (NotFound, TimeoutError)):
            log.error("market data task ended", exc_info=error)


async def _until_done(read: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """Readers wait for this and nobody else will ask again, so a database that is away for a while is asked until it is back."""
    pause = 0.1
    while True:
        try:
            return await read(*arguments)
        except Exception:
            log.exception("market data cannot be restored yet", pause_s=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, RESTORE_PAUSE_MAX_S)


def _same_ticker(old: dict[str, Any] | None, new: dict[str, Any]) -> bool:
    return old is not None and {**old, "time": ""} == {**new, "time": ""}


_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = weakref.WeakKeyDictionary()


def of_this_process() -> Hub:
    """The hub of the running event loop (a process has one), started when the first socket asks."""
    loop = asyncio.get_running_loop()
    if (found := _hubs.get(loop)) is None:
        found = _hubs[loop] = Hub(url=settings.REDIS_URL)
        found.start()
    return found
