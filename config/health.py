"""What a load balancer and a monitor ask: alive, ready, figures. Nothing here may need a log-in, or tell a customer's data."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import prometheus_client
import redis
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

REQUESTS = prometheus_client.Histogram(
    "bourse_http_request_seconds", "Time to answer a request.", ["method", "view", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)  # fmt: skip


class RequestMetrics:
    """Counts and times requests by the name of their view, so that the number of label values stays bounded."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.asynchronous = iscoroutinefunction(get_response)
        if self.asynchronous:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        if self.asynchronous:
            return self._acall(request)
        started = time.perf_counter()
        return self._observed(request, self.get_response(request), started)

    async def _acall(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        return self._observed(request, await self.get_response(request), started)

    @staticmethod
    def _observed(request: HttpRequest, response: HttpResponse, started: float) -> HttpResponse:
        view = request.resolver_match.view_name if request.resolver_match else "unmatched"
        REQUESTS.labels(request.method, view, response.status_code).observe(time.perf_counter() - started)
        return response


def livez(request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nothing else, so that a broken database does not restart every web process."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> JsonResponse:
    """The process can serve: database and Valkey answer. 503 with the part that does not."""
    parts = {"database": _database_answers(), "valkey": _valkey_answers()}
    return JsonResponse({"ready": all(parts.values()), "parts": parts}, status=200 if all(parts.values()) else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text. Deployments keep this path to their own network: docs/operations.md says how."""
    return HttpResponse(prometheus_client.generate_latest(), content_type=prometheus_client.CONTENT_TYPE_LATEST)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _valkey_answers() -> bool:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
