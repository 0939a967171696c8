"""Refreshes the last known rates from the chosen source, and tells whoever listens.

The source is asked outside any transaction. What it says is believed when it is newer than what we have and does not leap:
a price that at least doubles or halves within ten minutes of the last good one waits until that one is ten minutes old.
What must never happen here: an older price over a newer one, or a failing source that looks like a fresh price (rates keep
their own time and simply grow old).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import QuerySet

from exchange.assets import metrics, prices
from exchange.assets.models import Asset, Rate, RateDay, RateHistory
from exchange.assets.sources import Quote, RateLimited, SourceFailed, coinmarketcap, simulated
from exchange.outbox import live

CHANNEL = "prices"
LEAP_FACTOR = 2
LEAP_WAIT = timedelta(minutes=10)
HISTORY_EVERY = timedelta(minutes=1)
SIMULATED_EVERY_S = 2  # costs nobody anything, and the demo should live
_WAIT_KEY = "assets:source-asked-us-to-wait:{}"
_ASKED_KEY = "assets:source-was-asked:{}"
_NATIONAL_KEY = "assets:source-was-asked-for-national-currencies:{}"
NATIONAL_EVERY_S = 900  # values are only shown in them

Source = Callable[..., list[Quote]]
SOURCES: dict[str, Source] = {coinmarketcap.NAME: coinmarketcap.quotes, simulated.NAME: simulated.quotes}
NATIONAL: dict[str, Source] = {coinmarketcap.NAME: coinmarketcap.national, simulated.NAME: simulated.quotes}

log = structlog.get_logger(__name__)


def source_name() -> str:
    """The source that settings choose; empty where there is none."""
    if settings.PRICE_SOURCE:
        return settings.PRICE_SOURCE
    if settings.CMC_API_KEY:
        return coinmarketcap.NAME
    return simulated.NAME if settings.DEMO else ""


def refresh_when_due(*, now: datetime) -> list[prices.Price]:
    """`refresh`, unless any worker did within the interval that the source is worth (settings.PRICE_REFRESH_S)."""
    name = source_name()
    every_s = SIMULATED_EVERY_S if name == simulated.NAME else settings.PRICE_REFRESH_S
    if name and not cache.add(_ASKED_KEY.format(name), True, timeout=every_s):
        return []
    return refresh(now=now)


def refresh(*, now: datetime) -> list[prices.Price]:
    """Asks the source for every coin that is on; the rates that changed. Raises SourceFailed; the old rates stay."""
    name = source_name()
    if name not in SOURCES:
        raise SourceFailed("No price source: set CMC_API_KEY, or PRICE_SOURCE to one that exists.")
    if cache.get(_WAIT_KEY.format(name)):
        return []
    coins = dict(Asset.objects.filter(enabled=True, kind=Asset.Kind.CRYPTO).values_list("code", "id"))
    national = dict(_national().values_list("code", "id")) if _national_due(name) else {}
    try:
        quotes = SOURCES[name](coins, now=now)
    except RateLimited as limit:
        cache.set(_WAIT_KEY.format(name), True, timeout=limit.retry_after_s)
        metrics.source_failed.labels(name).inc()
        raise
    except SourceFailed:
        metrics.source_failed.labels(name).inc()
        raise
    return _keep([*quotes, *_national_quotes(name, national, now)], coins | national, name, now)


def _national() -> QuerySet[Asset]:
    """Currencies other than the one that rates are in. Switched off as they are, values are shown in them."""
    return Asset.objects.filter(kind=Asset.Kind.FIAT).exclude(code=prices.REFERENCE)


def _national_quotes(name: str, codes: dict[str, int], now: datetime) -> list[Quote]:
    """What values are only shown in never costs the coins their prices: where it fails, its rates grow old."""
    ask = NATIONAL.get(name)
    try:
        return ask(codes, now=now) if ask and codes else []
    except SourceFailed as error:
        log.warning("assets.national_rates_failed", source=name, reason=str(error))
        return []


def _national_due(name: str) -> bool:
    every_s = SIMULATED_EVERY_S if name == simulated.NAME else NATIONAL_EVERY_S
    return cache.add(_NATIONAL_KEY.format(name), True, timeout=every_s)


def _keep(quotes: Iterable[Quote], asset_ids: dict[str, int], source: str, now: datetime) -> list[prices.Price]:
    """Writes the quotes that are believed, their history and the message, in one transaction."""
    with transaction.atomic():
        known = {rate.asset_id: rate for rate in Rate.objects.select_for_update().order_by("asset_id")}
        believed = [q for q in quotes if _believed(q, known.get(asset_ids[q.code]))]
        Rate.objects.bulk_create(
            [
                Rate(asset_id=asset_ids[q.code], price=q.usd, as_of=q.as_of, fetched_at=now, source=source)
                for q in believed
            ],
            update_conflicts=True,
            unique_fields=["asset"],
            update_fields=["price", "as_of", "fetched_at", "source"],
        )
        _remember(believed, asset_ids, source)
        if believed:
            live.publish(channel=CHANNEL, message=_message(believed, source, now))
    for quote in believed:
        metrics.price_as_of.labels(quote.code).set(quote.as_of.timestamp())
    return [
        prices.Price(asset_id=asset_ids[q.code], code=q.code, usd=q.usd, as_of=q.as_of, source=source) for q in believed
    ]


def _believed(quote: Quote, known: Rate | None) -> bool:
    if known is None:
        return True
    if quote.as_of <= known.as_of:
        return False
    leaps = quote.usd >= known.price * LEAP_FACTOR or quote.usd * LEAP_FACTOR <= known.price
    if leaps and quote.as_of - known.as_of < LEAP_WAIT:
        log.warning("assets.price_leaps", asset=quote.code, known=str(known.price), told=str(quote.usd))
        metrics.leaps.labels(quote.code).inc()
        return False
    return True


def _remember(quotes: list[Quote], asset_ids: dict[str, int], source: str) -> None:
    """A row of history a minute at most: charts need no more, and the simulated source speaks every second. The day's own row
    goes along, so that at midnight it holds the last rate that stands in the history."""
    for quote in quotes:
        asset_id = asset_ids[quote.code]
        recent = RateHistory.objects.filter(asset_id=asset_id, as_of__gt=quote.as_of - HISTORY_EVERY)
        if not recent.exists():
            RateHistory.objects.create(asset_id=asset_id, price=quote.usd, as_of=quote.as_of, source=source)
            RateDay.objects.update_or_create(
                asset_id=asset_id,
                day=quote.as_of.astimezone(UTC).date(),
                defaults={"price": quote.usd, "as_of": quote.as_of},
            )


def _message(quotes: list[Quote], source: str, now: datetime) -> dict[str, object]:
    return {
        "time": now.isoformat(),
        "source": source,
        "prices": [{"asset": q.code, "usd": _plain(q.usd), "as_of": q.as_of.isoformat()} for q in quotes],
    }


def _plain(price: Decimal) -> str:
    """Decimal text without an exponent or trailing zeros."""
    text = f"{price:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
