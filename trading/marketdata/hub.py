"""The process's market data: one feed in, many mailboxes out.

Everything here runs on one event loop and none of the steps between reading state and handing it to a channel's topic waits,
so a snapshot and the updates after it fit without a lock.
What must never happen here: a wait for a reader (topics and mailboxes take what a slow one does not), a private message to
anybody but its owner, a hole passed over in silence.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Collection
from typing import Any

import orjson
import structlog
from django.conf import settings
from redis.exceptions import RedisError

from exchange.core.errors import NotFound, Unavailable
from trading.marketdata import metrics, reading
from trading.marketdata.books import Verdict
from trading.marketdata.channels import Channel
from trading.marketdata.clocks import Clocks
from trading.marketdata.depths import Depths
from trading.marketdata.feed import Feed
from trading.marketdata.mailbox import Mailbox
from trading.marketdata.private import PrivateDesk
from trading.marketdata.restoring import Restorer, until_done
from trading.marketdata.streams import Stream
from trading.marketdata.topics import Topic

log = structlog.get_logger(__name__)


class MarketNotFound(NotFound):
    """There is no such market."""

    code = "market_not_found"


class MarketDataUnavailable(Unavailable):
    """The market data feed cannot be reached at the moment."""

    code = "market_data_unavailable"


class Hub:
    """Subscriptions of every socket of this process."""

    def __init__(self, *, url: str) -> None:
        self.feed = Feed(url=url, on_message=self._receive, on_lost=self._lost, on_restored=self._restore_all)
        self.private = PrivateDesk(feed=self.feed)
        self.streams: dict[str, Stream] = {}
        self.topics: dict[str, Topic] = {}
        self.stale_tickers = asyncio.Event()
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._tickers: dict[str, dict[str, Any]] = {}
        self._prices: dict[str, dict[str, Any]] = {}
        self._markets: dict[str, dict[str, Any]] = {}
        self._reading_market: dict[str, asyncio.Lock] = {}
        self._depths = Depths(look=self._of_stream, tell=lambda name, data: self.tell([(name, data)]))
        self._tasks: set[asyncio.Task[Any]] = set()
        self.restorer = Restorer(self)

    def start(self) -> None:
        """Begin to read. The tasks end with the event loop."""
        clocks = Clocks(self)
        for work in (self.feed.run(), clocks.tickers(), clocks.candles(), clocks.silence()):
            self.spawn(work)

    async def stop(self) -> None:
        """Cancel every task and close the connection to Valkey."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def require(self, markets: Collection[str]) -> None:
        """Raises MarketNotFound for one that does not exist. Those that were asked for before cost no query."""
        if unknown := set(markets) - self.streams.keys():
            unknown -= await reading.off_loop(reading.symbols)
        if unknown:
            raise MarketNotFound(f"There is no market {min(unknown)[:20]!r}.", param="channels")

    async def subscribe(self, channel: Channel, mailbox: Mailbox) -> None:
        """From now on the mailbox gets the channel: its snapshot first, or as soon as it is known."""
        await self._open(channel)
        if channel.kind.startswith("ticker") and channel.name not in self.topics:
            await self.read_tickers()  # nobody looked: what we have may be old
        topic = self.topics.get(channel.name)
        if topic is None:
            topic = self.topics[channel.name] = Topic(channel, state=self._state, spawn=self.spawn)
        if mailbox not in topic:
            metrics.READERS.inc()
            topic.join(mailbox)

    def unsubscribe(self, channel: Channel, mailbox: Mailbox) -> None:
        topic = self.topics.get(channel.name)
        if topic is not None and mailbox in topic:
            metrics.READERS.dec()
            topic.leave(mailbox)
            if topic.empty:
                del self.topics[channel.name]
                self._depths.forget(channel)
        mailbox.forget(channel.name)

    def resync(self, channel: Channel, mailbox: Mailbox) -> None:
        """Start the channel over for one reader. Not known yet: its readers get it when it is."""
        if topic := self.topics.get(channel.name):
            topic.restart(mailbox)

    # --- state -----------------------------------------------------------------------------------------------------

    async def _open(self, channel: Channel) -> None:
        """See to it that what the channel shows is kept; done once, whoever asks first."""
        try:
            await self._once(channel.market or channel.kind, self._open_market if channel.market else self._open_shared)
            if channel.kind == "candles":
                await self._once(channel.name, self.restorer.open_candles)
        except (TimeoutError, RedisError, OSError) as error:
            raise MarketDataUnavailable("Market data cannot be had at the moment. Please try again.") from error

    async def _once(self, key: str, work: Any) -> None:
        task = self._opening.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._opening[key] = self.spawn(work(key))
        await asyncio.shield(task)

    async def _open_market(self, market: str) -> None:
        await self.require([market])
        self.streams[market] = Stream(market)
        await self.feed.subscribe(f"md:{market}", f"md:{market}:state")
        await self.restorer.rows(market)
        self.spawn(self.restorer.book(market))
        await self.read_market(market)
        if market not in self._tickers:
            await self.read_tickers()

    async def _open_shared(self, kind: str) -> None:
        if kind == "prices":
            await self.feed.subscribe("prices")
            self._take_prices(await reading.off_loop(reading.latest_prices))
        else:
            for market in await reading.off_loop(reading.symbols):
                await self._once(market, self._open_market)
            await self.read_tickers()

    async def _restore_all(self) -> None:
        for market in list(self.streams):
            await self.restorer.market(market)
            await until_done(self.read_market, market)
        await until_done(self.read_tickers)
        if "prices" in self._opening:
            self._take_prices(await until_done(reading.off_loop, reading.latest_prices))
        for name in (
            "prices",
            "tickers",
            *(f"{kind}:{market}" for market in self.streams for kind in ("ticker", "market")),
        ):
            self.start_over(name)
        await until_done(self.private.restore_all)

    # --- what arrives ----------------------------------------------------------------------------------------------

    def _receive(self, channel: str, payload: bytes) -> None:
        try:
            published = orjson.loads(payload)
            if channel.startswith("md:"):
                if channel.endswith(":state"):
                    self.spawn(until_done(self.read_market, published["market"]))
                else:
                    self._take_market(published)
            elif channel.startswith("user:"):
                self.private.take(int(channel.removeprefix("user:")), published)
            elif channel == "prices":
                self._take_prices([_price(row, published["source"]) for row in published["prices"]])
        except (KeyError, TypeError, ValueError):
            log.exception("market data message not understood", channel=channel)
            if (stream := self.streams.get(channel.removeprefix("md:"))) is not None:
                self.hole(stream, {"reason": "feed"})

    def _take_market(self, published: dict[str, Any]) -> None:
        stream = self.streams.get(published["market"])
        if stream is None:
            return
        before = stream.book.u
        verdict, updates = stream.take(published)
        if verdict is Verdict.GAP:
            notice = {"reason": "feed", "expected": (before or 0) + 1, "received": published["U"]}
            self.hole(stream, notice, lose=False)
        self.tell(updates)
        if verdict is Verdict.APPLIED:
            self._depths.changed(stream.market)
            if stream.book.thin:
                self.restorer.deepen(stream)
        if published.get("trades") or published.get("bids") or published.get("asks"):
            self.stale_tickers.set()

    def hole(self, stream: Stream, notice: dict[str, Any], *, lose: bool = True) -> None:
        """Something of this market was missed: say so at once, and read it again."""
        metrics.GAPS.labels(stream.market).inc()
        log.warning("hole in market data", market=stream.market, **notice)
        if lose:
            stream.lose()
        self._depths.start_over(stream.market)
        for topic in list(self.topics.values()):
            if topic.channel.market == stream.market and topic.channel.of_the_sequence:
                topic.gap(notice)
        self.spawn(self.restorer.market(stream.market))

    def _lost(self) -> None:
        for stream in self.streams.values():
            stream.lose()
            self._depths.start_over(stream.market)
        for topic in list(self.topics.values()):
            topic.gap({"reason": "feed"})
        self.private.announce({"reason": "feed"})

    def _take_prices(self, rows: list[dict[str, Any]]) -> None:
        changed = [row for row in rows if self._prices.get(row["asset"]) != row]
        self._prices.update((row["asset"], row) for row in changed)
        if changed:
            self.tell([("prices", {"prices": changed})])

    async def read_tickers(self) -> None:
        """Look at the last 24 hours of every market, and tell what is different from what was told."""
        rows = await reading.off_loop(reading.tickers)
        changed = [row for row in rows if not _same_ticker(self._tickers.get(row["market"]), row)]
        self._tickers.update((row["market"], row) for row in changed)
        if changed:
            self.tell([*((f"ticker:{row['market']}", row) for row in changed), ("tickers", {"tickers": changed})])

    async def read_market(self, market: str) -> None:
        """Read a market's rules and state; one look at a time, so that the last one is the newest."""
        async with self._reading_market.setdefault(market, asyncio.Lock()):
            row = await reading.off_loop(reading.market, market)
            if self._markets.get(market) != row:
                self._markets[market] = row
                self.tell([(f"market:{market}", row)])

    # --- what goes out ---------------------------------------------------------------------------------------------

    def _state(self, channel: Channel) -> dict[str, Any] | None:
        if channel.kind == "ticker":
            return self._tickers.get(channel.market)
        if channel.kind == "market":
            return self._markets.get(channel.market)
        if channel.kind == "tickers":
            return {"tickers": [self._tickers[market] for market in sorted(self._tickers)]}
        if channel.kind == "prices":
            return {"prices": list(self._prices.values())}
        if channel.kind == "book" and channel.detail:
            return self._depths.state(channel)
        return self._of_stream(channel)

    def _of_stream(self, channel: Channel) -> dict[str, Any] | None:
        return self.streams[channel.market].snapshot(channel)

    def tell(self, updates: list[tuple[str, dict[str, Any]]]) -> None:
        """Each update to the readers of its channel."""
        for name, data in updates:
            if topic := self.topics.get(name):
                topic.update(data)

    def start_over(self, name: str) -> None:
        """A snapshot to every reader of the channel."""
        if topic := self.topics.get(name):
            topic.start_over()

    def start_over_book(self, market: str) -> None:
        """The same for every channel that is made from the market's book."""
        self._depths.start_over(market)
        for topic in list(self.topics.values()):
            if topic.channel.market == market and topic.channel.kind in ("book", "bbo"):
                topic.start_over()

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, (NotFound, TimeoutError)):
            log.error("market data task ended", exc_info=error)


def _price(row: dict[str, Any], source: str) -> dict[str, Any]:
    shown = {"asset": row["asset"], "currency": "USD", "price": row["usd"], "as_of": row["as_of"]}
    return {**shown, "source": source}


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
