"""One market as this process knows it: book, last trades, candles, kept from what the engine publishes.

Pure. One sequence runs through all of a market's messages, so a hole in it means that trades and candles are missing too.
What must never happen here: a trade shown twice or never in a row that looks whole.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from trading.marketdata.books import Book, Verdict
from trading.marketdata.channels import INTERVALS, Channel

TRADES_KEPT = 50
CANDLES_KEPT = 300
WAITING_MAX = 2000

Update = tuple[str, dict[str, Any]]  # channel, data


class Stream:
    """State in memory, so that a snapshot costs no query and is exactly what the next update continues."""

    def __init__(self, market: str) -> None:
        self.market = market
        self.book = Book()
        self.rows_ready = False
        self._trades: deque[dict[str, Any]] = deque(maxlen=TRADES_KEPT)
        self._candles: dict[str, dict[str, dict[str, Any]]] = {interval: {} for interval in INTERVALS}
        self._waiting: deque[dict[str, Any]] = deque(maxlen=WAITING_MAX)

    @property
    def channels(self) -> list[str]:
        """Every channel that a hole in the sequence concerns."""
        return [
            f"book:{self.market}",
            f"trades:{self.market}",
            *(f"candles:{self.market}:{interval}" for interval in INTERVALS),
        ]

    def lose(self) -> None:
        """Something was missed: nothing here can be shown until it has been read again."""
        self.book.lose()
        self.rows_ready = False
        self._waiting.clear()

    def take(self, published: dict[str, Any]) -> tuple[Verdict, list[Update]]:
        """Take in one published message; the updates that its readers are to be sent."""
        verdict = self.book.apply(published)
        if verdict is Verdict.REPEAT:
            return verdict, []
        if verdict is Verdict.GAP:
            self.rows_ready = False
            self._waiting.clear()
        updates: list[Update] = []
        if verdict is Verdict.APPLIED:
            fields = ("market", "U", "u", "time", "bids", "asks")
            updates.append((f"book:{self.market}", {name: published[name] for name in fields}))
        if not self.rows_ready:
            self._waiting.append(published)
            return verdict, updates
        return verdict, updates + self._take_rows(published)

    def restore_rows(self, *, trades: list[dict[str, Any]], candles: dict[str, list[dict[str, Any]]]) -> None:
        """Start over from what was read, and what was published meanwhile."""
        self._trades = deque(trades, maxlen=TRADES_KEPT)
        self._candles = {interval: {row["time"]: row for row in candles[interval]} for interval in INTERVALS}
        self.rows_ready = True
        waiting, self._waiting = list(self._waiting), deque(maxlen=WAITING_MAX)
        for published in waiting:
            self._take_rows(published)

    def snapshot(self, channel: Channel) -> dict[str, Any] | None:
        """What a new reader of the channel is sent first; None while it is not known."""
        if channel.kind == "book":
            return {"market": self.market, "u": self.book.u, **self.book.levels()} if self.book.ready else None
        if not self.rows_ready:
            return None
        if channel.kind == "trades":
            return {"market": self.market, "trades": list(self._trades)}
        rows = self._candles[channel.interval]
        return {"market": self.market, "interval": channel.interval, "candles": [rows[time] for time in sorted(rows)]}

    def _take_rows(self, published: dict[str, Any]) -> list[Update]:
        updates: list[Update] = []
        newest = self._trades[-1]["id"] if self._trades else -1
        fresh = [trade for trade in published.get("trades", ()) if trade["id"] > newest]
        if fresh:
            self._trades.extend(fresh)
            updates.append((f"trades:{self.market}", {"market": self.market, "trades": fresh}))
        for interval, rows in _by_interval(published.get("candles", ())).items():
            kept = self._candles[interval]
            kept.update((row["time"], row) for row in rows)
            for time in sorted(kept)[:-CANDLES_KEPT]:
                del kept[time]
            updates.append(
                (f"candles:{self.market}:{interval}", {"market": self.market, "interval": interval, "candles": rows})
            )
        return updates


def _by_interval(candles: Any) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for candle in candles:
        row = {name: value for name, value in candle.items() if name != "interval"}
        found.setdefault(candle["interval"], []).append(row)
    return found
