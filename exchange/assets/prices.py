"""What something is worth, and how old that knowledge is: the one selector that pages, limits and quotes use.

Everything is worked out in whole numbers from decimal rates; the result is rounded down, or up where that is asked for. What
must never happen here: a float, a price of zero, or a valuation without its age.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from exchange.assets.models import Asset, Rate, RateDay

REFERENCE = "USD"
CARRIED_DAYS = 31  # a rate older than this says nothing about a day


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for one whole unit, true at `as_of` according to `source`."""

    asset_id: int
    code: str
    usd: Decimal
    as_of: datetime
    source: str


@dataclass(frozen=True, slots=True)
class Valuation:
    """An amount in another asset's base units, rounded down; `as_of` and `age_s` are those of the oldest rate used."""

    amount: int
    code: str
    decimals: int
    as_of: datetime
    age_s: int
    source: str


@dataclass(frozen=True, slots=True)
class _Quote:
    decimals: int
    usd: Fraction
    as_of: datetime
    source: str


def latest() -> list[Price]:
    """The last known price of every asset that is on and has one, in the order of lists. One query."""
    rows = Rate.objects.filter(asset__enabled=True).select_related("asset").order_by("asset__position", "asset_id")
    return [
        Price(asset_id=row.asset_id, code=row.asset.code, usd=row.price, as_of=row.as_of, source=row.source)
        for row in rows
    ]


def worth(*, asset_id: int, amount: int, in_code: str = REFERENCE, now: datetime) -> Valuation | None:
    """What `amount` base units of an asset are worth in another; None where a rate is not known."""
    return worths(amounts={asset_id: amount}, in_code=in_code, now=now).get(asset_id)


def worths(
    *, amounts: Mapping[int, int], in_code: str = REFERENCE, up: bool = False, now: datetime
) -> dict[int, Valuation]:
    """`worth` for many assets at once; those without a known rate are left out. Two queries, whatever their number.

    `up` rounds up: what counts against somebody is never nothing.
    """
    target = Asset.objects.filter(code=in_code).only("id", "decimals").first()
    if target is None or not amounts:
        return {}
    quotes = _quotes({*amounts, target.id}, now)
    into = quotes.get(target.id)
    if into is None:
        return {}
    return {
        asset_id: _convert(amounts[asset_id], quotes[asset_id], into, in_code, now, up=up)
        for asset_id in amounts
        if asset_id in quotes
    }


@dataclass(frozen=True, slots=True)
class Closing:
    """US dollars for one whole unit, as the last rate of a day said."""

    day: date
    usd: Fraction


def closing(*, asset_ids: Iterable[int], since: date) -> dict[int, list[Closing]]:
    """The last rate of each day that has one, oldest first, from CARRIED_DAYS before `since` on: a day without a rate takes the
    one before it. Assets without any are left out. One query."""
    rows = RateDay.objects.filter(asset_id__in=list(asset_ids), day__gte=since - timedelta(days=CARRIED_DAYS))
    found: dict[int, list[Closing]] = {}
    for asset_id, day, price in rows.order_by("day").values_list("asset_id", "day", "price"):
        found.setdefault(asset_id, []).append(Closing(day, Fraction(price)))
    return found


def _quotes(asset_ids: set[int], now: datetime) -> dict[int, _Quote]:
    """By asset id. The reference currency is worth itself, now."""
    quotes = {}
    for row in Asset.objects.filter(id__in=asset_ids).select_related("rate"):
        if row.code == REFERENCE:
            quotes[row.id] = _Quote(decimals=row.decimals, usd=Fraction(1), as_of=now, source="definition")
        elif (rate := getattr(row, "rate", None)) is not None:
            quotes[row.id] = _Quote(
                decimals=row.decimals, usd=Fraction(rate.price), as_of=rate.as_of, source=rate.source
            )
    return quotes


def _convert(amount: int, quote: _Quote, into: _Quote, in_code: str, now: datetime, *, up: bool) -> Valuation:
    exact = Fraction(amount) * quote.usd * 10**into.decimals / (into.usd * 10**quote.decimals)
    oldest = min(quote, into, key=lambda q: q.as_of)
    return Valuation(
        amount=-(-exact.numerator // exact.denominator) if up else exact.numerator // exact.denominator,
        code=in_code,
        decimals=into.decimals,
        as_of=oldest.as_of,
        age_s=max(0, int((now - oldest.as_of).total_seconds())),
        source=oldest.source,
    )
