"""allauth's forms for codes, with our limits on guessing and our guard against a code that is used twice. JSON and pages alike.

What must never happen here: a wrong code that is not counted, or a transaction that takes the count back with the refusal.
"""

from __future__ import annotations

from typing import Any

from allauth.core import context
from allauth.headless.internal.restkit import inputs
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as base
from allauth.mfa.totp import forms as totp
from django.contrib.auth import logout
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from exchange.accounts.models import FactorDevice
from exchange.accounts.second_factors import codes, guard, selectors

_WIDGET = {"autocomplete": "one-time-code", "inputmode": "numeric", "maxlength": "40", "spellcheck": "false"}


class _Code(base.BaseAuthenticateForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = _("Code from your app, or a recovery code")
        self.fields["code"].widget.attrs.update(_WIDGET)

    def judged(self) -> str | None:
        """The code where allauth finds it right and it was not taken before; None otherwise."""
        try:
            code: str = super().clean_code()
        except ValidationError:
            return None
        taken_once = self.authenticator.type != selectors.TOTP or codes.claim(user_id=self.user.pk, code=code)
        return code if taken_once else None


class AuthenticateForm(_Code, base.AuthenticateForm):
    """The second step of a log-in."""

    def clean_code(self) -> str:
        if not guard.admit_log_in(context.request, self.user):
            raise get_adapter().validation_error("too_many_codes")
        code = self.judged()
        if code is None:
            raise get_adapter().validation_error("incorrect_code")
        guard.right_at_log_in(context.request, self.user)
        return code


class ReauthenticateForm(_Code, base.ReauthenticateForm):
    """A step-up, by somebody logged in."""

    def clean_code(self) -> str:
        device, _ = FactorDevice.objects.get_or_create(user=self.user, defaults={"name": "Second factors"})
        said: list[str] = []

        def right() -> bool:
            code = self.judged()
            said.extend([] if code is None else [code])
            return code is not None

        waiting = not device.verify_is_allowed()[0]
        if not waiting and device.guarded(right):
            guard.right_in_session(context.request)
            return said[0]
        if not waiting and guard.wrong_in_session(context.request):
            logout(context.request)
        raise get_adapter().validation_error("too_many_codes" if waiting else "incorrect_code")


class ActivateTotpForm(totp.ActivateTOTPForm):
    """The first code of a new app. It proves that the app is there, and is used up by that."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = _("Code that the app shows")
        self.fields["code"].widget.attrs.update(_WIDGET)

    def clean_code(self) -> str:
        code: str = super().clean_code()
        if not codes.claim(user_id=self.user.pk, code=code):
            raise get_adapter().validation_error("incorrect_code")
        return code


class AuthenticateInput(AuthenticateForm, inputs.Input):
    """The same for JSON."""


class ReauthenticateInput(ReauthenticateForm, inputs.Input):
    """The same for JSON."""


class ActivateTotpInput(ActivateTotpForm, inputs.Input):
    """The same for JSON."""
