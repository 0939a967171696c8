"""Where market data begins: the state in PostgreSQL and Valkey that a snapshot is made from.

Blocking reads, run in two threads of their own, so that a slow query holds up no socket and a process opens two database
connections for its readers, however many they are.
What must never happen here: a write.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.utils import timezone

from exchange.accounts.api import threads
from exchange.assets import prices
from exchange.assets import selectors as assets
from exchange.core import amounts
from exchange.core.times import iso
from exchange.ledger import selectors as ledger
from exchange.notifications import presentation as telling
from exchange.notifications import selectors as told
from trading import selectors
from trading.api import shapes

TRADES_SHOWN = 50
CANDLES_SHOWN = 300
FILLS_SHOWN = 50
NOTIFICATIONS_SHOWN, UNREAD_COUNTED = 5, 100
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="marketdata")


async def off_loop(read: Callable[..., Any], *arguments: Any) -> Any:
    """Run a blocking read outside the event loop."""
    return await threads.run(read, *arguments, executor=_threads)


def symbols() -> set[str]:
    return {market.symbol for market in selectors.markets()}


def trades(market: str) -> list[dict[str, Any]]:
    """The last trades, oldest first."""
    return [shapes.trade(view) for view in reversed(selectors.trades(market, limit=TRADES_SHOWN))]


def candles(market: str, interval: str) -> list[dict[str, Any]]:
    """The last ones, oldest first, up to the present one."""
    rows = selectors.candles(market, interval, limit=CANDLES_SHOWN, now=timezone.now())
    return [shapes.candle(view) for view in rows]


def market(symbol: str) -> dict[str, Any]:
    """A market's rules and state."""
    return shapes.market(selectors.market(symbol))


def tickers() -> list[dict[str, Any]]:
    return [shapes.ticker(view) for view in selectors.tickers(now=timezone.now())]


def latest_prices() -> list[dict[str, Any]]:
    return [
        {
            "asset": price.code,
            "currency": prices.REFERENCE,
            "price": format(price.usd.normalize(), "f"),
            "as_of": iso(price.as_of),
            "source": price.source,
        }
        for price in prices.latest()
    ]


def balances(user_id: int) -> list[dict[str, Any]]:
    """Every balance of a customer, in the assets' own order."""
    held = {balance.asset_id: balance for balance in ledger.balances(owner_id=user_id)}
    return [
        {
            "asset": asset.code,
            "balance": amounts.format(held[asset.id].balance, decimals=asset.decimals),
            "held": amounts.format(held[asset.id].held, decimals=asset.decimals),
            "available": amounts.format(held[asset.id].available, decimals=asset.decimals),
        }
        for asset in assets.assets(enabled_only=False)
        if asset.id in held
    ]


def notifications(user_id: int) -> dict[str, Any]:
    """How many are unread, counted up to a hundred, and the newest few."""
    return {
        "unread": told.unread_count(user_id, most=UNREAD_COUNTED),
        "notifications": [telling.notification(line) for line in told.recent(user_id, limit=NOTIFICATIONS_SHOWN)],
    }


def unread(user_id: int) -> int:
    return told.unread_count(user_id, most=UNREAD_COUNTED)


def private(kind: str, user_id: int) -> dict[str, Any]:
    """The snapshot of a customer's own channel."""
    if kind == "orders":
        return {"orders": [shapes.order(view) for view in selectors.open_orders(user_id)]}
    if kind == "fills":
        return {"fills": [shapes.fill(view) for view in reversed(selectors.fills(user_id, limit=FILLS_SHOWN))]}
    if kind == "balances":
        return {"balances": balances(user_id)}
    if kind == "notifications":
        return notifications(user_id)
    raise ValueError(f"no private channel {kind}")
