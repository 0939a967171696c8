"""The grid of candles: where buckets begin, the ids that stored ones have, and flat ones where nothing traded."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading import candles


def second(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def test_places_of_stored_candles_never_move() -> None:
    assert {name: candles.index(name) for name in candles.INTERVALS} == {
        "1m": 1, "5m": 2, "15m": 3, "1h": 4, "4h": 5, "1d": 6, "1s": 7, "30m": 8, "12h": 9, "1w": 10, "1M": 11,
    }  # fmt: skip
    assert all(candles.name(candles.index(name)) == name for name in candles.INTERVALS)
    assert sorted(candles.BY_LENGTH) == sorted(candles.INTERVALS)
    assert candles.candle_id(open_second=1_700_000_000, market_id=3, place=1) == 1_700_000_000 * 2**18 + 3 * 16 + 1


def test_an_id_stays_below_two_to_the_fifty_third_for_centuries() -> None:
    assert candles.candle_id(open_second=second("3050-01-01"), market_id=2**14 - 1, place=11) < 2**53
    with pytest.raises(ValueError, match="no place"):
        candles.candle_id(open_second=1, market_id=2**14, place=1)


@pytest.mark.parametrize(
    ("interval", "moment", "opens", "follows"),
    [
        ("1s", "2026-11-20T05:32:05", "2026-11-20T05:32:05", "2026-11-20T05:32:06"),
        ("30m", "2026-11-20T05:32:05", "2026-11-20T05:30:00", "2026-11-20T06:00:00"),
        ("12h", "2026-11-20T15:32:05", "2026-11-20T12:00:00", "2026-11-21T00:00:00"),
        ("1d", "2026-11-20T15:32:05", "2026-11-20T00:00:00", "2026-11-21T00:00:00"),
        ("1w", "2026-11-20T15:32:05", "2026-11-16T00:00:00", "2026-11-23T00:00:00"),  # a Friday; weeks begin on Monday
        ("1w", "2026-11-16T00:00:00", "2026-11-16T00:00:00", "2026-11-23T00:00:00"),
        ("1M", "2026-11-20T15:32:05", "2026-11-01T00:00:00", "2026-12-01T00:00:00"),
        ("1M", "2026-12-31T23:59:59", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("1M", "2028-02-29T12:00:00", "2028-02-01T00:00:00", "2028-03-01T00:00:00"),
    ],
)
def test_where_a_bucket_begins_and_the_next_one(interval: str, moment: str, opens: str, follows: str) -> None:
    assert candles.opened(interval, second(moment)) == second(opens)
    assert candles.after(interval, second(opens)) == second(follows)
    assert candles.stepped(interval, second(follows), -1) == second(opens)


@given(st.integers(0, 4 * 10**9), st.sampled_from(candles.INTERVALS), st.integers(-40, 40))
def test_buckets_tile_time(moment: int, interval: str, steps: int) -> None:
    opening = candles.opened(interval, moment)
    assert opening <= moment < candles.after(interval, opening)
    assert candles.opened(interval, opening) == opening
    assert dict(candles.buckets(moment))[candles.index(interval)] == opening
    assert candles.stepped(interval, candles.stepped(interval, opening, steps), -steps) == opening


def flat(row: tuple[int, str], at: int) -> tuple[int, str]:
    return at, row[1]


def test_where_nothing_traded_the_last_close_goes_on() -> None:
    rows = {60: (60, "a"), 240: (240, "b")}
    shown = candles.filled("1m", rows, first=0, last=300, before=(-60, "z"), flat=flat)
    assert shown == [(0, "z"), (60, "a"), (120, "a"), (180, "a"), (240, "b"), (300, "b")]


def test_before_the_first_trade_of_all_there_is_nothing() -> None:
    shown = candles.filled("1m", {120: (120, "a")}, first=0, last=180, before=None, flat=flat)
    assert shown == [(120, "a"), (180, "a")]
