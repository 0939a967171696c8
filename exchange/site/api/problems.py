"""What can go wrong at the API's door, before any room is asked.

What must never happen here: a text that tells a stranger how we are built.
"""

from __future__ import annotations

from exchange.accounts.api.authentication import LOG_IN
from exchange.accounts.api.buckets import RateLimited
from exchange.core import errors


class MalformedJson(errors.InvalidRequest):
    """The body is not JSON."""

    code = "malformed_json"


class MethodNotAllowed(errors.InvalidRequest):
    """The address exists, but not with this method."""

    code = "method_not_allowed"
    status = 405


class MediaTypeUnsupported(errors.InvalidRequest):
    """Bodies are application/json."""

    code = "media_type_unsupported"
    status = 415


class NotAcceptable(errors.InvalidRequest):
    """Answers are application/json."""

    code = "not_acceptable"
    status = 406


class HttpsRequired(errors.InvalidRequest):
    """The request came over plain http."""

    code = "https_required"


class BodyTooLarge(errors.InvalidRequest):
    """The body is larger than any that makes sense here."""

    code = "body_too_large"
    status = 413


class Internal(errors.DomainError):
    """A fault of ours."""


_BY_STATUS: dict[int, tuple[type[errors.DomainError], str]] = {
    400: (errors.InvalidRequest, "The request cannot be understood."),
    401: (errors.NotAuthenticated, LOG_IN),
    403: (errors.PermissionDenied, "This is not allowed."),
    404: (errors.NotFound, "There is nothing at this address."),
    405: (MethodNotAllowed, "This address does not take that method."),
    406: (NotAcceptable, "Answers are application/json."),
    413: (BodyTooLarge, "The body is too large."),
    415: (MediaTypeUnsupported, "Send the body as application/json."),
    429: (RateLimited, "Too many requests. Please try again later."),
    503: (errors.Unavailable, "A part that is needed is not there at the moment. Please try again."),
    504: (errors.OutcomeUnknown, "It is not known whether this was done. Please look before you repeat it."),
}


def of_status(status: int) -> errors.DomainError:
    """The error that stands for a bare HTTP status; what we have no words for is a fault of ours."""
    kind, message = _BY_STATUS.get(status, _BY_STATUS[400] if 400 <= status < 500 else (Internal, ""))
    return kind(message or "Something went wrong on our side. It has been recorded.")
