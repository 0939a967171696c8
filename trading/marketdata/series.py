"""One market's newest candles of one interval, without a gap: the engine tells what traded, the clock opens the rest.

Pure. Where nothing traded the last close goes on. A candle closes when the next one opens; should a trade of its last moment
arrive after that, it is told again, and with it every flat one that had begun from the old close.
What must never happen here: a flat candle over one that traded.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from exchange.core.times import iso
from trading import candles as grid

KEPT = 300
Row = dict[str, Any]


class Series:
    """Rows by the second at which they open, oldest first. One that nothing traded in has no volume."""

    def __init__(self, interval: str, rows: Iterable[Row] = ()) -> None:
        self._interval = interval
        self._rows: dict[int, Row] = {}
        for row in rows:
            self.take(row)

    def rows(self) -> list[Row]:
        """Oldest first."""
        return list(self._rows.values())

    def take(self, row: Row) -> list[Row]:
        """A candle that traded, as it now stands; back comes everything that changed with it, oldest first."""
        opening = _second(row["time"])
        newest = next(reversed(self._rows), None)
        if newest is None or opening > newest:
            changed = self._reach(grid.stepped(self._interval, opening, -1))
            self._rows[opening] = row
            self._trim()
            return [*changed, row]
        if opening not in self._rows:
            return []  # older than what is kept
        self._rows[opening] = row
        return [row, *self._follow(opening)]

    def roll(self, second: int) -> list[Row]:
        """Open every candle that the clock has come to; back come those opened."""
        changed = self._reach(grid.opened(self._interval, second))
        self._trim()
        return changed

    def _reach(self, last: int) -> list[Row]:
        newest = next(reversed(self._rows), None)
        if newest is None or newest >= last:
            return []
        oldest = grid.stepped(self._interval, last, 1 - KEPT)  # a clock that jumped needs no more than what is kept
        first, before = max(grid.after(self._interval, newest), oldest), self._rows[newest]
        changed = []
        for opening in grid.openings(self._interval, first=first, last=last):
            self._rows[opening] = _flat(before, opening)
            changed.append(self._rows[opening])
        return changed

    def _follow(self, opening: int) -> list[Row]:
        """Begin the flat ones behind a candle from its close."""
        changed, before = [], self._rows[opening]
        following = grid.after(self._interval, opening)
        while (row := self._rows.get(following)) and row["volume"] == "0" and row["open"] != before["close"]:
            self._rows[following] = _flat(before, following)
            changed.append(self._rows[following])
            following = grid.after(self._interval, following)
        return changed

    def _trim(self) -> None:
        while len(self._rows) > KEPT:
            del self._rows[next(iter(self._rows))]


def _flat(before: Row, opening: int) -> Row:
    close = before["close"]
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    return {"time": iso(datetime.fromtimestamp(opening, UTC)), **prices, "volume": "0", "quote_volume": "0"}


def _second(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())
