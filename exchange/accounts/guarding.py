"""Where allauth's account flows meet what guards customers: whom a mail is for, from where a request comes, a changed address.

What must never happen here: a changed e-mail address that its old owner does not hear of at the old address, or one that leaves
log-ins elsewhere open; a session alone that gives the account another address or its first password; an answer that tells
whether an account is shut to somebody who did not show its password.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from allauth.account import signals
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.core import context as current
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from allauth.core.internal.httpkit import is_headless_request
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.http import urlencode
from django.utils.translation import get_language_from_request

from exchange.accounts.api import addresses
from exchange.accounts.models import User
from exchange.accounts.passwords import by_mail
from exchange.accounts.second_factors import changes, stepping
from exchange.accounts.services import emails, mail_words
from exchange.audit import services as audit

NOWHERE = "0.0.0.0"  # noqa: S104 - what stands for an address where a proxy of ours sits behind a unix socket


class GuardedAccount(DefaultAccountAdapter):
    """Mixed into the account adapter."""

    def new_user(self, request: HttpRequest) -> AbstractBaseUser:
        """Warned in the language of the browser that signed up, where there are words in it."""
        user = super().new_user(request)
        wanted = get_language_from_request(request).partition("-")[0]
        user.language = wanted if wanted in settings.MAIL_LANGUAGES else user.language
        return user

    def get_client_ip(self, request: HttpRequest) -> str:
        """The same address as everywhere else in the house: only our own proxies are believed."""
        found = addresses.of_request(request)
        try:
            return str(ipaddress.ip_address(found))
        except ValueError:
            return NOWHERE

    def render_mail(
        self, template_prefix: str, email: Any, context: dict[str, Any], headers: dict[str, str] | None = None
    ) -> EmailMessage:
        """Each mail carries the word of the customer whose address it goes to, and is in their language; a stranger's is in
        that of whoever asked."""
        word = mail_words.for_address(email) if isinstance(email, str) else ""
        given = {**context, "mail_word": word, "site_name": settings.SITE_NAME}
        with translation.override(self._language(email, context.get("user"))):
            return super().render_mail(template_prefix, email, given, headers=headers)

    @staticmethod
    def _language(email: Any, person: Any) -> str:
        """Of whoever the mail is about, which may go to an address that is only to become theirs; else of the address' owner."""
        rows = User.objects.filter(email=User.objects.normalize_email(email)).values_list("language", flat=True)
        known = getattr(person, "language", None) or rows.first()
        return known if known in settings.MAIL_LANGUAGES else (translation.get_language() or "en")

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        """The password and what is told of its change, or neither. Whoever sets a first one has no old one to show."""
        request = self.request
        own = request is not None and request.user.is_authenticated and request.user.pk == user.pk
        if own and not user.has_usable_password() and not by_mail.is_reset(request):
            _same_person(request, back="account_set_password")
        with transaction.atomic():
            super().set_password(user, password)

    def respond_user_inactive(self, request: HttpRequest, user: AbstractBaseUser) -> HttpResponse:
        """A log-in that was good (a passkey, a provider) to an account that is shut."""
        audit.record(
            actor_id=None,
            action="login.refused",
            subject=f"user:{user.pk}",
            after={"why": "account is shut"},
            origin=audit.origin_of(request),
            now=timezone.now(),
        )
        return super().respond_user_inactive(request, user)

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """A new address takes the place of the old one, in one transaction with everything that follows from it."""
        try:
            with transaction.atomic():
                user = User.objects.select_for_update().get(pk=email_address.user_id)
                held_before = EmailAddress.objects.filter(user=user, verified=True).exists()
                confirmed = super().confirm_email(request, email_address)
                user_after = User.objects.get(pk=user.pk)
                if confirmed and held_before and user_after.email != user.email:
                    _address_changed(request, user.pk, old=user.email)
                return confirmed
        except IntegrityError:  # somebody else holds this address, unconfirmed
            return False


def _address_changed(request: HttpRequest, user_id: int, *, old: str) -> None:
    own = request.user.is_authenticated and request.user.pk == user_id
    emails.changed(
        user_id=user_id,
        old=old,
        keep_session=request.session.session_key if own else None,
        origin=audit.origin_of(request),
        now=timezone.now(),
    )


@receiver(signals._add_email)
def same_person_first(sender: Any, email: str, user: AbstractBaseUser, **kwargs: Any) -> None:
    """Nobody gives the account another address with a session alone, on no page and in no app."""
    _same_person(current.request, back="account_email")


def _same_person(request: HttpRequest, *, back: str) -> None:
    """As before a factor changes (`second_factors.changes`): a factor, the password, or a fresh log-in at the provider.

    allauth lets whoever has none of the first two through unasked. What was asked for is not remembered.
    """
    try:
        changes.allowed(request, now=timezone.now())
    except (stepping.StepUpRequired, ReauthenticationRequired, changes.LogInStale) as missing:
        if is_headless_request(request):
            from allauth.headless.base.response import ReauthenticationResponse

            raise ImmediateHttpResponse(ReauthenticationResponse(request)) from None
        page = _confirm_page(request, missing)
        raise ImmediateHttpResponse(HttpResponseRedirect(f"{page}?{urlencode({'next': reverse(back)})}")) from None


def _confirm_page(request: HttpRequest, missing: Exception) -> str:
    if isinstance(missing, stepping.StepUpRequired):
        return stepping.confirm_page(request.user.pk)
    return reverse("socialaccount_confirm" if isinstance(missing, changes.LogInStale) else "account_reauthenticate")
