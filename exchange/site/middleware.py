"""Between the pages and the rooms beneath: an error of the domain becomes a page, never a traceback.

The API's own middleware answers for /api/; nothing here may touch its shape.
"""

from __future__ import annotations

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from exchange.core.errors import DomainError
from exchange.site import errors, headless


class DomainErrorPages(MiddlewareMixin):
    """A DomainError that leaves a page's view is shown with its own status, sentence and code."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if request.path.startswith("/api/"):
            return None
        if isinstance(exception, DomainError):
            return headless.of(exception) if headless.serves(request) else errors.of(request, exception)
        if isinstance(exception, OperationalError | InterfaceError):
            return headless.error(503) if headless.serves(request) else errors.unavailable(request)
        return None
