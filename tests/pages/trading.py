"""A market in motion: a book on both sides, trades, every kind of order of the customer's, and a month of candles.

The engine runs; what it writes is its own. Only candles of before this minute are put in by hand, for nobody traded then.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connections

from exchange.backoffice import figures
from exchange.ledger.services import days
from trading import candles
from trading.services import orders

if TYPE_CHECKING:
    from tests.pages.world import World

MARKET = "BTC-USDT"
MIDDLE = 64_000
LENGTHS = {"1m": 60, "5m": 300, "15m": 900, "1h": 3_600, "4h": 14_400, "1d": 86_400}


def fill(world: World, now: datetime) -> None:
    from tests.pages.world import pay_in, person

    past_candles(now)
    maker = person("maker", now=now)
    for code, amount in (("BTC", 50 * 10**8), ("USDT", 5_000_000 * 10**6)):
        pay_in(maker, code, amount, now=now)
    for step in range(1, 16):
        size = f"{0.05 + 0.37 * (step % 4):.4f}"
        place(maker, "buy", price=str(MIDDLE - 10 * step), quantity=size, now=now)
        place(maker, "sell", price=str(MIDDLE + 10 * step), quantity=size, now=now)
    for number in range(8):
        side = "buy" if number % 3 else "sell"
        place(world.customer, side, type="market", quantity=f"0.00{number + 1}", now=now)
    for price, side in ((MIDDLE - 45, "buy"), (MIDDLE + 55, "sell"), (MIDDLE + 900, "sell")):
        placed = place(world.customer, side, price=str(price), quantity="0.02", now=now)
        world.names["order"] = str(placed.order.id)
    place(world.customer, "sell", type="stop", stop_price=str(MIDDLE - 4_000), quantity="0.05", now=now)
    place(world.customer, "buy", type="stop_limit", stop_price="66000", price="66100", quantity="0.01", now=now)
    place(world.customer, "sell", type="trailing_stop", trail_percent="5", quantity="0.02", now=now)
    gone = place(world.customer, "buy", price=str(MIDDLE - 500), quantity="0.01", now=now)
    orders.cancel_sync(user_id=world.customer, order_id=gone.order.id, now=now)
    days.gather()
    figures.count(now=now)  # as the worker does, for the plots of staff's dashboard


def place(user_id: int, side: str, *, now: datetime, type: str = "limit", **more: Any) -> Any:
    return orders.place_sync(user_id=user_id, market=MARKET, side=side, type=type, unlimited=True, now=now, **more)


def past_candles(now: datetime) -> None:
    """A month of them in every length, one wave for all."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT trading_make_partitions(1)")
        for name, seconds in LENGTHS.items():
            first = int((now - timedelta(days=28)).timestamp()) // seconds
            last = int(now.timestamp()) // seconds
            rows = [_candle(name, seconds, count) for count in range(max(first, last - 500), last)]
            cursor.executemany(
                "INSERT INTO trading_candle (id, market_id, interval, open_time, open, high, low, close, lots, quote_units, "
                "trades) VALUES (%s, 1, %s, to_timestamp(%s), %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                rows,
            )


def _candle(name: str, seconds: int, count: int) -> tuple[int, ...]:
    place, opened = candles.index(name), count * seconds
    start, end = _price(opened), _price(opened + seconds)
    swing = 400 + (count * 7919) % 900
    lots = 2_000 + (count * 7919) % 5_000
    key = candles.candle_id(open_second=opened, market_id=1, place=place)
    return (
        key, place, opened, start, max(start, end) + swing, min(start, end) - swing, end, lots, lots * start, 5 + count % 40
    )  # fmt: skip


def _price(second: int) -> int:
    """In ticks of a cent: slow, quick and quicker waves around the middle."""
    hours = second / 3_600
    return round(100 * (MIDDLE + 1_800 * math.sin(hours / 90) + 420 * math.sin(hours / 7) + 60 * math.sin(hours * 3)))
