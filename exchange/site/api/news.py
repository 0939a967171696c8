"""Money that moved outside the engine, told to the sockets of whoever it belongs to.

The engine publishes what it did itself; deposits and withdrawals come from the outbox. The message names no amount: sockets
read the balances again, so a delivery that comes late or twice shows nothing that is not so.
What must never happen here: a failure that keeps other readers' news back for long. Valkey being away is raised, and the
outbox tries again later.
"""

from __future__ import annotations

from functools import cache

import orjson
import redis
from django.conf import settings

from exchange.outbox import registry

TOPICS = (
    "wallets.deposit_credited",
    "wallets.deposit_orphaned",
    "wallets.withdrawal_review",
    "wallets.withdrawal_approved",
    "wallets.withdrawal_cancelled",
    "wallets.withdrawal_refused",
    "wallets.withdrawal_final",
    "fiat.deposit_credited",
)
_MESSAGE = orjson.dumps({"type": "balances_changed"})


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)


def publish(event: registry.Event) -> None:
    """Wakes the sockets of the event's customer; the house's own coins have none."""
    user_id = event.payload.get("user_id")
    if user_id is not None:
        _client(settings.REDIS_URL).publish(f"user:{int(user_id)}", _MESSAGE)


def register() -> None:
    """For AppConfig.ready()."""
    for topic in TOPICS:
        registry.reader(topic, name=f"site.balances:{topic}")(publish)
