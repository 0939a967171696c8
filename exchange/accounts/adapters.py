"""Where allauth's flows touch ours: a sign-up becomes a customer. Second factors have an adapter of their own.

What must never happen here: an answer that differs by whether an address is known. What comes through Google and the others
stands in `providers.adapter`.
"""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.password_reset import get_reset_password_url
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from exchange.accounts import sign_ups
from exchange.accounts.guarding import GuardedAccount
from exchange.accounts.models import User
from exchange.accounts.second_factors.adapter import NeverByPasswordAlone
from exchange.accounts.services import customers
from exchange.audit import services as audit


class AccountAdapter(NeverByPasswordAlone, GuardedAccount):
    """E-mail and password."""

    def clean_email(self, email: str) -> str:
        """The one form an address is kept in. allauth would cut a long one short, and so write to somebody else."""
        email = User.objects.normalize_email(super().clean_email(email))
        if len(email) > User._meta.get_field("email").max_length:
            raise ValidationError("This address is too long.")
        return email

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """The user row and everything that makes it a customer, or neither."""
        try:
            with transaction.atomic():
                super().save_user(request, user, form, commit=commit)
                if commit:
                    customers.opened(user_id=user.id, origin=audit.origin_of(request), now=timezone.now())
        except IntegrityError:
            answer = sign_ups.overtaken(request, user.email)
            if answer is None:
                raise
            raise answer from None
        return user

    def send_account_already_exists_mail(self, email: str) -> None:
        """The same work as for a newcomer, and then a mail, as a newcomer gets one. It says how this customer logs in."""
        customers.rehearse(now=timezone.now())
        said = {
            "password_reset_url": get_reset_password_url(self.request),
            "providers": sign_ups.providers_of(email),
        }
        self.send_mail("account/email/account_already_exists", email, said)
