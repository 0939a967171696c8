"""The API's own way through Django: the same requests, views and addresses, without the pages' middleware.

Django runs each of the pages' middleware classes in a thread and back, about fifteen times a request, two more times for the
signals around it, and once more to close the answer; the API needs none of them, because it logs in, checks CSRF and shapes
errors itself, and its threads keep their database connections (`accounts.api.threads`). What is left of theirs, host and https,
is `ApiMiddleware`'s. A client that hangs up does not take its request back: an order on its way is done and answered to nobody.
What must never happen here: a page. The API's documentation is one, and goes the pages' way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, get_resolver, reverse
from django.utils.module_loading import import_string

from exchange.site.api import errors, problems

PREFIX = "/api/"
MIDDLEWARE = ["config.health.RequestMetrics", "exchange.site.api.middleware.ApiMiddleware"]
Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class ApiHandler(ASGIHandler):
    """Django's handler with a list of middleware of its own, all of them async."""

    def load_middleware(self, is_async: bool = False) -> None:
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        self._resolver = get_resolver(settings.ROOT_URLCONF)
        self._matches: dict[str, ResolverMatch] = {}  # of addresses without a part that varies
        handler = convert_exception_to_response(_viewed)
        for name in reversed(MIDDLEWARE):
            handler = convert_exception_to_response(import_string(name)(handler))
        self._middleware_chain = handler

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        body = await _body(receive)
        if body is None:
            return
        try:
            request = ASGIRequest(scope, BytesIO(body))
        except UnicodeDecodeError:
            await _send(errors.response(problems.of_status(400)), send)
            return
        request._body = body
        request.resolver_match = self._match(request.path_info)
        await _send(await self._middleware_chain(request), send)

    def _match(self, path: str) -> ResolverMatch | None:
        """Which view it is for. What stands in no table of ours is no view's, and told so after the same checks."""
        if (found := self._matches.get(path)) is not None:
            return found
        try:
            found = self._resolver.resolve(path)
        except Resolver404:
            return None
        if found.url_name is not None and not found.kwargs:
            self._matches[path] = found
        return found


class ApiBesidePages:
    """Sends each request its way, by its path alone."""

    def __init__(self, *, pages: Application) -> None:
        self.api, self.pages = ApiHandler(), pages
        self.documentation = reverse("api:docs")

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        path = scope["path"]
        api = path.startswith(PREFIX) and path != self.documentation
        await (self.api if api else self.pages)(scope, receive, send)


async def _viewed(request: HttpRequest) -> HttpResponse:
    match = request.resolver_match
    if match is None:
        return await errors.not_found(request)
    return await match.func(request, *match.args, **match.kwargs)


async def _body(receive: Any) -> bytes | None:
    """The whole body, which BodyLimit bounds; None where the client has gone."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def _send(response: HttpResponse, send: Any) -> None:
    headers = [(name.encode("ascii"), value.encode("latin1")) for name, value in response.items()]
    headers += [(b"Set-Cookie", morsel.OutputString().encode("ascii")) for morsel in response.cookies.values()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})
