"""What happens by the clock alone: a candle opens where nothing traded, the 24 hours roll on, a silent market is asked whether
it is.

What must never happen here: a failure that ends a clock, for its readers would see time stand still.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from trading.marketdata.hub import Hub

log = structlog.get_logger(__name__)
TICKER_PAUSE_S = 1.0  # at most one ticker message a second
TICKER_AGE_MAX_S = 5.0  # and one look at least this often: the 24 hours roll on without any trade
SILENCE_S = 2.0
ON_THE_WAY_S = 0.3
CANDLE_LAG_S = 0.02  # after the second has begun, so that it surely has


class Clocks:
    """Loops of a hub; each runs until it is cancelled."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def tickers(self) -> None:
        """Look at them soon after something happened."""
        hub = self._hub
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(hub.stale_tickers.wait(), TICKER_AGE_MAX_S)
            hub.stale_tickers.clear()
            if any(topic.channel.kind.startswith("ticker") for topic in hub.topics.values()):
                try:
                    await hub.read_tickers()
                except Exception:  # a database that restarts must not end the tickers of this process
                    log.exception("tickers cannot be read")
            await asyncio.sleep(TICKER_PAUSE_S)

    async def candles(self) -> None:
        """Each second, open the candles that begin with it."""
        while True:
            now = time.time()
            await asyncio.sleep(1.0 - now % 1.0 + CANDLE_LAG_S)
            second = int(time.time())
            for stream in list(self._hub.streams.values()):
                self._hub.tell(stream.roll(second))

    async def silence(self) -> None:
        """A message lost before a market fell silent shows in no number: compare with where the engine's own book stands."""
        heard: dict[str, int] = {}
        while True:
            await asyncio.sleep(SILENCE_S)
            for stream in list(self._hub.streams.values()):
                quiet, heard[stream.market] = heard.get(stream.market) == stream.heard, stream.heard
                if not quiet or not stream.book.ready:
                    continue
                stored = await self._hub.restorer.stored_sequence(stream.market)
                if stored is None or stored <= (stream.book.u or 0):
                    continue
                await asyncio.sleep(ON_THE_WAY_S)  # its message may have been on the way to us
                if (u := stream.book.u) is not None and stored > u:
                    self._hub.hole(stream, {"reason": "feed", "expected": u + 1, "received": stored})
