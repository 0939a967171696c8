"""Tells whoever listens right now: publishes to Valkey once the transaction has committed.

Lossy on purpose: nobody may depend on a message for anything but speed, for the truth is in the database and whoever
missed a message asks there. What must never happen here: an error of Valkey's that reaches the caller, whose work is done.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import redis
import structlog
from django.conf import settings
from django.db import transaction

log = structlog.get_logger(__name__)


def publish(*, channel: str, message: dict[str, Any]) -> None:
    """Sends a JSON message after the commit, or at once outside a transaction."""
    transaction.on_commit(lambda: _send(channel, json.dumps(message, separators=(",", ":"))), robust=True)


def _send(channel: str, text: str) -> None:
    try:
        _client(settings.REDIS_URL).publish(channel, text)
    except redis.RedisError as error:
        log.warning("live.publish_failed", channel=channel, error=type(error).__name__)


@lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis:
    """One pool of connections for each address; the client is safe to share between threads."""
    return redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
