"""Step-up: whoever moves money out, makes a key or changes a factor shows a second factor again, just before.

A stolen session alone must not be enough for any of these, and neither is a stolen session with the password: only a
confirmation by TOTP, passkey or recovery code counts, made in this session within STEP_UP_SECONDS, and not the log-in itself (a
code that was phished for a log-in must not pay out as well). An API key needs none: its creation did, and its scope and its
list of addresses stand for it.
What must never happen here: a request that is remembered and carried out after the confirmation. Whoever holds a stolen session
could leave one there for its owner to confirm; so what was asked for is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any

from allauth.headless.internal import sessionkit
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from exchange.accounts.api import authentication
from exchange.accounts.second_factors import records, selectors
from exchange.core.errors import NotAuthenticated, PermissionDenied

_View = Callable[..., HttpResponse]


class SecondFactorMissing(PermissionDenied):
    """The person has no second factor, and this needs one."""

    code = "second_factor_missing"


class StepUpRequired(PermissionDenied):
    """The person has one and has to show it again."""

    code = "step_up_required"


def check(request: Any, *, now: datetime) -> None:
    """Passes where the person behind `request` (Django's or REST framework's) has just confirmed with a second factor.

    Raises SecondFactorMissing, StepUpRequired. Two queries more for a request of the API, one for a page's.
    """
    plain: HttpRequest = getattr(request, "_request", request)
    identity = getattr(plain, "_bourse_identity", None)
    if identity is not None and identity.by == "key":
        return
    session, user_id = _session_of(plain, identity)
    kinds = selectors.kinds(user_id)
    if not any(kind in selectors.FACTORS for kind in kinds.values()):
        if settings.SECOND_FACTOR_REQUIRED:
            raise SecondFactorMissing("This needs a second factor: set up an authenticator app or a passkey first.")
        return
    found = records.steps(session, user_id=user_id, kinds=kinds)
    if not records.fresh(found, within_s=settings.STEP_UP_SECONDS, now=now):
        raise StepUpRequired(
            "Confirm with your authenticator app, passkey or a recovery code, then send this again. "
            f"A confirmation holds for {settings.STEP_UP_SECONDS} seconds."
        )


def required(view: _View) -> _View:
    """A page that only opens after a confirmation: leads to the set-up or to the confirm page, and back here."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            check(request, now=timezone.now())
        except (SecondFactorMissing, StepUpRequired) as refused:
            return lead(request, refused, back=request.get_full_path())
        return view(request, *args, **kwargs)

    return guarded


def lead(request: HttpRequest, refused: SecondFactorMissing | StepUpRequired, *, back: str) -> HttpResponse:
    """To the set-up of a factor or to the confirm page, and then to `back`, an address of ours."""
    if isinstance(refused, SecondFactorMissing):
        # The refusal itself is English for programs; this is the same sentence for a person.
        messages.warning(request, _("This needs a second factor: set up an authenticator app or a passkey first."))
        return _away(request, reverse("mfa_index"), back)
    return _away(request, confirm_page(request.user.pk), back)


def confirm_page(user_id: int) -> str:
    """Where this person confirms: with a code, or with the passkey where that is all there is."""
    kinds = set(selectors.kinds(user_id).values())
    by_key_alone = selectors.PASSKEY in kinds and selectors.TOTP not in kinds
    return reverse("mfa_reauthenticate_webauthn" if by_key_alone else "mfa_reauthenticate")


def _away(request: HttpRequest, page: str, back: str) -> HttpResponse:
    target = f"{page}?{urlencode({'next': back})}"
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": target})
    return redirect(target)


def _session_of(request: HttpRequest, identity: authentication.Identity | None) -> tuple[Mapping[str, Any], int]:
    """The session and whose it is. The API has no session middleware: its session is read by the key that came with it."""
    if identity is None:
        if not request.user.is_authenticated:
            raise NotAuthenticated("Please log in.")
        return request.session, request.user.pk
    given = authentication.given_with(request)
    session = sessionkit.lookup_session(given.key) if given is not None else None
    return ({} if session is None else session), identity.user_id
