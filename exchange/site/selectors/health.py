"""Is something down? Networks, matching and prices, each with the age of what we know.

Nothing here may hang: each part is asked with a short limit, and a part that does not answer is shown as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import redis
from django.conf import settings

from exchange.assets import prices
from exchange.assets import selectors as assets
from exchange.ledger.selectors import stops
from trading import selectors as trading
from wallets import selectors as wallets

PRICE_FRESH_S = 120
CHECK_FRESH_S = 120
_VALKEY_LIMIT_S = 1.0


@dataclass(frozen=True, slots=True)
class NetworkLine:
    name: str
    health: wallets.NetworkHealthView
    checked_age_s: int | None
    word: str


@dataclass(frozen=True, slots=True)
class MarketLine:
    symbol: str
    state: str
    matching: bool


@dataclass(frozen=True, slots=True)
class PriceLine:
    code: str
    age_s: int
    fresh: bool
    source: str


@dataclass(frozen=True, slots=True)
class Board:
    networks: tuple[NetworkLine, ...]
    markets: tuple[MarketLine, ...]
    prices: tuple[PriceLine, ...]
    withdrawals_stopped: bool
    now: datetime

    @property
    def troubles(self) -> int:
        """How many parts do not do what they should."""
        return (
            sum(line.word != "ok" for line in self.networks)
            + sum(not line.matching for line in self.markets)
            + sum(not line.fresh for line in self.prices)
            + self.withdrawals_stopped
        )


def board(*, now: datetime) -> Board:
    """The whole status page. Five queries and one round trip to Valkey."""
    names = {network.code: network.name for network in assets.networks()}
    markets = trading.markets()
    leading = _leading({market.shard for market in markets})
    return Board(
        networks=tuple(_network(health, names, now) for health in wallets.networks()),
        markets=tuple(MarketLine(each.symbol, each.state, each.shard in leading) for each in markets),
        prices=tuple(_price(price, now) for price in prices.latest()),
        withdrawals_stopped=stops.is_stopped("withdrawals"),
        now=now,
    )


def answers(health: wallets.NetworkHealthView, now: datetime) -> bool:
    """A network that works as far as we know, and we looked lately: nobody watching is no better than a node that is down."""
    if not health.ok or health.halted or health.checked_at is None:
        return False
    return (now - health.checked_at).total_seconds() <= CHECK_FRESH_S


def silent(now: datetime) -> tuple[wallets.NetworkHealthView, ...]:
    """The networks where deposits and withdrawals wait at the moment. Three queries."""
    return tuple(each for each in wallets.networks() if not answers(each, now))


def _network(health: wallets.NetworkHealthView, names: dict[str, str], now: datetime) -> NetworkLine:
    checked = int((now - health.checked_at).total_seconds()) if health.checked_at else None
    if health.halted:
        word = "halted"
    elif checked is None:
        word = "unknown"
    elif not health.ok:
        word = "disputed" if any(source.disagrees for source in health.sources) else "down"
    elif not answers(health, now):
        word = "late"
    else:
        word = "degraded" if health.degraded else "ok"
    return NetworkLine(names.get(health.network, health.network), health, checked, word)


def _price(price: prices.Price, now: datetime) -> PriceLine:
    age = max(0, int((now - price.as_of).total_seconds()))
    return PriceLine(price.code, age, age <= PRICE_FRESH_S, price.source)


def _leading(shards: set[int]) -> set[int]:
    """The shards whose engine renewed its heartbeat; none when Valkey does not answer."""
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=_VALKEY_LIMIT_S, socket_connect_timeout=_VALKEY_LIMIT_S
    )
    try:
        return {shard for shard in shards if client.exists(f"engine:{shard}:leader")}
    except redis.RedisError:
        return set()
    finally:
        client.close()
