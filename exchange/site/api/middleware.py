"""Around every request under /api/: host and https, an API key's signature, the limit by address, the limits' headers, and the
error shape for what Django answers by itself (an address that is none, a fault in a view).

Stands first among the middleware, so that nothing is outside it; on the API's own way (handler.py) it is the only one.
What must never happen here: a page of HTML for a program.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import async_to_sync, iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.security import SecurityMiddleware

from exchange.accounts.api import addresses, admission, signing
from exchange.accounts.api.authentication import Credentials, Holder, Identity
from exchange.core.errors import DomainError
from exchange.outbox import valkey
from exchange.site import maintenance
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
            if not async_to_sync(self._by_key_alone)(request):
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
            if not self._counts_itself(request) and not await self._by_key(request):
                await limits.aspend(request, "address", who=addresses.of_request(request))
            response = await self.get_response(request)
        except DomainError as refused:
            response = errors.response(refused)
        return self._finish(request, response)

    @staticmethod
    async def _by_key(request: HttpRequest) -> bool:
        """Whether it is signed by an API key; then it was checked and counted. Raises KeyInvalid and its kin, Refused."""
        signed = signing.of_request(request)
        if signed is None:
            return False
        with limits.Noted(request):
            known, spent = await admission.admit(
                Credentials(signed.key_id, "key"),
                "customer",
                address=addresses.of_request(request),
                signed=signed,
                write=request.method not in ("GET", "HEAD", "OPTIONS"),
            )
        limits.note(request, spent)
        if known is None:
            raise signing.KeyInvalid
        request._bourse_identity = Identity(  # type: ignore[attr-defined]
            user=Holder(known.user_id), user_id=known.user_id, by="key", key_id=signed.key_id, scopes=known.scopes
        )
        return True

    async def _by_key_alone(self, request: HttpRequest) -> bool:
        """The same in a loop of its own, where the server has none."""
        try:
            return await self._by_key(request)
        finally:
            valkey.close()

    @staticmethod
    def _counts_itself(request: HttpRequest) -> bool:
        """Does the view count the address with all else in one round trip? Known on the API's own way alone."""
        match = request.resolver_match
        return match is not None and request.method in getattr(match.func, "counts_itself", ())

    def _admit(self, request: HttpRequest) -> None:
        maintenance.check()
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
