"""Around every request under /_allauth/, where mobile apps sign up and log in: the limit by address, and answers that a program
can read.

What must never happen here: a page of HTML for a program; an address that may guess more often here than elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from exchange.accounts.api import addresses
from exchange.core.errors import DomainError
from exchange.site import maintenance
from exchange.site.api import limits

PREFIX = "/_allauth/"
JSON = "application/json"
# What allauth answers with a number alone, in words. 401 is no error: it says which step comes next.
_WORDS = {
    400: (
        "request_invalid",
        "The request is not as it should be: a JSON object, with the fields that the address takes.",
    ),
    403: ("forbidden", "This is not open to you."),
    404: ("not_found", "There is no such address."),
    405: ("method_not_allowed", "This address does not take that method."),
    409: ("conflict", "That does not fit the state of this session: log out first, or begin the flow again."),
    410: ("session_token_invalid", "The session token is not valid, or its session has ended. Log in again."),
    413: ("body_too_large", "The body is too large."),
    429: ("rate_limited", "Too many requests. Wait a while."),
    500: ("internal_error", "Something broke on our side. It was recorded."),
    503: ("unavailable", "A part of the exchange is not reachable. Try again in a moment."),
}


def serves(request: HttpRequest) -> bool:
    return request.path_info.startswith(PREFIX)


def error(status: int, *, code: str = "", message: str = "", param: str | None = None) -> HttpResponse:
    """An error in the shape that allauth's own have: status, and errors with code, message and perhaps param."""
    known = _WORDS.get(status, _WORDS[400 if status < 500 else 500])
    entry = {"code": code or known[0], "message": message or known[1]}
    if param is not None:
        entry["param"] = param
    return JsonResponse({"status": status, "errors": [entry]}, status=status)


def of(refused: DomainError) -> HttpResponse:
    """The same for an error of the domain."""
    answer = error(refused.status, code=refused.code, message=refused.message, param=refused.param)
    if wait := getattr(refused, "wait", None):
        answer["Retry-After"] = str(wait)
    return answer


class HeadlessMiddleware:
    """Both ways, as the others are."""

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
        if not serves(request):
            return self.get_response(request)
        try:
            maintenance.check()
            limits.spend(request, "address", addresses.of_request(request))
            response = self.get_response(request)
        except DomainError as refused:
            response = of(refused)
        return self._finish(request, response)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        if not serves(request):
            return await self.get_response(request)
        try:
            maintenance.check()
            await limits.aspend(request, "address", who=addresses.of_request(request))
            response = await self.get_response(request)
        except DomainError as refused:
            response = of(refused)
        return self._finish(request, response)

    def _finish(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if response.status_code >= 400 and response.status_code != 401:
            response = _readable(response)
        if response.status_code == 429:
            response.setdefault("Retry-After", "60")
        limits.tell(request, response)
        response["Cache-Control"] = "no-store"
        return response


def _readable(response: HttpResponse) -> HttpResponse:
    """With words, where it has none."""
    if not response.get("Content-Type", "").startswith(JSON):
        return error(response.status_code)
    said = json.loads(response.content or b"{}")
    not_set_up = response.status_code == 404 and "meta" in said  # and what it takes to do so
    if said.get("errors") or not_set_up:
        return response
    code, message = _WORDS.get(response.status_code, _WORDS[400])
    response.content = json.dumps({**said, "errors": [{"code": code, "message": message}]}).encode()
    response["Content-Length"] = str(len(response.content))
    return response
