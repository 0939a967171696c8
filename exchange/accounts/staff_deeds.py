"""Every request by which staff would change something is made by who has just shown a second factor, and is in the audit, as is
every refusal they met: whichever page, whatever came of it.

A stolen session of staff's, or an open screen, changes nothing: each unsafe request needs a confirmation within STEP_UP_SECONDS,
asked for here, around all staff pages, so that no room can forget it. Rooms record what was decided, with before and after. This
one line beside it stands also where a room forgot, where a form was refused, and where a right was missing.
What must never happen here: a form's content (it may hold a person's words), a stranger who fills the audit (of people not of
the staff only the log tells), or a request that is kept and carried out after the confirmation: it may be a thief's, left for its
owner to confirm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin
from django.utils.http import url_has_allowed_host_and_scheme

from exchange.accounts.second_factors import stepping
from exchange.audit import services as audit

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
SITE = "admin"
# They change nothing of the house's: out of the site, and to the one page that has a guard of its own.
UNGUARDED = frozenset({"login", "logout", "password_change"})
# Names of buttons and actions, never what was typed.
SAID = ("action", "deed", "verb", "decision")
CHOSEN_MAX = 50
WORD_LENGTH_MAX = 60
log = structlog.get_logger(__name__)


class StaffDeeds(MiddlewareMixin):
    """Stands within the log-in's middleware, around the staff pages."""

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Asks for the second factor again. Whoever is not verified staff is turned away by the site itself."""
        if request.method in SAFE or not _of_staff_site(request) or not _verified(request):
            return None
        if request.resolver_match is not None and request.resolver_match.url_name in UNGUARDED:
            return None
        try:
            stepping.check(request, now=timezone.now())
        except (stepping.SecondFactorMissing, stepping.StepUpRequired) as refused:
            request._bourse_unconfirmed = True  # type: ignore[attr-defined]
            messages.warning(
                request, "Nothing was changed. Confirm that it is you; then you are led back to do it again."
            )
            return stepping.lead(request, refused, back=_came_from(request))
        return None

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        match = request.resolver_match
        if match is None or not _of_staff_site(request):
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
            after={"method": request.method, "status": response.status_code, **_what(request, match.kwargs)}
            | ({"unconfirmed": True} if getattr(request, "_bourse_unconfirmed", False) else {}),
            origin=audit.origin_of(request),
            now=timezone.now(),
        )
        return response


def _of_staff_site(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and SITE in match.app_names + match.namespaces


def _verified(request: HttpRequest) -> bool:
    user: Any = getattr(request, "user", None)
    return bool(user is not None and user.is_staff and user.is_verified())


def _came_from(request: HttpRequest) -> str:
    """The page whose form was sent, by the browser's word; the form's own address where it says none of ours."""
    said = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(said, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return request.get_full_path()
    page = urlsplit(said)
    return f"{page.path}?{page.query}" if page.query else page.path


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
