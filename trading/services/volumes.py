"""What each customer traded, by day and asset of payment: counted from new trades alone, valued in US dollars as it is counted.

A shard numbers its trades without a gap and commits them in order, so how far they were counted is one number a shard; it
moves in the transaction that counts. Both sides of a trade count.
What must never happen here: a trade counted twice or left out, a float, or a value that is worked out again later.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.db import connection, transaction

from exchange.assets import prices
from exchange.assets import selectors as assets
from trading.engine.matching import SHARDS_MAX
from trading.models import Shard, VolumeMark
from trading.selectors import VOLUME_DAYS

log = structlog.get_logger(__name__)

TRADES_AT_ONCE = 200_000
RATE_AGE_MAX = timedelta(hours=1)
USD = "USD"

_COUNT = """
WITH fresh AS (
  SELECT t.maker_id, t.taker_id, (t.at AT TIME ZONE 'UTC')::date AS day, m.quote_asset_id AS asset_id,
         t.price::numeric * t.lots * m.tick_quote_units AS units
  FROM trading_trade t JOIN trading_market m ON m.id = t.market_id
  WHERE t.id > %(after)s AND t.id <= %(until)s AND t.id %% 1024 = %(shard)s
), sides AS (
  SELECT maker_id AS user_id, day, asset_id, units FROM fresh
  UNION ALL SELECT taker_id, day, asset_id, units FROM fresh
)
INSERT INTO trading_volume AS v (user_id, day, asset_id, units, valued_units, usd_units)
SELECT user_id, day, asset_id, sum(units), 0, 0 FROM sides GROUP BY user_id, day, asset_id ORDER BY user_id, day, asset_id
ON CONFLICT (user_id, day, asset_id) DO UPDATE SET units = v.units + excluded.units
"""

# div() is exact, and cuts towards zero.
_VALUE = """
UPDATE trading_volume SET valued_units = units, usd_units = usd_units + div((units - valued_units) * %(rate)s, %(whole)s)
WHERE asset_id = %(asset)s AND valued_units < units
"""

_CUSTOMERS = """
SELECT user_id, sum(usd_units)::numeric(78,0) FROM trading_volume WHERE day > %s GROUP BY user_id HAVING sum(usd_units) >= %s
"""


def gather() -> None:
    """Count every trade that was committed and not counted yet, a slice at a time."""
    for shard in Shard.objects.order_by("id").values_list("id", flat=True):
        while _gather_slice(shard):
            pass


@transaction.atomic
def _gather_slice(shard: int) -> bool:
    """Whether there may be more."""
    VolumeMark.objects.bulk_create([VolumeMark(shard_id=shard)], ignore_conflicts=True)
    mark = VolumeMark.objects.select_for_update().get(shard_id=shard)
    # The row that this number stands in changes with the trades themselves: all below it are committed, and can be seen.
    next_trade = Shard.objects.values_list("next_trade", flat=True).get(id=shard)
    until = min(next_trade, mark.next_trade + TRADES_AT_ONCE)
    if until <= mark.next_trade:
        return False
    with connection.cursor() as cursor:
        given = {"after": mark.next_trade * SHARDS_MAX - 1, "until": until * SHARDS_MAX - 1, "shard": shard}
        cursor.execute(_COUNT, given)
    mark.next_trade = until
    mark.save(update_fields=["next_trade"])
    return until < next_trade


def value(*, now: datetime) -> None:
    """Value what was counted and not valued yet, at the rates of now. What has no fresh rate waits for one."""
    dollar = assets.asset(USD)
    rates: dict[int, Decimal] = {dollar.id: Decimal(1)}
    rates |= {price.asset_id: price.usd for price in prices.latest() if now - price.as_of <= RATE_AGE_MAX}
    with connection.cursor() as cursor:
        for asset in assets.assets(enabled_only=False):
            if (rate := rates.get(asset.id)) is not None:
                given = {"rate": rate * 10**dollar.decimals, "whole": 10**asset.decimals, "asset": asset.id}
                cursor.execute(_VALUE, given)
        cursor.execute("SELECT count(*) FROM trading_volume WHERE valued_units < units")
        if waiting := cursor.fetchone()[0]:
            log.warning("trading.volume_without_rate", rows=waiting)


def customers(*, from_volume: int, now: datetime) -> Iterable[tuple[int, int]]:
    """(customer, volume in cents) of the last thirty days, today among them, for those who traded that much."""
    with connection.cursor() as cursor:
        cursor.execute(_CUSTOMERS, [first_day(now), from_volume])
        rows: list[Any] = cursor.fetchall()
    return [(user_id, int(volume)) for user_id, volume in rows]


def first_day(now: datetime) -> date:
    """The day before the first that counts."""
    return now.date() - timedelta(days=VOLUME_DAYS)
