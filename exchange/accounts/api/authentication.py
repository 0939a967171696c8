"""Who is asking: one answer for REST views, for the plain async order view and for the websocket.

Three ways in: the site's session cookie (then a request that changes anything must carry the CSRF token), allauth's session
token in the header X-Session-Token (then it need not: no browser sends that header by itself), or an API key's signature
(`signing`, checked in `admission` before anything here is asked).
What must never happen here: a cookie that acts without the CSRF check; a half-done log-in (second factor still owed) that
counts as one; a token or a key that falls back to the cookie when it is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, Literal

from allauth.core.internal.sessionkit import get_session_user
from allauth.headless.internal import sessionkit
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from exchange.accounts.api import signing
from exchange.accounts.services import sessions
from exchange.core.errors import NotAuthenticated, PermissionDenied

TOKEN_HEADER = "X-Session-Token"  # noqa: S105 - a header's name
TOKEN_LENGTH_MAX = 200
LOG_IN = "Please log in: this needs a session cookie, the header X-Session-Token or an API key's signature."
_TOKEN_META = "HTTP_X_SESSION_TOKEN"  # noqa: S105


class SessionTokenInvalid(NotAuthenticated):
    """The session token is unknown, or its session has ended."""

    code = "session_token_invalid"


class CsrfFailed(PermissionDenied):
    """A cookie log-in wanted to change something without the CSRF token."""

    code = "csrf_failed"


By = Literal["session", "token", "key"]


class Holder:
    """Who a key acts for, where Django wants a user: an id and nothing more, so that nobody takes it for the person."""

    is_authenticated, is_anonymous, is_active, is_staff = True, False, True, False

    def __init__(self, user_id: int) -> None:
        self.id = self.pk = user_id


@dataclass(frozen=True, slots=True)
class Identity:
    """The account that a request acts for, and how it was shown. `scopes` is None for a person, who may do all."""

    user: AbstractBaseUser | Holder
    user_id: int
    by: By
    key_id: str | None = None
    scopes: frozenset[str] | None = None


class _CsrfCheck(CsrfViewMiddleware):
    """Django's own check, told to give its reason back in place of a page."""

    def _reject(self, request: HttpRequest, reason: str) -> Any:
        return reason


def _by_session_key(key: str, *, by: Literal["session", "token"]) -> Identity | None:
    """Two queries, the session and its user; once in five minutes a third, that it is in use. allauth's session token is the
    session's key, as the cookie is."""
    session = sessionkit.lookup_session(key) if 0 < len(key) <= TOKEN_LENGTH_MAX else None
    user = get_session_user(session) if session is not None else None
    if user is None:
        return None
    sessions.used(session_key=key, now=timezone.now())
    return Identity(user=user, user_id=user.pk, by=by)


def by_token(token: str) -> Identity:
    """The account behind a session token; raises SessionTokenInvalid."""
    identity = _by_session_key(token, by="token")
    if identity is None:
        raise SessionTokenInvalid("The session token is not valid, or its session has ended. Please log in again.")
    return identity


def identify(request: HttpRequest) -> Identity | None:
    """Who this request acts for, or None; asked once a request. Raises SessionTokenInvalid, CsrfFailed."""
    if hasattr(request, "_bourse_identity"):
        return request._bourse_identity
    if signing.of_request(request) is not None:
        raise signing.KeyInvalid  # nobody has checked it: this address takes no keys
    token = request.headers.get(TOKEN_HEADER)
    if token is not None:
        identity: Identity | None = by_token(token)
    else:
        identity = _by_cookie(request)
    request._bourse_identity = identity  # type: ignore[attr-defined]
    return identity


def _by_cookie(request: HttpRequest) -> Identity | None:
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    identity = _by_session_key(key, by="session") if key else None
    if identity is not None:
        check_csrf(request)
    return identity


def check_csrf(request: HttpRequest) -> None:
    """A request by cookie that changes something must carry the CSRF token. Raises CsrfFailed."""
    check = _CsrfCheck(lambda _request: None)  # type: ignore[arg-type, return-value]
    check.process_request(request)
    if check.process_view(request, None, (), {}):
        raise CsrfFailed(
            "The CSRF token is missing or wrong."
            f" Send the {settings.CSRF_COOKIE_NAME} cookie's value in the header X-CSRFToken."
        )


def require(request: HttpRequest) -> Identity:
    """As `identify`, and NotAuthenticated for nobody."""
    identity = identify(request)
    if identity is None:
        raise NotAuthenticated(LOG_IN)
    return identity


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request came with, or a websocket was opened with (kept for its life, so that an ended log-in is noticed).

    `by` key: the id of one whose signature is checked, at the latest in `admission.admit`."""

    key: str
    by: By


def given_with(request: HttpRequest) -> Credentials | None:
    """The token of a request or, where it has none, its session cookie. Not looked at yet."""
    token = request.META.get(_TOKEN_META)
    if token is not None:
        return Credentials(key=token, by="token")
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    return Credentials(key=key, by="session") if key else None


def credentials(headers: list[tuple[bytes, bytes]], *, cookies: bool) -> Credentials | None:
    """The token of a websocket's handshake or, where its Origin allows `cookies`, the session cookie."""
    named = {name.lower(): value.decode("latin1") for name, value in headers}
    token = named.get(TOKEN_HEADER.lower().encode())
    if token is not None:
        return Credentials(key=token, by="token")
    try:
        morsel = SimpleCookie(named.get(b"cookie", "")).get(settings.SESSION_COOKIE_NAME) if cookies else None
    except CookieError:
        morsel = None
    return Credentials(key=morsel.value, by="session") if morsel else None


def by_credentials(given: Credentials) -> Identity | None:
    """Who they stand for now. A wrong token raises SessionTokenInvalid; a browser whose log-in ended is a visitor: None."""
    return by_token(given.key) if given.by == "token" else _by_session_key(given.key, by="session")


class CustomerAuthentication(BaseAuthentication):
    """REST framework's door to `identify`."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser | Holder, Identity] | None:
        identity = identify(request._request)
        return (identity.user, identity) if identity else None

    def authenticate_header(self, request: Request) -> str:
        return "Session"  # a 401, not a 403, for nobody
