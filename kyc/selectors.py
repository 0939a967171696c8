"""How well we know a customer and what that allows, for pages and for the rooms that move money.

What must never happen here: an amount whose worth is not known counted as nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from exchange.assets import prices
from exchange.assets import selectors as assets
from exchange.core.errors import Unavailable
from kyc import uses
from kyc.kinds import KINDS, WINDOWS
from kyc.models import Customer, Level, Limit

PRICE_AGE_MAX = timedelta(hours=24)


class WorthUnknown(Unavailable):
    """A limit cannot be counted, because a price is missing or older than a day."""

    code = "worth_unknown"


@dataclass(frozen=True, slots=True)
class LevelView:
    """A step of verification. `limits` are base units of `currency` by (kind, seconds); None means no limit."""

    number: int
    code: str
    name: str
    limits: Mapping[tuple[str, int], int | None]
    currency: str
    decimals: int
    limits_changed_at: datetime | None

    def limited(self, kind: str) -> bool:
        return any(self.limits[kind, seconds] is not None for seconds in WINDOWS)


@dataclass(frozen=True, slots=True)
class Allowance:
    """One limit, what of it is used and what is left now, in base units of `currency`. `limit` and `left` None: no limit;
    `used` None: a price that it is counted in is not known at the moment, and then nothing is left."""

    kind: str
    seconds: int
    limit: int | None
    used: int | None
    left: int | None
    currency: str
    decimals: int


def levels() -> list[LevelView]:
    """Every level, lowest first. Three queries."""
    currency = assets.asset(settings.REFERENCE_CURRENCY)
    found = Level.objects.prefetch_related("limits").order_by("number")
    return [_view(row, row.limits.all(), currency) for row in found]


def level(user_id: int) -> LevelView:
    """The customer's level; the first where staff have not set one. At most four queries."""
    row = level_row(user_id)
    return _view(row, Limit.objects.filter(level=row), assets.asset(settings.REFERENCE_CURRENCY))


def level_row(user_id: int) -> Level:
    """For this room's services."""
    row = Customer.objects.select_related("level").filter(user_id=user_id).first()
    return row.level if row is not None else Level.objects.get(number=settings.KYC_FIRST_LEVEL)


def is_limited(user_id: int, kind: str) -> bool:
    """Whether anything of this kind is counted for the customer. At most three queries."""
    return Limit.objects.filter(level=level_row(user_id), kind=kind, amount__isnull=False).exists()


def limited_among(user_ids: Collection[int], kind: str) -> frozenset[int]:
    """Those of these customers of whom anything of this kind is counted. Two queries, whatever their number."""
    levels_limited = set(Limit.objects.filter(kind=kind, amount__isnull=False).values_list("level_id", flat=True))
    own = dict(Customer.objects.filter(user_id__in=user_ids).values_list("user_id", "level_id"))
    return frozenset(user for user in user_ids if own.get(user, settings.KYC_FIRST_LEVEL) in levels_limited)


def standing_since(user_id: int) -> datetime | None:
    """When what the customer may do was last changed: his level, or a limit of it. None: never."""
    row = Customer.objects.select_related("level").filter(user_id=user_id).first()
    known = level_row(user_id) if row is None else row.level
    moments = [row.changed_at if row is not None else None, known.limits_changed_at]
    return max((moment for moment in moments if moment is not None), default=None)


def allowances(user_id: int, *, now: datetime) -> list[Allowance]:
    """Every limit of the customer's level and how much of it is left, kind by kind, the shorter window first."""
    own = level(user_id)
    found = []
    for kind in KINDS:
        used: Mapping[int, int | None]
        try:
            used = uses.of(kind, user_id=user_id, now=now)
        except WorthUnknown:
            used = dict.fromkeys(WINDOWS)
        found += [_allowance(own, kind, seconds, used[seconds]) for seconds in WINDOWS]
    return found


def _allowance(own: LevelView, kind: str, seconds: int, used: int | None) -> Allowance:
    limit = own.limits[kind, seconds]
    left = None if limit is None else 0 if used is None else max(0, limit - used)
    return Allowance(kind, seconds, limit, used, left, own.currency, own.decimals)


def worth(amounts: Mapping[int, int], *, now: datetime) -> int:
    """The sum of amounts by asset in base units of the reference currency, each rounded up, so that nothing counts as nothing.
    Raises WorthUnknown where a price is missing or old."""
    counted = {asset_id: amount for asset_id, amount in amounts.items() if amount}
    valuations = prices.worths(amounts=counted, in_code=settings.REFERENCE_CURRENCY, up=True, now=now)
    for asset_id in counted:
        valuation = valuations.get(asset_id)
        if valuation is None or valuation.age_s > PRICE_AGE_MAX.total_seconds():
            raise WorthUnknown("A price that your limit is counted in is not known at the moment. Please try later.")
    return sum(valuation.amount for valuation in valuations.values())


def worth_if_known(amounts: Mapping[int, int], *, now: datetime) -> int | None:
    """The same; None where it is not known: to be kept beside what no limit is asked for."""
    try:
        return worth(amounts, now=now)
    except WorthUnknown:
        return None


def _view(row: Level, limits: Iterable[Limit], currency: assets.AssetView) -> LevelView:
    amounts: dict[tuple[str, int], int | None] = {(kind, seconds): None for kind in KINDS for seconds in WINDOWS}
    amounts.update({(limit.kind, limit.seconds): limit.amount for limit in limits})
    return LevelView(
        number=row.number,
        code=row.code,
        name=row.name,
        limits=amounts,
        currency=currency.code,
        decimals=currency.decimals,
        limits_changed_at=row.limits_changed_at,
    )
