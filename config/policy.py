"""The content policy's one exception: the back office, whose theme builds functions at run time.

Its colours stand in a style sheet of ours (static/public/back-office.css); the theme would write them into each page.

What must never happen here: an exception for a page that a customer can reach. Only paths under ADMIN_PATH get it, and
only staff are served anything there but the log-in form.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static

ADMIN_PATH = "/admin/"
# What the theme's htmx puts into the head when it starts, to the letter.
HTMX_STYLE = (
    "      .htmx-indicator{opacity:0}      .htmx-request .htmx-indicator{opacity:1; transition: opacity 200ms ease-in;}"
    "      .htmx-request.htmx-indicator{opacity:1; transition: opacity 200ms ease-in;}      "
)
ADMIN_NEEDS = {
    "script-src": ["'unsafe-eval'"],
    "style-src": [f"'sha256-{base64.b64encode(hashlib.sha256(HTMX_STYLE.encode()).digest()).decode()}'"],
}


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


def no_colours(request: HttpRequest) -> dict[str, dict[str, str]]:
    """For Unfold's COLORS: nothing that would be written into a page."""
    return {}


def back_office_style(request: HttpRequest) -> str:
    """For Unfold's STYLES."""
    return static("back-office.css")


def back_office_pages_style(request: HttpRequest) -> str:
    """For Unfold's STYLES: what our own pages of the back office look like."""
    return static("back-office-pages.css")
