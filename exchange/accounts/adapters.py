"""Where allauth's flows touch ours: a sign-up becomes a customer. Second factors have an adapter of their own.

What must never happen here: an answer that differs by whether an address is known, or an account joined to a Google or
Facebook identity because their e-mails look alike (allauth's EMAIL_AUTHENTICATION stays off).
"""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from exchange.accounts.models import User
from exchange.accounts.second_factors.adapter import NeverByPasswordAlone
from exchange.accounts.services import customers
from exchange.audit import services as audit


class AccountAdapter(NeverByPasswordAlone, DefaultAccountAdapter):
    """E-mail and password."""

    def clean_email(self, email: str) -> str:
        """The one form an address is kept in. allauth would cut a long one short, and so write to somebody else."""
        email = User.objects.normalize_email(super().clean_email(email))
        if len(email) > User._meta.get_field("email").max_length:
            raise ValidationError("This address is too long.")
        return email

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """The user row and everything that makes it a customer, or neither."""
        with transaction.atomic():
            super().save_user(request, user, form, commit=commit)
            if commit:
                customers.opened(user_id=user.id, origin=audit.origin_of(request), now=timezone.now())
        return user


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Google, Facebook."""

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> User:
        with transaction.atomic():
            user = super().save_user(request, sociallogin, form)
            if form is None:  # with a form, the account adapter has opened the customer already
                customers.opened(user_id=user.id, origin=audit.origin_of(request), now=timezone.now())
        return user

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> User:
        """The address in the form we keep, and the name the provider gives as a display name."""
        user = super().populate_user(request, sociallogin, data)
        user.email = User.objects.normalize_email(user.email)
        user.display_name = (data.get("name") or data.get("first_name") or "")[:60]
        return user
