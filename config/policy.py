"""The content policy's one exception: the back office, whose theme builds functions and styles at run time.

What must never happen here: an exception for a page that a customer can reach. Only paths under ADMIN_PATH get it, and
only staff are served anything there but the log-in form.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse

ADMIN_PATH = "/admin/"
ADMIN_NEEDS = {"script-src": ["'unsafe-eval'"], "style-src": ["'unsafe-inline'"]}


class AdminContentPolicy:
    """Stands inside django-csp's middleware, which reads what is left on the response."""

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
        return _relax(request, self.get_response(request))

    async def _acall(self, request: HttpRequest) -> HttpResponse:
        return _relax(request, await self.get_response(request))


def _relax(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    if request.path_info.startswith(ADMIN_PATH):
        response._csp_update = ADMIN_NEEDS  # type: ignore[attr-defined]
    return response
