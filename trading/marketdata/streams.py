"""One market as this process knows it: book, best prices, last trades, candles, kept from what the engine publishes.

Pure. One sequence runs through all of a market's messages, so a hole in it means that trades and candles are missing too.
What must never happen here: a trade shown twice or never in a row that looks whole.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from trading.marketdata.books import Book, Verdict
from trading.marketdata.channels import Channel
from trading.marketdata.series import Series

TRADES_KEPT = 50
WAITING_MAX = 2000
_BOOK_FIELDS = ("market", "U", "u", "time", "bids", "asks")

Update = tuple[str, dict[str, Any]]  # channel, data


class Stream:
    """State in memory, so that a snapshot costs no query and is exactly what the next update continues."""

    def __init__(self, market: str) -> None:
        self.market = market
        self.book = Book()
        self.intervals: set[str] = set()  # those that somebody has asked for: the others are not kept
        self.heard = 0  # messages so far, repeats too
        self.losses = 0  # what was read before the last one is no state to start from
        self._trades: deque[dict[str, Any]] | None = None
        self._series: dict[str, Series] = {}
        self._waiting: deque[dict[str, Any]] = deque(maxlen=WAITING_MAX)
        self._best: dict[str, Any] = {}

    def lose(self) -> None:
        """Something was missed: nothing here can be shown until it has been read again."""
        self.book.lose()
        self._lose_rows()

    def _lose_rows(self) -> None:
        self.losses += 1
        self._trades = None
        self._series.clear()
        self._waiting.clear()

    def take(self, published: dict[str, Any]) -> tuple[Verdict, list[Update]]:
        """Take in one published message; the updates that its readers are to be sent."""
        self.heard += 1
        verdict = self.book.apply(published)
        if verdict is Verdict.REPEAT:
            return verdict, []
        if verdict is Verdict.GAP:
            self._lose_rows()
        updates: list[Update] = []
        if verdict is Verdict.APPLIED:
            updates.append((f"book:{self.market}", {name: published[name] for name in _BOOK_FIELDS}))
            if (best := self.best()) != self._best:
                self._best = best
                updates.append((f"bbo:{self.market}", self._bbo(best)))
        if self._trades is None or len(self._series) < len(self.intervals):
            self._waiting.append(published)
        if self._trades is not None:
            updates += self._take_trades(published)
        return verdict, updates + self._take_candles(published)

    def restore_book(self, stored: dict[str, Any]) -> bool:
        """Start the book over from a stored one; False when it is too old for what was published meanwhile."""
        if not self.book.restore(stored):
            return False
        self._best = self.best()
        return True

    def restore_trades(self, trades: list[dict[str, Any]]) -> None:
        """Start over from what was read, and what was published meanwhile."""
        self._trades = deque(trades, maxlen=TRADES_KEPT)
        for published in self._waiting:
            self._take_trades(published)

    def restore_candles(self, interval: str, rows: list[dict[str, Any]]) -> None:
        """The same for one interval's candles."""
        self._series[interval] = Series(interval, rows)
        for published in self._waiting:
            self._take_candles(published, only=interval)

    def settled(self) -> None:
        """Everything that was to be read has been: what waited for it is not needed any more."""
        if self._trades is not None and len(self._series) == len(self.intervals):
            self._waiting.clear()

    def roll(self, second: int) -> list[Update]:
        """The clock has come to `second`: candles that open by it alone."""
        return [
            self._candles(interval, changed)
            for interval, series in self._series.items()
            if (changed := series.roll(second))
        ]

    def best(self) -> dict[str, Any]:
        """Best bid and best ask as (price, quantity), None where that side is empty."""
        levels = self.book.levels(1)
        return {"bid": (levels["bids"] or [None])[0], "ask": (levels["asks"] or [None])[0]}

    def snapshot(self, channel: Channel) -> dict[str, Any] | None:
        """What a new reader of the channel is sent first; None while it is not known."""
        if channel.kind in ("book", "bbo"):
            if not self.book.ready:
                return None
            if channel.kind == "bbo":
                return self._bbo(self.best())
            depth = {"depth": int(channel.detail)} if channel.detail else {}
            shown = self.book.levels(depth["depth"]) if depth else self.book.levels()
            return {"market": self.market, **depth, "u": self.book.u, "time": self.book.time, **shown}
        if channel.kind == "trades":
            return {"market": self.market, "trades": list(self._trades)} if self._trades is not None else None
        series = self._series.get(channel.detail)
        return self._candles(channel.detail, series.rows())[1] if series is not None else None

    def _bbo(self, best: dict[str, Any]) -> dict[str, Any]:
        return {"market": self.market, "u": self.book.u, "time": self.book.time, **best}

    def _take_trades(self, published: dict[str, Any]) -> list[Update]:
        assert self._trades is not None
        newest = self._trades[-1]["id"] if self._trades else -1
        fresh = [trade for trade in published.get("trades", ()) if trade["id"] > newest]
        if not fresh:
            return []
        self._trades.extend(fresh)
        return [(f"trades:{self.market}", {"market": self.market, "trades": fresh})]

    def _take_candles(self, published: dict[str, Any], *, only: str = "") -> list[Update]:
        updates = []
        for candle in published.get("candles", ()):
            interval = candle["interval"]
            series = self._series.get(interval)
            if series is not None and only in ("", interval):
                row = {name: value for name, value in candle.items() if name != "interval"}
                if changed := series.take(row):
                    updates.append(self._candles(interval, changed))
        return updates

    def _candles(self, interval: str, rows: list[dict[str, Any]]) -> Update:
        return f"candles:{self.market}:{interval}", {"market": self.market, "interval": interval, "candles": rows}
