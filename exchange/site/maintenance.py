"""A file that closes the site while the operator works on it: pages and the API answer 503, and say so.

Staff pages and the monitors' addresses stay open. What must never happen here: a look at the disk with each request (the
answer is remembered for a second), or a site that stays closed because a process remembers.
"""

from __future__ import annotations

import time
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from exchange.core.errors import Unavailable

OPEN = ("/admin/", "/livez", "/readyz", "/metrics", "/static/", "/api/", "/_allauth/")
_REMEMBERED_S = 1.0
_looked: dict[str, tuple[float, bool]] = {}


class Maintenance(Unavailable):
    code = "maintenance"


def on() -> bool:
    """Whether the file stands there."""
    path = settings.MAINTENANCE_FILE
    if not path:
        return False
    at, found = _looked.get(path, (-_REMEMBERED_S, False))
    if time.monotonic() - at >= _REMEMBERED_S:
        found = Path(path).exists()
        _looked[path] = (time.monotonic(), found)
    return found


def check() -> None:
    """For the API. Raises Maintenance."""
    if on():
        raise Maintenance("The exchange is closed for maintenance. Try again in some minutes.")


class ClosedForMaintenance(MiddlewareMixin):
    """Before the session: nothing is asked of a database that may be under repair."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        from exchange.site import errors

        if request.path_info.startswith(OPEN) or not on():
            return None
        return errors.maintenance(request)
