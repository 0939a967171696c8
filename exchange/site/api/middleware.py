"""Around every request under /api/: the limit by address, the limits' headers, and the error shape for what Django answers
by itself (an address that is none, a refused host, a fault in a view).

Stands first among the middleware, so that nothing is outside it. What must never happen here: a page of HTML for a program.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from exchange.accounts.api import addresses
from exchange.site.api import errors, limits, problems

PREFIX = "/api/"


class ApiMiddleware:
    """Both ways, so that the order path never leaves the event loop for it."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.__acall__(request)
        if not request.path_info.startswith(PREFIX):
            return self.get_response(request)
        try:
            limits.spend(request, "address", addresses.of_request(request))
            response = self.get_response(request)
        except limits.Refused as refused:
            response = errors.response(refused)
        return _finished(request, response)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(PREFIX):
            return await self.get_response(request)
        try:
            await limits.aspend(request, "address", addresses.of_request(request))
            response = await self.get_response(request)
        except limits.Refused as refused:
            response = errors.response(refused)
        return _finished(request, response)


def _finished(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    if response.status_code >= 400 and not response.get("Content-Type", "").startswith(errors.JSON):
        response = errors.response(problems.of_status(response.status_code))
    limits.tell(request, response)
    response.setdefault("Cache-Control", "no-store")
    return response
