"""What everybody may see of a market's past and present: trades, candles, the last 24 hours, the book.

Candles are stored by the engine as it trades, one row for each stretch in which something did; where nothing traded the last
close goes on, and that is filled in here, on reading. The 24 hours of a ticker end with the present second and begin 86,400
seconds earlier: whole minutes from the minutes' candles, the part of a minute at their beginning from the seconds'.
What must never happen here: a sum over trades (they grow without end; candles are what is kept of them), or a write.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import redis
from django.conf import settings
from django.db.models import Max, Min, QuerySet, Sum
from redis.exceptions import RedisError

from exchange.core import amounts
from trading import candles as grid
from trading.models import Candle
from trading.presentation import BookView, CandleView, MarketView, TickerView

DAY_S = 86_400
LAST = 2**34  # a second that no candle of ours comes to, and whose id is still one


def candles(
    view: MarketView, interval: str, *, after: datetime | None, before: datetime | None, limit: int, now: datetime
) -> list[CandleView]:
    """At most `limit` candles, oldest first, without a gap: the newest that begin before `before` (none given: up to the present
    one), or, with `after`, the first that begin after it. Nothing stands before a market's first trade."""
    stored = Candle.objects.filter(market_id=view.id, interval=grid.index(interval))
    oldest, newest = (
        stored.order_by(order).values_list("open_time", flat=True).first() for order in ("open_time", "-open_time")
    )
    if oldest is None or newest is None:
        return []
    begins = _second(oldest)
    last = max(grid.opened(interval, _second(now)), _second(newest))
    if before is not None:
        if before <= oldest:
            return []
        last = min(last, grid.opened(interval, math.ceil(before.timestamp()) - 1))
    if after is not None:
        if _second(after) >= last:
            return []
        first = max(begins, grid.after(interval, grid.opened(interval, _second(after)))) if after >= oldest else begins
        last = min(last, grid.stepped(interval, first, limit - 1))
    else:
        first = max(begins, grid.stepped(interval, last, 1 - limit))
    return _without_gap(view, interval, stored, first=first, last=last)


def _without_gap(
    view: MarketView, interval: str, stored: QuerySet[Candle], *, first: int, last: int
) -> list[CandleView]:
    rows = {_second(row.open_time): _candle(view, row) for row in _between(stored, first, last)}
    before = None
    if first not in rows:
        row = stored.filter(open_time__lt=_moment(first)).order_by("-open_time").first()
        before = _candle(view, row) if row is not None else None
    return grid.filled(interval, rows, first=first, last=last, before=before, flat=_flat)


def ticker(view: MarketView, *, now: datetime) -> TickerView:
    """The last 24 hours. Where nothing traded in them, the last price stood all the time; what nobody can know is None."""
    begins = _second(now) - DAY_S + 1
    minutes = -(-begins // 60) * 60
    second, minute = grid.index("1s"), grid.index("1m")
    stored = Candle.objects.filter(market_id=view.id)
    parts = [
        _between(stored.filter(interval=second), begins, minutes - 1),
        _between(stored.filter(interval=minute), minutes, LAST),
    ]
    sums = [_sums(part) for part in parts]
    traded = [found for found in sums if found["high"] is not None]
    last = stored.filter(interval=minute).order_by("-open_time").values_list("close", flat=True).first()
    opens = (part.order_by("open_time").values_list("open", flat=True).first() for part in parts)
    first = next((price for price in opens if price is not None), last)
    shown = shown_book(view.symbol) or {"bids": [], "asks": []}
    return TickerView(
        market=view.symbol,
        last=_price(view, last),
        bid=shown["bids"][0][0] if shown["bids"] else None,
        ask=shown["asks"][0][0] if shown["asks"] else None,
        open=_price(view, first),
        high=_price(view, max((found["high"] for found in traded), default=last)),
        low=_price(view, min((found["low"] for found in traded), default=last)),
        volume=view.quantity(sum(int(found["lots"]) for found in traded)),
        quote_volume=view.quote_amount(sum(int(found["quote"]) for found in traded)),
        change=_fraction(last - first, first) if first is not None and last is not None else None,
        time=now,
    )


def book(view: MarketView, *, depth: int) -> BookView | None:
    """The best `depth` levels as the engine last showed them; None where none has, or Valkey is out of reach."""
    shown = shown_book(view.symbol)
    if shown is None:
        return None
    return BookView(
        market=view.symbol,
        u=shown["u"],
        bids=tuple((price, quantity) for price, quantity in shown["bids"][:depth]),
        asks=tuple((price, quantity) for price, quantity in shown["asks"][:depth]),
    )


_client: redis.Redis | None = None


def shown_book(symbol: str) -> dict[str, Any] | None:
    """The engine's snapshot in Valkey."""
    global _client
    if _client is None:
        _client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
    try:
        text = _client.get(f"md:{symbol}:book")
    except RedisError:
        return None
    shown: dict[str, Any] | None = orjson.loads(text) if text else None
    return shown


def _between(stored: QuerySet[Candle], first: int, last: int) -> QuerySet[Candle]:
    """Those that open from the one second to the other. The times find the index, the ids leave the other partitions alone."""
    return stored.filter(
        open_time__gte=_moment(first), open_time__lte=_moment(last), id__gte=first << 18, id__lt=(last + 1) << 18
    )


def _sums(candles: QuerySet[Candle]) -> dict[str, Any]:
    return candles.aggregate(high=Max("high"), low=Min("low"), lots=Sum("lots"), quote=Sum("quote_units"))


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _candle(view: MarketView, row: Candle) -> CandleView:
    return CandleView(
        time=row.open_time,
        open=view.price(row.open),
        high=view.price(row.high),
        low=view.price(row.low),
        close=view.price(row.close),
        volume=view.quantity(int(row.lots)),
        quote_volume=view.quote_amount(int(row.quote_units)),
    )


def _flat(before: CandleView, second: int) -> CandleView:
    at, close = _moment(second), before.close
    return replace(before, time=at, open=close, high=close, low=close, volume="0", quote_volume="0")


def _second(at: datetime) -> int:
    return math.floor(at.timestamp())


def _price(view: MarketView, ticks: int | None) -> str | None:
    return view.price(ticks) if ticks is not None else None


def _fraction(part: int, whole: int) -> str:
    """part/whole, cut towards zero at four places."""
    units = abs(part) * 10_000 // whole
    return amounts.format(-units if part < 0 else units, decimals=4)
