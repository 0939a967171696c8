"""In which language a page is written: what the customer chose, else the browser's cookie, else what the browser asks for.

The API speaks English with stable codes whatever the browser asks for, and the back office speaks English alone. What must never
happen here: a page in one person's language out of a cache for another (Vary), or a page that fails because the database, which
knows the choice, does not answer.
"""

from __future__ import annotations

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin

APPS = "/_allauth/"  # apps' flows: who is asking is not the cookie's to say, so the user behind it is not looked at
ENGLISH_ALONE = ("/api/", "/admin/", "/metrics", "/livez", "/readyz", "/hooks/")
DOCUMENTATION = "/api/v1/docs"  # a page as well, around words in English
KNOWN = frozenset(code for code, _ in settings.LANGUAGES)


class PagesInTheReadersLanguage(MiddlewareMixin):
    """Stands behind the middleware that knows the user. What was active before is active again behind it."""

    def process_request(self, request: HttpRequest) -> None:
        request._language_before = translation.get_language()  # type: ignore[attr-defined]
        language = of(request)
        translation.activate(language)
        request.LANGUAGE_CODE = language

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        before = getattr(request, "_language_before", None)
        if not in_english_alone(request):
            patch_vary_headers(response, ("Accept-Language", "Cookie"))
            response.headers.setdefault("Content-Language", request.LANGUAGE_CODE)
        translation.activate(before or settings.LANGUAGE_CODE)
        return response


def in_english_alone(request: HttpRequest) -> bool:
    path = request.path_info
    return path.startswith(ENGLISH_ALONE) and path.rstrip("/") != DOCUMENTATION


def of(request: HttpRequest) -> str:
    """The language that this request is answered in."""
    if in_english_alone(request):
        return settings.LANGUAGE_CODE
    if request.path_info.startswith(APPS):
        return translation.get_language_from_request(request)
    return _chosen(request) or translation.get_language_from_request(request)


def remember(response: HttpResponse, language: str) -> None:
    """Gives the browser the cookie of its choice, so that it holds before a log-in as well."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
    )


def _chosen(request: HttpRequest) -> str:
    """What the customer stored; nothing for a guest, and nothing while the database is away."""
    user = getattr(request, "user", None)
    try:
        language = user.language if user is not None and user.is_authenticated else ""
    except (OperationalError, InterfaceError):
        return ""
    return language if language in KNOWN else ""
