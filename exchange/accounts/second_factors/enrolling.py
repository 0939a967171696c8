"""Gives somebody a factor outside a request of their own: the demo's people, whose apps are played.

What must never happen here: a factor for somebody who has one; what they hold must go on working.
"""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.db import transaction

from exchange.accounts.models import User
from exchange.accounts.second_factors import sealing, selectors
from exchange.core.errors import Conflict


class FactorThere(Conflict):
    """The person has an authenticator app."""

    code = "factor_there"


def totp(*, user_id: int, secret: str) -> None:
    """An authenticator app with this secret, base 32, and recovery codes. Raises FactorThere."""
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user_id)
        if Authenticator.objects.filter(user=user, type=selectors.TOTP).exists():
            raise FactorThere("There is an authenticator app already.")
        with sealing.for_user(user_id):
            TOTP.activate(user, secret)
            RecoveryCodes.activate(user)
