"""The room in numbers, for the back office: what was traded in a day, and how the engines stand.

What must never happen here: a count of a table that only grows, or a write.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import redis
from django.conf import settings

from trading import candles
from trading.models import Candle, Market, Shard
from trading.runner import status

_VALKEY_LIMIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Engine:
    """A shard: who leads it, how many commands wait for it, how many batches are committed and not told."""

    shard: int
    leader: str | None
    waiting: int | None
    untold: int
    batches: int


def traded(*, opened: datetime) -> dict[int, int]:
    """What changed hands on a day, by the asset of payment, in its base units. One query over the days' candles."""
    quote = dict(Market.objects.values_list("id", "quote_asset_id"))
    found: dict[int, int] = {}
    place = candles.index("1d")
    second = int(opened.timestamp())
    wanted = [candles.candle_id(open_second=second, market_id=market, place=place) for market in quote]
    for market_id, units in Candle.objects.filter(id__in=wanted).values_list("market_id", "quote_units"):
        found[quote[market_id]] = found.get(quote[market_id], 0) + int(units)
    return found


def engines() -> list[Engine]:
    """One query, and one short question to Valkey for each shard."""
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=_VALKEY_LIMIT_S, socket_connect_timeout=_VALKEY_LIMIT_S
    )
    try:
        found = [status.of(client, shard) for shard in Shard.objects.order_by("id")]
    finally:
        client.close()
    return [Engine(each.shard, each.leader, each.waiting, each.untold, each.seq) for each in found]
