"""How often, for HTTP: the buckets of `accounts.api.admission` for requests, and the headers that tell what is left.

The standard headers RateLimit-Limit, RateLimit-Remaining and RateLimit-Reset are of the tightest bucket; a refusal has
Retry-After. What must never happen here: a limit that money's safety rests on. When Valkey is away, requests go through.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import redis
import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from exchange.accounts.api import admission
from exchange.accounts.api.admission import Spent

log = structlog.get_logger(__name__)


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=1.0)


def spend(request: HttpRequest, name: str, who: str | int) -> None:
    """Take one request from the bucket `name` of `who`, in a thread; raises Refused when it is empty."""
    bucket = admission.bucket(name, who)
    try:
        answer = _client(settings.REDIS_URL).eval(admission.ADMIT, 1, bucket.key, *admission.arguments([bucket]))
    except (RedisError, OSError) as error:
        log.warning("limits cannot be counted", error=str(error))
        return
    with Noted(request):
        note(request, admission.judged(answer, [bucket]))


async def aspend(request: HttpRequest, name: str, who: str | int) -> None:
    """The same on the event loop."""
    with Noted(request):
        note(request, await admission.spend(admission.bucket(name, who)))


class Noted:
    """Notes what a refusal told, so that its answer has the headers too."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, admission.Refused):
            note(self.request, error.spent)


def note(request: HttpRequest, spent: Spent | None) -> None:
    """Remember the tightest bucket that this request met."""
    tightest = getattr(request, "_bourse_spent", None)
    if spent is not None and (tightest is None or not spent.allowed or spent.remaining < tightest.remaining):
        request._bourse_spent = spent  # type: ignore[attr-defined]


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
