"""How often: a bucket for each address and each customer, kept in Valkey, so that all processes count together.

The bucket is the generic cell rate algorithm: one number a key, no window that can be spent twice at its edge. The standard
headers RateLimit-Limit, RateLimit-Remaining and RateLimit-Reset tell what is left; a refusal has Retry-After.
What must never happen here: a limit that money's safety rests on. When Valkey is away, requests go through.
"""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import dataclass
from functools import cache
from typing import Any

import redis
import redis.asyncio
import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from exchange.site.api.problems import RateLimited
from exchange.site.api.settings import API_LIMITS

log = structlog.get_logger(__name__)
REFUSED = Counter("bourse_api_rate_limited_total", "Requests refused by a limit.", ["limit"])

# KEYS[1]: the bucket. ARGV: interval between two requests and capacity as time, both in microseconds.
_SPEND = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local interval, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
if full_at + interval - now > capacity then
  return {0, 0, full_at - now, full_at + interval - now - capacity}
end
full_at = full_at + interval
redis.call('SET', KEYS[1], string.format('%d', full_at), 'PX', math.ceil((full_at - now) / 1000) + 1)
return {1, math.floor((capacity - (full_at - now)) / interval), full_at - now, 0}
"""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a bucket said of one request. Seconds are rounded up."""

    allowed: bool
    limit: int
    remaining: int
    reset_s: int
    retry_s: int


class Refused(RateLimited):
    """With the seconds to wait."""

    def __init__(self, spent: Spent) -> None:
        super().__init__(f"Too many requests. Please try again in {spent.retry_s} s.")
        self.wait = spent.retry_s


def _bucket(name: str, who: str | int) -> tuple[str, int, int, int]:
    count, period_s = {**API_LIMITS, **getattr(settings, "API_LIMITS", {})}[name]
    interval = period_s * 1_000_000 // count
    return f"limit:{name}:{who}", interval, interval * count, count


def _judged(answer: Any, *, count: int) -> Spent:
    allowed, remaining, reset, retry = (int(value) for value in answer)
    return Spent(bool(allowed), count, remaining, -(-reset // 1_000_000), -(-retry // 1_000_000))


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=1.0)


CONNECTIONS_MAX = 32
_async_clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = weakref.WeakKeyDictionary()


def _async_client(url: str) -> redis.asyncio.Redis:
    loop = asyncio.get_running_loop()
    if (client := _async_clients.get(loop)) is None:
        # A pool that waits: one that fails when its connections are all in use would let a crowd pass uncounted.
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url, socket_timeout=1.0, max_connections=CONNECTIONS_MAX, timeout=1.0
        )
        client = _async_clients[loop] = redis.asyncio.Redis(connection_pool=pool)
    return client


def spend(request: HttpRequest, name: str, who: str | int) -> None:
    """Take one request from the bucket `name` of `who`; raises Refused when it is empty."""
    key, interval, capacity, count = _bucket(name, who)
    try:
        answer = _client(settings.REDIS_URL).eval(_SPEND, 1, key, interval, capacity)
    except (RedisError, OSError) as error:
        log.warning("limits cannot be counted", error=str(error))
        return
    _settle(request, name, _judged(answer, count=count))


async def aspend(request: HttpRequest, *names: str, who: str | int) -> None:
    """The same on the event loop, for one bucket or several of the same `who` in one round trip."""
    buckets = [_bucket(name, who) for name in names]
    try:
        pipeline = _async_client(settings.REDIS_URL).pipeline(transaction=False)
        for key, interval, capacity, _ in buckets:
            pipeline.eval(_SPEND, 1, key, interval, capacity)
        answers = await pipeline.execute()
    except (RedisError, OSError) as error:
        log.warning("limits cannot be counted", error=str(error))
        return
    for name, answer, (_, _, _, count) in zip(names, answers, buckets, strict=True):
        _settle(request, name, _judged(answer, count=count))


def _settle(request: HttpRequest, name: str, spent: Spent) -> None:
    tightest = getattr(request, "_bourse_spent", None)
    if tightest is None or not spent.allowed or spent.remaining < tightest.remaining:
        request._bourse_spent = spent  # type: ignore[attr-defined]
    if not spent.allowed:
        REFUSED.labels(name).inc()
        raise Refused(spent)


def tell(request: HttpRequest, response: HttpResponse) -> None:
    """Write the tightest bucket's headers."""
    spent = getattr(request, "_bourse_spent", None)
    if spent is not None:
        response["RateLimit-Limit"] = str(spent.limit)
        response["RateLimit-Remaining"] = str(spent.remaining)
        response["RateLimit-Reset"] = str(spent.reset_s)


class ByCustomer(BaseThrottle):
    """REST framework's door to the buckets: one for each customer, and one more where the view names it (`limit = "…"`)."""

    def allow_request(self, request: Request, view: Any) -> bool:
        identity = request.auth
        if identity is not None:
            spend(request._request, "customer", identity.user_id)
            name = getattr(view, "limit", None)
            if name is not None and request.method == "POST":
                spend(request._request, name, identity.user_id)
        return True
