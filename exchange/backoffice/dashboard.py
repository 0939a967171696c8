"""The first page of the staff site: what waits, then how the house does, in plots of the last thirty days and in what is now.

Each part by the right to what it shows. The plots read figures that a worker counted (figures.py). What must never happen here: a
count of a table that only grows, or a customer's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from exchange.assets import prices
from exchange.assets import selectors as assets
from exchange.backoffice import plots, queues
from exchange.backoffice.figures import DAYS
from exchange.backoffice.models import Figure
from exchange.backoffice.words import Units, list_page
from trading import figures as trading
from wallets import figures as wallets
from wallets import selectors as nodes

_K = Figure.Kind
CHECK_FRESH = timedelta(minutes=2)
Rows = Mapping[tuple[date, str, int], int]


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars over days with the table behind them. `rows` are (day, texts); `bars` know their row and series."""

    name: str
    title: str
    total: str
    series: tuple[str, ...]
    bars: list[tuple[plots.Bar, str]]
    rows: list[tuple[date, list[str]]]
    top: str
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Lying:
    """Where an asset's coins lie."""

    asset: str
    pieces: list[tuple[str, int, int, str]]
    low: bool


def add(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """For Unfold's DASHBOARD_CALLBACK."""
    now = timezone.now()
    waits = [(each, each.page(request)) for each in queues.of(request)]
    context |= {
        "queues": sorted(waits, key=lambda each: (not each[0].count, not each[0].alarm)),
        "plots": _plots(request, now),
        "lying": _lying(request),
        "networks": _networks(request, now),
        "engines": trading.engines() if request.user.has_perm("trading.view_shard") else [],
        "now": now,
    }
    return context


def _plots(request: HttpRequest, now: datetime) -> list[Plot]:
    days = [now.date() - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    found = Figure.objects.filter(day__gte=days[0] - timedelta(days=1)).values_list("day", "kind", "asset_id", "units")
    rows = {(day, kind, asset_id): int(units) for day, kind, asset_id, units in found}
    worth = _Worth({asset_id for _day, _kind, asset_id in rows if asset_id}, now)
    made = []
    if request.user.has_perm("trading.view_market"):
        made.append(
            _plot("volume", _("Volume"), days, (_("Traded"),), [worth.by_day(rows, _K.VOLUME, days)], money=True)
        )
        made.append(
            _plot("fees", _("Fees"), days, (_("Taken"),), [worth.by_day(_taken(rows, days), _K.FEES, days)], money=True)
        )
    if request.user.has_perm("accounts.view_user"):
        signed = [rows.get((day, _K.SIGN_UPS, 0), 0) for day in days]
        made.append(_plot("sign_ups", _("Sign-ups"), days, (_("People"),), [signed]))
    if request.user.has_perm("wallets.view_deposit"):
        both = [worth.by_day(rows, _K.DEPOSITS, days), worth.by_day(rows, _K.WITHDRAWALS, days)]
        named = (_("Deposits"), _("Withdrawals"))
        made.append(_plot("coins", _("Deposits and withdrawals"), days, named, both, money=True))
    return made


def _taken(rows: Rows, days: list[date]) -> dict[tuple[date, str, int], int]:
    """A day's fees: what was ever taken by its end, less what was by the end of the day before."""
    found = {}
    for day, kind, asset_id in rows:
        before = (day - timedelta(days=1), kind, asset_id)
        if kind == _K.FEES and before in rows:
            found[day, kind, asset_id] = max(0, rows[day, kind, asset_id] - rows[before])
    return found


class _Worth:
    """Base units of many assets in US cents, at the rates of now: one look at the rates for a page."""

    def __init__(self, asset_ids: set[int], now: datetime) -> None:
        known = {asset.id: asset for asset in assets.assets(enabled_only=False)}
        whole = {asset_id: 10 ** known[asset_id].decimals for asset_id in asset_ids if asset_id in known}
        self._worth = {
            each: (value.amount, whole[each]) for each, value in prices.worths(amounts=whole, now=now).items()
        }

    def by_day(self, rows: Rows, kind: str, days: list[date]) -> list[int]:
        found = dict.fromkeys(days, 0)
        for (day, each, asset_id), units in rows.items():
            if each == kind and day in found and asset_id in self._worth:
                cents, whole = self._worth[asset_id]
                found[day] += units * cents // whole
        return list(found.values())


def _plot(
    name: str, title: str, days: list[date], series: tuple[str, ...], values: list[list[int]], *, money: bool = False
) -> Plot:
    def text(value: int) -> str:
        return f"${value // 100:,}" if money else f"{value:,}"

    bars, top = plots.bars(*values)
    return Plot(
        name=name, title=title, total=" / ".join(text(sum(each)) for each in values), series=series,
        bars=[(bar, f"{days[bar.place]:%d %b}: {series[bar.series]} {text(values[bar.series][bar.place])}") for bar in bars],
        rows=[(day, [text(each[place]) for each in values]) for place, day in enumerate(days)],
        top=text(top), first=days[0], last=days[-1],
    )  # fmt: skip


def _lying(request: HttpRequest) -> list[Lying]:
    if not request.user.has_perm("wallets.view_hotlevel"):
        return []
    units, found = Units(), []
    for level in wallets.levels():
        parts = (level.hot, level.deposit, level.cold)
        places = plots.shares(parts)
        names = ("hot", "deposit", "cold")
        pieces = [
            (name, x, width, units.text(level.asset_id, max(0, part)))
            for name, (x, width), part in zip(names, places, parts, strict=True)
        ]
        found.append(Lying(units.code(level.asset_id), pieces, level.low_since is not None))
    return found


def _networks(request: HttpRequest, now: datetime) -> list[dict[str, Any]]:
    if not request.user.has_perm("wallets.view_health"):
        return []
    found = []
    for each in nodes.networks():
        fresh = each.checked_at is not None and now - each.checked_at <= CHECK_FRESH
        behind = (
            each.tip_height - each.scanned_height
            if each.tip_height is not None and each.scanned_height is not None
            else None
        )
        word = "halted" if each.halted else "down" if not each.ok else "late" if not fresh else "ok"
        found.append({"name": each.network, "tip": each.tip_height, "behind": behind, "word": word, "at": each.checked_at,
                      "page": list_page(request, "wallets.health")})  # fmt: skip
    return found
