"""Every request by which staff would change something, and every refusal they met, in the audit: whichever page, whatever came of
it.

Rooms record what was decided, with before and after. This one line beside it stands also where a room forgot, where a form was
refused, and where a right was missing. What must never happen here: a form's content (it may hold a person's words), or a
stranger who fills the audit: of people who are not staff only the log tells.
"""

from __future__ import annotations

from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from exchange.audit import services as audit

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
SITE = "admin"
# Names of buttons and actions, never what was typed.
SAID = ("action", "deed", "verb", "decision")
CHOSEN_MAX = 50
WORD_LENGTH_MAX = 60
log = structlog.get_logger(__name__)


class StaffDeeds(MiddlewareMixin):
    """Stands within the log-in's middleware, around the staff pages."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        match = request.resolver_match
        if match is None or SITE not in match.app_names + match.namespaces:
            return response
        denied = response.status_code in (401, 403)
        if request.method in SAFE and not denied:
            return response
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated or not user.is_staff:
            log.warning(
                "staff_page_refused",
                view=match.url_name,
                status=response.status_code,
                user_id=getattr(user, "pk", None),
            )
            return response
        audit.record(
            actor_id=user.pk,
            action="staff.refused" if denied else "staff.request",
            subject=f"page:{match.url_name}",
            after={"method": request.method, "status": response.status_code, **_what(request, match.kwargs)},
            origin=audit.origin_of(request),
            now=timezone.now(),
        )
        return response


def _what(request: HttpRequest, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The rows it was about, and which button: by ids and names alone."""
    found: dict[str, Any] = {name: str(value)[:WORD_LENGTH_MAX] for name, value in kwargs.items()}
    if request.method in SAFE or not request.POST:
        return found
    for name in SAID:
        if word := request.POST.get(name):
            found[name] = word[:WORD_LENGTH_MAX]
    if chosen := request.POST.getlist("_selected_action"):
        found["chosen"] = [each[:WORD_LENGTH_MAX] for each in chosen[:CHOSEN_MAX]]
        found["chosen_count"] = len(chosen)
    return found
