"""The project's one error shape, and the base of every exception a person or a program may be shown.

A room derives its own exceptions in the module that raises them, each with a stable machine `code`.
What must never happen here: an error whose text carries a secret, or whose code changes between releases.
"""

from __future__ import annotations

from typing import ClassVar


class DomainError(Exception):
    """Something asked for cannot be done. `message` is for people, `code` for programs, `param` names the input at fault."""

    type: ClassVar[str] = "internal"
    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class InvalidRequest(DomainError):
    """The input is wrong; the same request will never succeed."""

    type = "invalid_request"
    code = "invalid"
    status = 400


class NotAuthenticated(DomainError):
    """Nobody is logged in, or the credentials are not good."""

    type = "authentication"
    code = "not_authenticated"
    status = 401


class PermissionDenied(DomainError):
    """Known, but not allowed."""

    type = "permission"
    code = "forbidden"
    status = 403


class NotFound(DomainError):
    """There is no such object, or it is somebody else's: the two look the same on purpose."""

    type = "not_found"
    code = "not_found"
    status = 404


class Conflict(DomainError):
    """The state of things does not allow it now, or an id was used before for something else."""

    type = "conflict"
    code = "conflict"
    status = 409


class TooMany(DomainError):
    """A limit on how often was passed; try again later."""

    type = "rate_limited"
    code = "too_many_requests"
    status = 429


class Unavailable(DomainError):
    """A part that is needed is down or busy; nothing was done, and the same request may succeed later."""

    type = "unavailable"
    code = "unavailable"
    status = 503


class OutcomeUnknown(DomainError):
    """It may or may not have been done; ask again by your own id before you repeat it."""

    type = "outcome_unknown"
    code = "outcome_unknown"
    status = 504


def body(error: DomainError) -> dict[str, dict[str, str | None]]:
    """The one error shape: `{"error": {"type", "code", "message", "param"}}`."""
    return {"error": {"type": error.type, "code": error.code, "message": error.message, "param": error.param}}
