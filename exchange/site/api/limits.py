"""How often, for HTTP: the buckets of `accounts.api.buckets` for requests, and the headers that tell what is left.

`RateLimit-Policy` names the limits that a request counted against, `RateLimit` what is left of each (draft 10 of the IETF's
RateLimit header fields); a refusal has Retry-After. What must never happen here: a limit that money's safety rests on. When
Valkey is away, requests go through.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import redis
import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from exchange.accounts.api import buckets
from exchange.accounts.api.buckets import Spent

log = structlog.get_logger(__name__)
_NOTHING: dict[str, Spent] = {}


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=1.0)


def spend(request: HttpRequest, name: str, who: str | int) -> None:
    """Take one request from the bucket `name` of `who`, in a thread; raises Refused when it is empty."""
    bucket = buckets.bucket(name, who)
    try:
        answer = _client(settings.REDIS_URL).eval(buckets.TEXT, 1, bucket.key, *buckets.arguments([bucket]))
    except (RedisError, OSError) as error:
        log.warning("limits cannot be counted", error=str(error))
        return
    with Noted(request):
        note(request, buckets.judged(answer, [bucket]))


async def aspend(request: HttpRequest, name: str, who: str | int) -> None:
    """The same on the event loop."""
    with Noted(request):
        note(request, await buckets.spend(buckets.bucket(name, who)))


class Noted:
    """Notes what a refusal told, so that its answer has the headers too."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, buckets.Refused):
            note(self.request, error.all_spent)


def note(request: HttpRequest, spent: Sequence[Spent]) -> None:
    """Remember the buckets that this request met."""
    noted = request.__dict__.setdefault("_bourse_spent", {})
    for each in spent:
        noted[each.bucket.name] = each


def tell(request: HttpRequest, response: HttpResponse) -> None:
    """Write what they said, the tightest first."""
    noted: dict[str, Spent] = request.__dict__.get("_bourse_spent", _NOTHING)
    if noted:
        order = sorted(noted.values(), key=lambda each: each.remaining)
        response["RateLimit-Policy"] = ", ".join(
            [f'"{each.bucket.name}";q={each.bucket.most};w={each.bucket.period_s}' for each in order]
        )
        response["RateLimit"] = ", ".join(
            [f'"{each.bucket.name}";r={each.remaining};t={each.reset_s}' for each in order]
        )


class ByCustomer(BaseThrottle):
    """REST framework's door to the buckets: one for each customer, and one more where the view names it (`limit = "…"`)."""

    def allow_request(self, request: Request, view: Any) -> bool:
        identity = request.auth
        if identity is not None:
            if identity.by != "key":  # a key's requests were counted as it was checked
                spend(request._request, "customer", identity.user_id)
            name = getattr(view, "limit", None)
            if name is not None and request.method == "POST":
                spend(request._request, name, identity.user_id)
        return True
