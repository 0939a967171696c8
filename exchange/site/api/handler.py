"""The API's own way through Django: the same views and addresses, without the pages' middleware.

Django runs each of the pages' middleware classes in a thread and back, about fifteen times a request; the API needs none of
them, because it logs in, checks CSRF and shapes errors itself. `ApiMiddleware` does what is left of theirs: host and https.
What must never happen here: a page. The API's documentation is one, and goes the pages' way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.exception import convert_exception_to_response
from django.urls import reverse
from django.utils.module_loading import import_string

PREFIX = "/api/"
MIDDLEWARE = ["config.health.RequestMetrics", "exchange.site.api.middleware.ApiMiddleware"]
Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class ApiHandler(ASGIHandler):
    """Django's handler with a list of middleware of its own, all of them async."""

    def load_middleware(self, is_async: bool = False) -> None:
        self._view_middleware = []
        self._template_response_middleware = []
        self._exception_middleware = []
        handler = convert_exception_to_response(self._get_response_async)
        for name in reversed(MIDDLEWARE):
            handler = convert_exception_to_response(import_string(name)(handler))
        self._middleware_chain = handler

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Without Django's thread for each request: no view of ours runs there (they have threads that last)."""
        assert scope["type"] == "http"
        await self.handle(scope, receive, send)


class ApiBesidePages:
    """Sends each request its way, by its path alone."""

    def __init__(self, *, pages: Application) -> None:
        self.api, self.pages = ApiHandler(), pages
        self.documentation = reverse("api:docs")

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        path = scope["path"]
        api = path.startswith(PREFIX) and path != self.documentation
        await (self.api if api else self.pages)(scope, receive, send)
