"""Pages for what went wrong: what happened, what to do next, and a reference that finds the log line.

Nothing here may tell more than the person may know: a traceback, a path or somebody else's data never reaches the page, and
these pages ask no database, because it may be the database that is down.
"""

from __future__ import annotations

import secrets
import sys

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from exchange.core.errors import DomainError
from exchange.site import context, headless, languages, references
from exchange.site.said import said

log = structlog.get_logger(__name__)

_WORDS = {
    400: (
        _("That request made no sense to us"),
        _("Something in the address or the form is not as we expect it. Go back and try again."),
    ),
    403: (
        _("You may not see this"),
        _("It needs a right that this account does not have, or the page was open too long. Reload it and try again."),
    ),
    404: (_("There is no such page"), _("The address may be mistyped, or what stood here has moved.")),
    409: (
        _("That is not possible right now"),
        _("What you wanted to change has changed in the meantime. Go back and look again."),
    ),
    429: (_("That was a bit too often"), _("Wait a minute, then try again.")),
    500: (
        _("Something broke on our side"),
        _(
            "It was recorded. Nothing that was confirmed to you is lost. Look at your wallet before you repeat anything."
        ),
    ),
    503: (
        _("A part of the site is resting"),
        _("Something we need for this page is not reachable. Your money is not affected. Try again in a moment."),
    ),
    504: (
        _("We do not know yet how that ended"),
        _("It may have been done or not. Look at your orders and your wallet before you repeat it."),
    ),
}
_MAINTENANCE = (
    _("We are working on the site"),
    _("It is back soon. Your money is where it was; deposits that arrive meanwhile are credited afterwards."),
)


def page(
    request: HttpRequest, status: int, *, message: str = "", code: str = "", cause: BaseException | None = None
) -> HttpResponse:
    """The error page of a status, in the reader's language, logged under the reference that it shows."""
    reference = secrets.token_hex(5).upper()
    facts = {"status": status, "code": code, "path": request.path, "method": request.method}
    log.warning("error_page", reference=reference, **facts, exc_info=cause)
    if status != 404:  # whoever tries addresses by the thousand leaves no rows
        references.keep(reference, {**facts, "cause": type(cause).__name__ if cause else ""}, now=timezone.now())
    with translation.override(languages.of(request)):
        title, advice = _MAINTENANCE if code == "maintenance" else _WORDS.get(status, _WORDS[500])
        content = {
            **context.site(request),
            "status": status,
            "title": title,
            "advice": said(message) if message else advice,
            "code": code,
            "reference": reference,
        }
        html = render_to_string("site/error.html", content, request=None)
    response = HttpResponse(html, status=status)
    response["X-Reference"] = reference
    response["Cache-Control"] = "no-store"
    return response


def of(request: HttpRequest, error: DomainError) -> HttpResponse:
    """The page for an error that the domain raised: its own sentence, its own status."""
    message = "" if error.status >= 500 and error.status not in (503, 504) else error.message
    return page(request, error.status, message=message, code=error.code)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return page(request, 400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return page(request, 403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return page(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    return page(request, 500, cause=sys.exc_info()[1])


def maintenance(request: HttpRequest) -> HttpResponse:
    """While the operator works on the site: exchange/site/maintenance.py says when."""
    response = page(request, 503, code="maintenance")
    response["Retry-After"] = "300"
    return response


def too_many(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return page(request, 429)


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: object) -> HttpResponse:
    """Too many wrong passwords for one address from one place. Says so whether or not the account exists."""
    # In English for programs; a page shows it in the reader's language.
    message = "Too many wrong passwords. Wait a while, or choose a new password by e-mail."
    answer = (
        headless.error(429, code="log_in_locked", message=message)
        if headless.serves(request)
        else page(request, 429, code="log_in_locked", message=message)
    )
    answer["Retry-After"] = str(int(settings.AXES_COOLOFF_TIME * 3600))
    return answer


def unavailable(request: HttpRequest) -> HttpResponse:
    return page(request, 503)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that was open too long, or came from elsewhere."""
    return page(
        request, 403, code="csrf_failed",
        message="This form was open too long, or your browser sent no cookie. Go back, reload the page and send it again.",
    )  # fmt: skip
