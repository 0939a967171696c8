"""Gives a browser that has logged in the cookie it is known by, and writes down when a log-in was last used.

What must never happen here: a write with each request. A session's last use is noted once in five minutes by each process.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from exchange.accounts.services import sessions


class KnownBrowser(MiddlewareMixin):
    """Stands within the session's and allauth's middleware, around every page and the flows of the apps."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        cookie = getattr(request, "_bourse_device_cookie", "")
        if cookie:
            response.set_cookie(
                settings.DEVICE_COOKIE_NAME,
                cookie,
                max_age=settings.DEVICE_COOKIE_AGE,
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        # Only where somebody has asked who is there: this asks nobody.
        user = getattr(request, "_cached_user", None)
        if user is not None and user.is_authenticated and request.session.session_key:
            sessions.used(session_key=request.session.session_key, now=timezone.now())
        return response
