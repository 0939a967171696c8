"""Who may link a provider's account to a customer's, or take a link away: whoever just showed that it is they.

A linked account is a way in, as a password is. So a session alone is not enough, and neither is a log-in of this morning: with
a second factor it is that (`second_factors.stepping`), without one the password, and who has neither logs in at a
provider that is linked already once more. allauth lets the last of these through unasked.
What must never happen here: a link made in a session that somebody else left open or stole, or a last way in taken away.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from allauth.account import app_settings as account_settings
from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from allauth.core.internal.httpkit import is_headless_request
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from exchange.accounts.second_factors import selectors as second_factors
from exchange.accounts.second_factors import stepping

METHOD = "socialaccount"


def check(request: HttpRequest, *, now: datetime) -> None:
    """Raises ReauthenticationRequired, or what `stepping.check` raises."""
    if not request.user.is_authenticated:
        raise ReauthenticationRequired
    if second_factors.has_factor(request.user.pk):
        stepping.check(request, now=now)
    elif not _confirmed(request):
        raise ReauthenticationRequired


def _confirmed(request: HttpRequest) -> bool:
    """A password, or a linked account, shown again within allauth's own time for it."""
    records = [record for record in get_authentication_records(request, request.user) if record.get("reauthenticated")]
    return any(time.time() - record["at"] < account_settings.REAUTHENTICATION_TIMEOUT for record in records)


def confirm(request: HttpRequest, sociallogin: Any) -> bool:
    """Somebody who was logged in came back from a provider that is linked to this very account: they are it."""
    account = sociallogin.account
    same = sociallogin.is_existing and sociallogin.user.pk == request.user.pk
    if not (same and request.user.is_authenticated and sociallogin.state.get("asked_by") == request.user.pk):
        return False
    record_authentication(
        request, request.user, METHOD, reauthenticated=True, provider=account.provider, uid=account.uid
    )
    return True


def usable(user_id: int) -> list[SocialAccount]:
    """The linked accounts that are a way in: those of providers that are switched on."""
    switched_on = list(settings.SOCIALACCOUNT_PROVIDERS)
    return list(SocialAccount.objects.filter(user_id=user_id, provider__in=switched_on).order_by("id"))


def demand(request: HttpRequest, *, now: datetime) -> None:
    """`check`, for allauth's views: a page leads to where one confirms and back to the linked accounts; an app is told.

    What was asked for is not remembered: whoever holds a stolen session could leave it there for the owner to confirm.
    """
    try:
        check(request, now=now)
    except (ReauthenticationRequired, stepping.StepUpRequired):
        if is_headless_request(request):
            raise ReauthenticationRequired from None  # answered with the ways to confirm
        raise ImmediateHttpResponse(redirect(_confirmation(request))) from None


def _confirmation(request: HttpRequest) -> str:
    """Where this person shows that it is they."""
    user = request.user
    if not user.is_authenticated:
        page = reverse("account_login")
    elif second_factors.has_factor(user.pk):
        page = stepping.confirm_page(user.pk)
    else:
        page = reverse("account_reauthenticate" if user.has_usable_password() else "socialaccount_confirm")
    return f"{page}?{urlencode({'next': reverse('socialaccount_connections')})}"
