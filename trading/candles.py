"""The grid of candles: intervals, where a bucket begins and ends, the integer id that each candle has, and flat ones between.

Pure. A candle's id is seconds · 2^18 + market · 16 + interval, so ids grow with time (partitions are ranges of them) and one
bucket of one market has one id, which makes the engine's upsert exact. It stays below 2^53. All times are UTC; a week
begins on Monday, a month is the calendar's.
What must never happen here: an interval moved to another place in the list; its place is part of every stored id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar

INTERVALS = ("1m", "5m", "15m", "1h", "4h", "1d", "1s", "30m", "12h", "1w", "1M")  # in the order of their places
BY_LENGTH = ("1s", "1m", "5m", "15m", "30m", "1h", "4h", "12h", "1d", "1w", "1M")
MARKETS_MAX = 2**14
_SECONDS = {
    "1s": 1, "1m": 60, "5m": 300, "15m": 900, "30m": 1_800, "1h": 3_600, "4h": 14_400, "12h": 43_200, "1d": 86_400,
    "1w": 604_800,
}  # fmt: skip
_FIRST_MONDAY = 4 * 86_400  # 5 January 1970
_PLACE = {name: place for place, name in enumerate(INTERVALS, start=1)}
_NAME = {place: name for name, place in _PLACE.items()}
_FIXED = tuple((_PLACE[name], seconds) for name, seconds in _SECONDS.items() if name != "1w")

Row = TypeVar("Row")


def index(interval: str) -> int:
    return _PLACE[interval]


def name(place: int) -> str:
    return _NAME[place]


def candle_id(*, open_second: int, market_id: int, place: int) -> int:
    if not 0 < market_id < MARKETS_MAX:
        raise ValueError(f"market {market_id} has no place in a candle's id")
    return open_second << 18 | market_id << 4 | place


def opened(interval: str, second: int) -> int:
    """The second at which the bucket that holds `second` began."""
    if interval == "1M":
        return _month(second, 0)
    length = _SECONDS[interval]
    shift = _FIRST_MONDAY if interval == "1w" else 0
    return second - (second - shift) % length


def after(interval: str, opening: int) -> int:
    """The beginning of the bucket after the one that begins at `opening`."""
    return _month(opening, 1) if interval == "1M" else opening + _SECONDS[interval]


def stepped(interval: str, opening: int, steps: int) -> int:
    """The beginning of the bucket so many further on, or back."""
    return _month(opening, steps) if interval == "1M" else opening + steps * _SECONDS[interval]


def buckets(second: int) -> list[tuple[int, int]]:
    """(place of the interval, second its bucket opens at) for a moment, for every interval."""
    found = [(place, second - second % length) for place, length in _FIXED]
    found.append((_PLACE["1w"], opened("1w", second)))
    found.append((_PLACE["1M"], _month(second, 0)))
    return found


def openings(interval: str, *, first: int, last: int) -> Iterator[int]:
    """Every bucket's beginning from the bucket that begins at `first` to the one that begins at `last`."""
    at = first
    while at <= last:
        yield at
        at = after(interval, at)


def filled(
    interval: str,
    rows: Mapping[int, Row],
    *,
    first: int,
    last: int,
    before: Row | None,
    flat: Callable[[Row, int], Row],
) -> list[Row]:
    """The rows from `first` to `last` without a gap: where nothing traded stands `flat(the row before, its second)`.

    `before` is the newest row older than `first`. Without one there is nothing until the market's first trade.
    """
    found: list[Row] = []
    for opening in openings(interval, first=first, last=last):
        row = rows.get(opening)
        if row is None:
            if before is None:
                continue
            row = flat(before, opening)
        found.append(row)
        before = row
    return found


def _month(second: int, steps: int) -> int:
    """The first second of the month so many after the one that holds `second`."""
    held = datetime.fromtimestamp(second, UTC)
    months = held.year * 12 + held.month - 1 + steps
    return int(datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC).timestamp())
