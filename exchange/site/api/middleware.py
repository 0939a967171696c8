"""Around every request under /api/: host and https, the limit by address, the limits' headers, and the error shape for what
Django answers by itself (an address that is none, a fault in a view).

Stands first among the middleware, so that nothing is outside it; on the API's own way (handler.py) it is the only one.
What must never happen here: a page of HTML for a program.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.security import SecurityMiddleware

from exchange.accounts.api import addresses
from exchange.core.errors import DomainError
from exchange.site.api import errors, limits, problems

PREFIX = "/api/"


class ApiMiddleware:
    """Both ways, so that the order path never leaves the event loop for it."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.security = SecurityMiddleware(get_response)  # asked, not chained: it computes, and need not leave the loop
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.__acall__(request)
        if not request.path_info.startswith(PREFIX):
            return self.get_response(request)
        try:
            self._admit(request)
            limits.spend(request, "address", addresses.of_request(request))
            response = self.get_response(request)
        except DomainError as refused:
            response = errors.response(refused)
        return self._finish(request, response)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(PREFIX):
            return await self.get_response(request)
        try:
            self._admit(request)
            if not self._counts_itself(request):
                await limits.aspend(request, "address", who=addresses.of_request(request))
            response = await self.get_response(request)
        except DomainError as refused:
            response = errors.response(refused)
        return self._finish(request, response)

    @staticmethod
    def _counts_itself(request: HttpRequest) -> bool:
        """Does the view count the address with all else in one round trip? Known on the API's own way alone."""
        match = request.resolver_match
        return match is not None and request.method in getattr(match.func, "counts_itself", ())

    def _admit(self, request: HttpRequest) -> None:
        try:
            request.get_host()
        except DisallowedHost:
            raise problems.of_status(400) from None
        if self.security.process_request(request) is not None:
            # No redirect: a token that was sent in the clear once would be sent so each time, and nobody would notice.
            raise problems.HttpsRequired("Please use https.")

    def _finish(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if response.status_code >= 400 and not response.get("Content-Type", "").startswith(errors.JSON):
            response = errors.response(problems.of_status(response.status_code))
        limits.tell(request, response)
        response.setdefault("Cache-Control", "no-store")
        return self.security.process_response(request, response)
