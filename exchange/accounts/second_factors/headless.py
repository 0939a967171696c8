"""The same for mobile apps: allauth's JSON views for factors, with our forms and our step-up.

What must never happen here: a door beside the pages' that asks for less than they do.
"""

from __future__ import annotations

from typing import Any

from allauth.core.exceptions import ReauthenticationRequired
from allauth.headless.base.response import ConflictResponse, ReauthenticationResponse
from allauth.headless.constants import Client
from allauth.headless.mfa import inputs, views
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.urls import path
from django.utils import timezone

from exchange.accounts.second_factors import adapter, changes, forms, stepping


class Guarded:
    """Answers after a confirmation alone; otherwise 401 with the ways to confirm, as allauth's own clients know it."""

    def handle(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            try:
                changes.allowed(request, now=timezone.now())
            except (stepping.StepUpRequired, ReauthenticationRequired, changes.LogInStale):
                return ReauthenticationResponse(request)
        with transaction.atomic():
            return super().handle(request, *args, **kwargs)  # type: ignore[misc]


class Authenticate(views.AuthenticateView):
    """POST auth/2fa/authenticate: the second step of a log-in."""

    input_class = forms.AuthenticateInput


class Reauthenticate(views.ReauthenticateView):
    """POST auth/2fa/reauthenticate: the step-up."""

    input_class = forms.ReauthenticateInput


class ManageTotp(Guarded, views.ManageTOTPView):
    """GET, POST, DELETE account/authenticators/totp."""

    input_class = {"POST": forms.ActivateTotpInput}

    def delete(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        found = self._get_authenticator()
        if found is not None and not adapter.may_remove(request.user, [found.pk]):
            return ConflictResponse(request)
        return super().delete(request, *args, **kwargs)


class ManagePasskeys(Guarded, views.ManageWebAuthnView):
    """GET, POST, PUT, DELETE account/authenticators/webauthn."""

    input_class = {
        "POST": inputs.AddWebAuthnInput,
        "PUT": inputs.UpdateWebAuthnInput,
        "DELETE": inputs.DeleteWebAuthnInput,
    }

    def delete(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        ids = [row.pk for row in self.input.cleaned_data["authenticators"]]
        if not adapter.may_remove(request.user, ids):
            return ConflictResponse(request)
        return super().delete(request, *args, **kwargs)


class ManageRecoveryCodes(Guarded, views.ManageRecoveryCodesView):
    """GET, POST account/authenticators/recovery-codes."""


def _view(kind: Any) -> Any:
    return kind.as_api_view(client=Client.APP)


urlpatterns = [
    path("auth/2fa/authenticate", _view(Authenticate)),
    path("auth/2fa/reauthenticate", _view(Reauthenticate)),
    path("account/authenticators/totp", _view(ManageTotp)),
    path("account/authenticators/webauthn", _view(ManagePasskeys)),
    path("account/authenticators/recovery-codes", _view(ManageRecoveryCodes)),
]
