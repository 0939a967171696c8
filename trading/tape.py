"""What everybody may see of a market's past and present: trades, candles, the last 24 hours, the book.

Candles are stored by the engine as it trades, one row for each stretch in which something did; where nothing traded the last
close goes on, and that is filled in here, on reading. The 24 hours of a ticker end with the present second and begin 86,400
seconds earlier: whole minutes from the minutes' candles, the part of a minute at their beginning from the seconds'.
What must never happen here: a sum over trades (they grow without end; candles are what is kept of them), or a write.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
_OF_A_DAY = {
    "day_high": Max("high"),
    "day_low": Min("low"),
    "day_lots": Sum("lots"),
    "day_quote": Sum("quote_units"),
    "day_from": Min("open_time"),
    "day_to": Max("open_time"),
}
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
    return tickers([view], now=now)[0]


def tickers(views: Sequence[MarketView], *, now: datetime) -> list[TickerView]:
    """The same of many markets: three queries in all, and one more for each in which nothing traded for a day."""
    begins = _second(now) - DAY_S + 1
    minutes = -(-begins // 60) * 60
    second, minute = grid.index("1s"), grid.index("1m")
    stored = Candle.objects.filter(market_id__in=[view.id for view in views])
    of_seconds = _sums(_between(stored.filter(interval=second), begins, minutes - 1))
    of_minutes = _sums(_between(stored.filter(interval=minute), minutes, LAST))
    wanted = [(id_, second, of["from"]) for id_, of in of_seconds.items()]
    wanted += [(id_, minute, at) for id_, of in of_minutes.items() for at in (of["from"], of["to"])]
    ends = _at(wanted)
    books = shown_books([view.symbol for view in views])
    found = []
    for view in views:
        own = [(place, of[view.id]) for place, of in ((second, of_seconds), (minute, of_minutes)) if view.id in of]
        if view.id in of_minutes:
            last: int | None = ends[view.id, minute, of_minutes[view.id]["to"]][1]
        else:
            last = _last(view, minute)
        first = ends[view.id, own[0][0], own[0][1]["from"]][0] if own else last
        traded = [sums for _, sums in own]
        found.append(_ticker(view, traded, first=first, last=last, shown=books.get(view.symbol), now=now))
    return found


def _ticker(
    view: MarketView,
    traded: list[dict[str, Any]],
    *,
    first: int | None,
    last: int | None,
    shown: dict[str, Any] | None,
    now: datetime,
) -> TickerView:
    bids, asks = (shown["bids"], shown["asks"]) if shown else ([], [])
    return TickerView(
        market=view.symbol,
        last=_price(view, last),
        bid=bids[0][0] if bids else None,
        ask=asks[0][0] if asks else None,
        open=_price(view, first),
        high=_price(view, max((found["high"] for found in traded), default=last)),
        low=_price(view, min((found["low"] for found in traded), default=last)),
        volume=view.quantity(sum(int(found["lots"]) for found in traded)),
        quote_volume=view.quote_amount(sum(int(found["quote"]) for found in traded)),
        change=_fraction(last - first, first) if first is not None and last is not None else None,
        time=now,
    )


def lines(interval: str, *, points: int, now: datetime) -> dict[int, list[tuple[int, int, int]]]:
    """(second, open, close), in ticks, of the last so many candles that traded, by market, oldest first. One query."""
    last = grid.opened(interval, _second(now))
    first = grid.stepped(interval, last, 1 - points)
    rows = _between(Candle.objects.filter(interval=grid.index(interval)), first, LAST).order_by("open_time")
    found: dict[int, list[tuple[int, int, int]]] = {}
    for market_id, at, opened, close in rows.values_list("market_id", "open_time", "open", "close"):
        found.setdefault(market_id, []).append((_second(at), opened, close))
    return found


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
    return shown_books([symbol]).get(symbol)


def shown_books(symbols: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Those that are there, in one trip; none where Valkey is out of reach."""
    global _client
    if _client is None:
        _client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
    try:
        texts = _client.mget([f"md:{symbol}:book" for symbol in symbols]) if symbols else []
    except RedisError:
        return {}
    return {symbol: orjson.loads(text) for symbol, text in zip(symbols, texts, strict=True) if text}


def _between(stored: QuerySet[Candle], first: int, last: int) -> QuerySet[Candle]:
    """Those that open from the one second to the other. The times find the index, the ids leave the other partitions alone."""
    return stored.filter(
        open_time__gte=_moment(first), open_time__lte=_moment(last), id__gte=first << 18, id__lt=(last + 1) << 18
    )


def _sums(candles: QuerySet[Candle]) -> dict[int, dict[str, Any]]:
    """By market, with the times of its first and its last candle; of one in which nothing traded there is none."""
    found = candles.order_by().values("market_id").annotate(**_OF_A_DAY)
    return {row["market_id"]: {name.removeprefix("day_"): value for name, value in row.items()} for row in found}


def _at(wanted: list[tuple[int, int, datetime]]) -> dict[tuple[int, int, datetime], tuple[int, int]]:
    """Open and close of candles by market, interval and time, which are their ids. One query, or none."""
    ids = [grid.candle_id(open_second=_second(at), market_id=id_, place=place) for id_, place, at in wanted]
    rows = Candle.objects.filter(id__in=ids) if ids else ()
    return {(row.market_id, row.interval, row.open_time): (row.open, row.close) for row in rows}


def _last(view: MarketView, minute: int) -> int | None:
    """The last price of a market in which nothing has traded for a day."""
    rows = Candle.objects.filter(market_id=view.id, interval=minute).order_by("-open_time")
    return rows.values_list("close", flat=True).first()


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
