"""The grid of candles: intervals, where a bucket begins, and the integer id that each candle has.

Pure. A candle's id is seconds · 2^18 + market · 16 + interval, so ids grow with time (partitions are ranges of them) and one
bucket of one market has one id, which makes the engine's upsert exact. It stays below 2^53.
What must never happen here: an interval moved to another place in the list; its place is part of every stored id.
"""

from __future__ import annotations

INTERVALS = {"1m": 60, "5m": 300, "15m": 900, "1h": 3_600, "4h": 14_400, "1d": 86_400}
_INDEX = {name: place for place, name in enumerate(INTERVALS, start=1)}
_NAME = {place: name for name, place in _INDEX.items()}
MARKETS_MAX = 2**14


def index(interval: str) -> int:
    return _INDEX[interval]


def name(place: int) -> str:
    return _NAME[place]


def candle_id(*, open_second: int, market_id: int, place: int) -> int:
    if not 0 < market_id < MARKETS_MAX:
        raise ValueError(f"market {market_id} has no place in a candle's id")
    return open_second << 18 | market_id << 4 | place


def buckets(second: int) -> list[tuple[int, int]]:
    """(place of the interval, second its bucket opens at) for a moment; all in UTC."""
    return [(_INDEX[interval], second - second % length) for interval, length in INTERVALS.items()]
