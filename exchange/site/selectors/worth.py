"""What a customer's coins were worth, day by day: balances by day times the last rate of each day.

Both come from tables with a row a day, so a year costs the same behind ten entries and behind a million. What must never happen
here: an asset without a rate counted as nothing in silence, or today's point that is not the total above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from exchange.assets import prices
from exchange.assets import selectors as assets
from exchange.ledger.selectors import days
from exchange.site import plots

RANGES = {"7d": 7, "30d": 30, "90d": 90, "1y": 365, "all": 3_650}
TENFOLD = 9_000  # thousandths that a change is shown up to
POINTS_MAX = 122  # of a longer time, every second or third day is shown


@dataclass(frozen=True, slots=True)
class Point:
    """The end of a day (of the last one: now), in base units of the currency shown. `y` is its place in the plot."""

    day: date
    worth: int
    y: int


@dataclass(frozen=True, slots=True)
class OverTime:
    """`line` is None while there are fewer than two days to draw. `change` is between the first point and the last one."""

    range: str
    points: tuple[Point, ...]
    line: plots.Line | None
    change: int
    thousandths: int | None
    currency: assets.AssetView
    unpriced: tuple[str, ...]
    step: int

    @property
    def ranges(self) -> tuple[str, ...]:
        return tuple(RANGES)

    @property
    def percent(self) -> str:
        """The change in hundredths of what was there at first, with a sign: "+12.3"; "" where there was next to nothing."""
        if self.thousandths is None or abs(self.thousandths) > TENFOLD:
            return ""
        whole, tenth = divmod(abs(self.thousandths), 10)
        return f"{'-' if self.thousandths < 0 else '+'}{whole}.{tenth}"

    @property
    def middle(self) -> date | None:
        return self.points[len(self.points) // 2].day if len(self.points) > 2 else None


def over_time(*, user_id: int, range: str, total: int, currency: assets.AssetView, now: datetime) -> OverTime:
    """`total` is what all is worth now, in the same currency: the last point. Four queries, whatever the number of entries."""
    range = range if range in RANGES else "30d"
    today = now.astimezone(UTC).date()
    first = days.first_day(owner_id=user_id)
    since = max(today - timedelta(days=RANGES[range]), first or today)
    shown, step = _days(since, today)
    known = {each.id: each for each in assets.assets(enabled_only=False)}
    changes = days.changes(owner_id=user_id, since=since)
    held = {each.asset_id for each in changes}
    rates = _Rates(held | {currency.id}, known, since)
    worths = _worths(shown[:-1], changes, known, rates, currency) if first else []
    values = [*worths, total]
    line = plots.line(values) if len(values) > 1 and any(values) else None
    change = values[-1] - values[0]
    marks = line.marks if line else ((0, 0),) * len(values)
    return OverTime(
        range=range,
        points=tuple(
            Point(day, worth, y) for day, worth, (_, y) in zip(shown[-len(values) :], values, marks, strict=True)
        ),
        line=line,
        change=change,
        thousandths=int(Fraction(change * 1_000, values[0])) if values[0] else None,
        currency=currency,
        unpriced=tuple(known[each].code for each in sorted(held) if not rates.known(each)),
        step=step,
    )


def _days(since: date, today: date) -> tuple[list[date], int]:
    """From the oldest on, always with today; and how many days are between two of them."""
    step = max(1, -(-(today - since).days // (POINTS_MAX - 1)))
    count = (today - since).days // step + 1
    return [today - timedelta(days=step * back) for back in reversed(range(count))], step


def _worths(
    shown: Iterable[date],
    changes: list[days.Change],
    known: Mapping[int, assets.AssetView],
    rates: _Rates,
    currency: assets.AssetView,
) -> list[int]:
    """The worth at the end of each of these days, rounded down."""
    balances: dict[int, int] = {}
    found, coming = [], iter([*changes, None])
    change = next(coming)
    for day in shown:
        while change is not None and change.day <= day:
            balances[change.asset_id] = balances.get(change.asset_id, 0) + change.amount
            change = next(coming)
        usd = sum(
            (
                amount * rates.at(asset_id, day) / 10 ** known[asset_id].decimals
                for asset_id, amount in balances.items()
            ),
            Fraction(0),
        )
        into = rates.at(currency.id, day)
        found.append(int(usd * 10**currency.decimals / into) if into else 0)
    return found


class _Rates:
    """The last known rate of an asset at the end of a day; days must be asked in their order."""

    def __init__(self, asset_ids: set[int], known: Mapping[int, assets.AssetView], since: date) -> None:
        self._reference = {each.id for each in known.values() if each.code == prices.REFERENCE}
        self._closings = prices.closing(asset_ids=asset_ids - self._reference, since=since)
        self._next = dict.fromkeys(self._closings, 0)
        self._last: dict[int, prices.Closing] = {}

    def known(self, asset_id: int) -> bool:
        return asset_id in self._reference or asset_id in self._closings

    def at(self, asset_id: int, day: date) -> Fraction:
        """Dollars for a whole unit; nothing where no rate is known that is not too old."""
        if asset_id in self._reference:
            return Fraction(1)
        closings = self._closings.get(asset_id, [])
        while (place := self._next.get(asset_id, 0)) < len(closings) and closings[place].day <= day:
            self._last[asset_id], self._next[asset_id] = closings[place], place + 1
        last = self._last.get(asset_id)
        fresh = last is not None and (day - last.day).days <= prices.CARRIED_DAYS
        return last.usd if last is not None and fresh else Fraction(0)
