"""What stands on every page: how many notifications are unread, and what is announced on top.

The count is asked for where the bell is drawn. Banners are remembered in the process for some seconds: most pages ask nobody.
What must never happen here: a page that fails because its banner cannot be read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.http import HttpRequest
from django.utils import timezone

from exchange.notifications import selectors

DISMISSED_COOKIE = "banner"

_lock = threading.Lock()
_remembered: tuple[float, list[selectors.Banner]] | None = None


def context(request: HttpRequest) -> dict[str, Any]:
    """Both are asked only where a template prints them."""
    return {"unread": cache(_unread_of(request)), "banner": cache(lambda: banner(request))}


def banner(request: HttpRequest) -> dict[str, Any] | None:
    """The newest that its reader has not closed."""
    closed = request.COOKIES.get(DISMISSED_COOKIE, "")
    now = timezone.now()
    for each in _standing():
        if each.until > now and str(each.id) != closed:
            title, summary = each.in_words()
            return {"id": each.id, "slug": each.slug, "kind": each.kind, "title": title, "summary": summary}
    return None


def _standing() -> list[selectors.Banner]:
    global _remembered
    with _lock:
        if _remembered is None or time.monotonic() - _remembered[0] >= settings.BANNER_REMEMBERED_S:
            try:
                with transaction.atomic():
                    rows = selectors.standing_banners(now=timezone.now())
            except DatabaseError:
                rows = []
            _remembered = (time.monotonic(), rows)
        return _remembered[1]


def _unread_of(request: HttpRequest) -> Callable[[], int]:
    def count() -> int:
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated:
            return 0
        return selectors.unread_count(user.pk, most=selectors.UNREAD_SHOWN_MAX + 1)

    return count
