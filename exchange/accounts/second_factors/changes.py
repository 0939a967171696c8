"""Before a factor is added, removed or looked at: the person behind the session shows again that it is them.

Who has a factor shows it (`stepping`); who has none yet gives the password. Who has neither, because a provider logs them in,
must have logged in within the same short time. What must never happen here: a factor enrolled into an account by whoever found a
session open.
"""

from __future__ import annotations

from datetime import datetime

from allauth.account.internal.flows import login, reauthentication
from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.http import HttpRequest

from exchange.accounts.second_factors import selectors, stepping
from exchange.core.errors import PermissionDenied


class LogInStale(PermissionDenied):
    """Somebody without a password or a factor has been logged in for too long to change how they log in."""

    code = "log_in_stale"


def allowed(request: HttpRequest, *, now: datetime) -> None:
    """Raises StepUpRequired, allauth's ReauthenticationRequired or LogInStale; nothing for whoever may go on."""
    user = request.user
    if selectors.has_factor(user.pk):
        stepping.check(request, now=now)
    elif user.has_usable_password():
        if not reauthentication.did_recently_reauthenticate(request):
            raise ReauthenticationRequired
    else:
        records = login.get_authentication_records(request, user)
        if not any(now.timestamp() - record["at"] <= settings.STEP_UP_SECONDS for record in records):
            raise LogInStale("Log out and in again first: you have been logged in for too long to change this.")
