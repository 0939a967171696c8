"""allauth's pages for factors, behind our own step-up, each change in one transaction.

What must never happen here: a form that was sent before the confirmation and is carried out by it (allauth would keep it in the
session): whoever shares the session could have left it there. It is asked for again.
"""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows import reauthentication
from allauth.account.utils import get_next_redirect_url
from allauth.account.views import ReauthenticateView
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import views as base
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from exchange.accounts.second_factors import adapter, changes, selectors, stepping

_WANTED = "wanted_before_a_factor"  # in the session: an address of ours


class Guarded:
    """Opens after a confirmation alone."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            try:
                changes.allowed(request, now=timezone.now())
            except stepping.StepUpRequired:
                return _to(stepping.confirm_page(request.user.pk), request)
            except ReauthenticationRequired:
                return _to(reverse("account_reauthenticate"), request)
        with transaction.atomic():
            return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]


class Forgetful:
    """A confirm page that carries nothing out by itself."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        state = request.session.get(reauthentication.STATE_SESSION_KEY)
        if state and "callback" not in state:
            del request.session[reauthentication.STATE_SESSION_KEY]
        return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]


class Index(base.IndexView):
    """What the person has. Whoever was sent here on the way somewhere else finds the way on, once there is a factor."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if wanted := get_next_redirect_url(self.request):
            self.request.session[_WANTED] = wanted
        has_factor = selectors.has_factor(self.request.user.pk)
        continue_url = self.request.session.pop(_WANTED, "") if has_factor else ""
        return super().get_context_data(**kwargs, has_factor=has_factor, continue_url=continue_url)


class ActivateTotp(Guarded, totp.ActivateTOTPView):
    """Set up an authenticator app."""


class DeactivateTotp(Guarded, totp.DeactivateTOTPView):
    """Remove it."""


class AddPasskey(Guarded, webauthn.AddWebAuthnView):
    """Register a passkey."""


class EditPasskey(Guarded, webauthn.EditWebAuthnView):
    """Rename one."""


class RemovePasskey(Guarded, webauthn.RemoveWebAuthnView):
    """Remove one."""

    def form_valid(self, form: Any) -> HttpResponse:
        if not adapter.may_remove(self.request.user, [self.object.pk]):
            messages.error(self.request, get_adapter().error_messages["cannot_delete_authenticator"])
            return HttpResponseRedirect(self.get_success_url())
        return super().form_valid(form)


class ViewRecoveryCodes(Guarded, recovery_codes.ViewRecoveryCodesView):
    """Show the codes."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs, continue_url=self.request.session.pop(_WANTED, ""))


class DownloadRecoveryCodes(Guarded, recovery_codes.DownloadRecoveryCodesView):
    """The same as a text file."""


class GenerateRecoveryCodes(Guarded, recovery_codes.GenerateRecoveryCodesView):
    """New ones, in place of the old."""


class ReauthenticatePassword(Forgetful, ReauthenticateView):
    """Confirm with the password: for who has no factor."""


class Reauthenticate(Forgetful, base.ReauthenticateView):
    """Confirm with a code."""


class ReauthenticatePasskey(Forgetful, webauthn.ReauthenticateWebAuthnView):
    """Confirm with a passkey."""

    def form_invalid(self, form: Any) -> HttpResponse:
        """allauth would show the log-in page, which sends whoever is logged in away from what they wanted."""
        for message in form.errors.get("credential", []):
            messages.error(self.request, message)
        return self.render_to_response(self.get_context_data(form=form), status=400)


def _to(page: str, request: HttpRequest) -> HttpResponse:
    return redirect(f"{page}?{urlencode({'next': request.get_full_path()})}")
