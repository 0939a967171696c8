"""The one error shape, whatever went wrong: our own errors, REST framework's, Django's, and what nobody foresaw.

What must never happen here: an answer under /api/ that a program cannot read, or one that tells a stranger how we are built.
"""

from __future__ import annotations

from typing import Any

import orjson
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from exchange.accounts.api.serializers import FieldInvalid
from exchange.core import errors
from exchange.site.api.problems import MalformedJson, of_status

JSON = "application/json"


_FIELD_CODES = {
    "required": "field_required",
    "null": "field_required",
    "blank": "field_required",
    "invalid_choice": "choice_invalid",
    "max_length": "field_too_long",
    "amount_invalid": "amount_invalid",
}


def translated(error: Exception) -> errors.DomainError | None:
    """Our own error for one of REST framework's or Django's; None for what nobody foresaw."""
    if isinstance(error, errors.DomainError):
        return error
    if isinstance(error, exceptions.ValidationError):
        return _of_validation(error.detail, param=None)
    if isinstance(error, exceptions.ParseError):
        return MalformedJson("The body is not valid JSON.")
    if isinstance(error, Http404):
        return of_status(404)
    if isinstance(error, DjangoPermissionDenied):
        return of_status(403)
    if isinstance(error, exceptions.APIException) and error.status_code < 500:
        return of_status(error.status_code)
    return None


def handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's exception handler."""
    known = translated(error)
    if known is None:
        return None
    set_rollback()
    return Response(errors.body(known), status=known.status, headers=headers(known, error))


def headers(known: errors.DomainError, error: Exception | None = None) -> dict[str, str]:
    """What HTTP wants beside the shape."""
    found = {}
    if known.status == 401:
        found["WWW-Authenticate"] = "Session"
    if known.status in (429, 503):
        wait = getattr(error, "wait", None)
        found["Retry-After"] = str(max(1, int(wait)) if wait else 1)
    return found


def response(known: errors.DomainError) -> HttpResponse:
    """The same outside REST framework."""
    return json(orjson.dumps(errors.body(known)), status=known.status, headers=headers(known, known))


def json(body: bytes, *, status: int, headers: dict[str, str] | None = None) -> HttpResponse:
    """A JSON answer whose length is told, so that it goes out in one piece."""
    told = {"Content-Type": JSON, "Content-Length": str(len(body)), **(headers or {})}
    return HttpResponse(body, status=status, headers=told)


async def not_found(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Every address under the API's root that is none."""
    return response(of_status(404))


def _of_validation(detail: Any, *, param: str | None) -> errors.DomainError:
    """The first fault, by the path of its field ("items.0.price")."""
    if isinstance(detail, dict):
        name, inner = next(iter(detail.items()))
        path = param if name == "non_field_errors" else f"{param}.{name}" if param else str(name)
        return _of_validation(inner, param=path)
    if isinstance(detail, list):
        for position, inner in enumerate(detail):
            if isinstance(inner, dict):
                if inner:
                    return _of_validation(inner, param=f"{param}.{position}")
                continue
            return _of_validation(inner, param=param)
    code = _FIELD_CODES.get(getattr(detail, "code", ""), "field_invalid")
    return FieldInvalid(str(detail), param=param, code=code)
