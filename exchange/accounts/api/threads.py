"""A few threads whose database connections stay open, for reads and views that an event loop waits for.

Django gives each request a thread of its own and each thread a connection of its own, which is made and thrown away with it:
under ASGI that costs more than the queries do. Here a fixed number of threads is shared, and so is the number of connections.
What must never happen here: work that waits for the event loop (it would wait for its own thread), or a connection that is
broken used twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import Any

from asgiref.sync import SyncToAsync
from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse

VIEW_THREADS = 8
ASKED_AFTER_S = 1.0
_local = threading.local()
_views = ThreadPoolExecutor(max_workers=VIEW_THREADS, thread_name_prefix="api")


def _with_open_connection(work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    idle_s = time.monotonic() - getattr(_local, "used_at", 0.0)
    for connection in connections.all(initialized_only=True):
        connection.close_at = None  # not at the end of a request: this thread serves many
        # Asked whether it still stands before it is used after a pause, so that a database's restart fails nobody.
        connection.health_check_enabled = idle_s > getattr(settings, "KEPT_CONNECTIONS_ASKED_AFTER_S", ASKED_AFTER_S)
        connection.close_if_unusable_or_obsolete()
    try:
        return work(*arguments, **named)
    finally:
        _local.used_at = time.monotonic()


async def run(work: Callable[..., Any], *arguments: Any, executor: ThreadPoolExecutor = _views, **named: Any) -> Any:
    """Run blocking work in one of the threads and wait for it."""
    call = SyncToAsync(_with_open_connection, thread_sensitive=False, executor=executor)
    return await call(work, *arguments, **named)


def threaded(view: Callable[..., HttpResponse]) -> Callable[..., Any]:
    """A blocking view as an async one. Its answer is rendered in the thread, so that Django needs no other thread for that."""

    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if not hasattr(response, "render"):
            return response
        return HttpResponse(response.render().content, status=response.status_code, headers=dict(response.headers))

    @wraps(view)
    async def waited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return await run(answered, request, *args, **kwargs)

    return waited
