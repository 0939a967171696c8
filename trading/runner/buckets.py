"""Candles as they will stand when a batch is written, known before it is: its record need not wait for the database.

Every trade touches the running bucket of every interval of its market, and nobody but the engine writes them; so whoever knows a
market's buckets as they were after the last batch knows them after the next one, whose time is later. The database adds up for
itself, and what it comes to is compared before the batch is committed; where they differ, it is undone and done again.
What must never happen here: a bucket remembered from a batch that was rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from trading.runner.expected import Otherwise

# Market, interval's place, second it opens at, open, high, low, close, lots, quote units; the last two as text in a record.
Bucket = tuple[int, int, int, int, int, int, int, int, int]
Touched = Mapping[int, list[int]]


class Buckets:
    """`look` asks for those of these ids that are stored: (market, place, second, open, high, low, close, lots, quote units)."""

    def __init__(self, look: Callable[[Collection[int]], Iterable[Bucket]]) -> None:
        self._known: dict[int, dict[int, Bucket]] = {}  # by market and place, the last one that was touched
        self._look = look

    def after(self, touched: Touched) -> list[tuple[Any, ...]]:
        """Each touched bucket as it will stand, in the form of a record; `touched` is that of record.touched_candles."""
        if unknown := [id for id, (market_id, *_) in touched.items() if market_id not in self._known]:
            for bucket in self._look(unknown):
                self._known.setdefault(bucket[0], {})[bucket[1]] = bucket
        told: list[tuple[Any, ...]] = []
        for market_id, place, second, *sums in touched.values():
            market = self._known.setdefault(market_id, {})
            before = market.get(place)
            if before is not None and before[2] == second:
                bucket = _added(before, *sums)
            else:
                bucket = (market_id, place, second, *sums[:6])  # type: ignore[assignment]
            market[place] = bucket
            told.append((*bucket[:7], str(bucket[7]), str(bucket[8])))
        return told

    def forget(self) -> None:
        """Something was undone."""
        self._known.clear()


def compare(found: Iterable[tuple[Any, ...]], told: Collection[tuple[Any, ...]]) -> None:
    """What the database came to, and what is going to be told. Raises Otherwise."""
    if set(found) != set(told):
        raise Otherwise("a candle has come to something else")


def _added(before: Bucket, open_: int, high: int, low: int, close: int, lots: int, quote: int, trades: int) -> Bucket:
    market_id, place, second, opened, highest, lowest, _, lots_before, quote_before = before
    return (
        market_id, place, second, opened, max(highest, high), min(lowest, low), close, lots_before + lots,
        quote_before + quote,
    )  # fmt: skip
