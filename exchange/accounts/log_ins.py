"""A log-in that has ended, told to every process that may still trust it.

Whoever answers many requests of one log-in a second does not read it from the database each time (`api.admission`). So its end
leaves a mark in Valkey, a number that grows, under the session's name or the customer's; the mark is looked at with every
request, in the same round trip as the limits. Marked are: a session's row that goes (log-out, ended from afar, renewed), and a
user whose password changes or whose account is closed.
What must never happen here: a session's key in Valkey (who reads it there could log in), or a failure that stops a log-out.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import redis
import structlog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from exchange.accounts.models import User

log = structlog.get_logger(__name__)
MARK_KEPT_S = 120  # far longer than any process trusts what it has read
_OF_NO_CONSEQUENCE = frozenset({"last_login", "display_name", "language"})


def session_mark(session_key: str) -> str:
    return f"log-in-ended:session:{hashlib.sha256(session_key.encode()).hexdigest()[:40]}"


def user_mark(user_id: int) -> str:
    return f"log-in-ended:user:{user_id}"


def key_mark(key_id: str) -> str:
    return f"log-in-ended:key:{key_id}"


def ended(mark: str) -> None:
    """Leaves the mark when the transaction stands."""
    _mark_after_commit(mark)


@receiver(post_delete, sender=Session)
def session_went(sender: Any, instance: Session, **kwargs: Any) -> None:
    _mark_after_commit(session_mark(instance.session_key))


@receiver(post_save, sender=User)
def user_changed(sender: Any, instance: User, created: bool, update_fields: Any = None, **kwargs: Any) -> None:
    if not created and not (update_fields is not None and _OF_NO_CONSEQUENCE.issuperset(update_fields)):
        _mark_after_commit(user_mark(instance.pk))


@receiver(post_delete, sender=User)
def user_went(sender: Any, instance: User, **kwargs: Any) -> None:
    _mark_after_commit(user_mark(instance.pk))


def read_again(user_id: int) -> None:
    """What a log-in may do has changed: whoever trusts what he read of it reads it anew, once this transaction is committed."""
    _mark_after_commit(user_mark(user_id))


def _mark_after_commit(key: str) -> None:
    transaction.on_commit(lambda: _mark(key), robust=True)


def _mark(key: str) -> None:
    try:
        pipeline = _client(settings.REDIS_URL).pipeline(transaction=True)
        pipeline.incr(key)
        pipeline.expire(key, MARK_KEPT_S)
        pipeline.execute()
    except (redis.RedisError, OSError) as error:
        log.error("the end of a log-in could not be told; it is trusted some seconds longer", error=str(error))


@lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)
