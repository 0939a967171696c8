"""Tells django-otp who is verified: staff whose session has a step by TOTP or passkey, as allauth wrote it down.

There is no second log-in for the staff pages and no device kept in the session: what verifies is the factor itself, looked up
anew with each request, so that a reset or a removal ends it at once. It verifies for STAFF_SESSION_HOURS; then it is shown again.
What must never happen here: a password, a recovery code
or a form of django-otp's own that verifies.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django_otp.middleware import OTPMiddleware

from exchange.accounts.models import FactorDevice
from exchange.accounts.second_factors import records, selectors


class VerifiedByAllauth(OTPMiddleware):
    """django-otp's middleware with allauth's word for it. Costs a query for staff, none for others."""

    def _verify_user_sync(self, request: HttpRequest, user: Any) -> Any:
        self._init_user_fields(user)
        if user.is_authenticated and user.is_staff:
            user.otp_device = device(request, user)
        return user

    async def _verify_user_async_via_auser(self, request: HttpRequest, auser: Any) -> Any:
        user = await auser()
        self._init_user_fields(user)
        return user  # no page of ours for staff is async: nobody is verified on that way


def device(request: HttpRequest, user: Any) -> FactorDevice | None:
    """What verified this session, or None."""
    found = records.steps(request.session, user_id=user.pk, kinds=selectors.kinds(user.pk))
    step = records.verified(found, within_s=settings.STAFF_SESSION_HOURS * 3600, now=timezone.now())
    return None if step is None else FactorDevice(user=user, name=step.kind)
