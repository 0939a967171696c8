"""Where allauth's flows through a provider touch ours: who becomes a customer, who may link, what is kept.

What must never happen here: an answer that differs by whether an address is known; an account joined to a provider's because
their e-mails look alike; a provider that a row in the database switched on (only the operator's environment does).
"""

from __future__ import annotations

from typing import Any

from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal.httpkit import is_headless_request
from allauth.socialaccount import app_settings
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, _build_apps_from_settings
from allauth.socialaccount.models import SocialAccount, SocialApp
from allauth.socialaccount.providers import registry
from allauth.socialaccount.providers.base.constants import AuthProcess
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils import timezone

from exchange.accounts import sign_ups
from exchange.accounts.models import User
from exchange.accounts.providers import linking
from exchange.accounts.services import credentials, customers
from exchange.audit import services as audit
from exchange.outgoing import calls

ANSWER_BYTES_MAX = 1_000_000


class NoRedirects(calls.Session):
    """Calls to providers: allauth's own, too, all go through the session that it is handed here."""

    def __init__(self) -> None:
        super().__init__(seconds=app_settings.REQUESTS_TIMEOUT, bytes_max=ANSWER_BYTES_MAX)


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Google, Facebook, X, Apple."""

    def get_requests_session(self) -> calls.Session:
        return NoRedirects()

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """Those of the settings. allauth would read the database as well, for every page with a button on it."""
        found = _build_apps_from_settings(provider=provider, client_id=client_id)
        return [app for apps in found.values() for app in apps]

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> Any:
        """One that was switched off still has its name, so that accounts that were linked can be shown and unlinked."""
        try:
            return super().get_provider(request, provider, client_id=client_id)
        except SocialApp.DoesNotExist:
            kind = registry.get_class(provider)
            if client_id is not None or kind is None:
                raise
            return kind(request, app=SocialApp(provider=provider, settings={"switched_off": True}))

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        sociallogin.token = (
            None  # nothing is asked of the provider later, so its token is not kept, in no session either
        )
        process = sociallogin.state.get("process")
        if process == AuthProcess.REDIRECT:
            linking.confirm(request, sociallogin)
        elif process == AuthProcess.CONNECT:
            self._before_linking(request, sociallogin)

    def _before_linking(self, request: HttpRequest, sociallogin: Any) -> None:
        """The news comes first: should the link then fail, withdrawals have paused for nothing; never the other way round."""
        linking.demand(request, now=timezone.now())
        asked_by = sociallogin.state.get("asked_by")
        if not is_headless_request(request) and asked_by != request.user.pk:
            raise ImmediateHttpResponse(redirect("socialaccount_login_error"))
        if not sociallogin.is_existing:
            credentials.changed(
                user_id=request.user.pk,
                what="linked_account",
                detail=f"{sociallogin.provider.name} linked",
                origin=audit.origin_of(request),
                now=timezone.now(),
            )

    def validate_disconnect(self, account: SocialAccount, accounts: Any) -> None:
        """allauth has counted every linked account as a way in; one of a provider that is switched off is none."""
        others = [other for other in linking.usable(account.user_id) if other.pk != account.pk]
        if not others and not account.user.has_usable_password():
            raise self.validation_error("no_password")
        linking.demand(context.request, now=timezone.now())

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> User:
        """The user row, the link and everything that makes a customer, or none of it. Of two at once, one is told what
        somebody is told whose address is known."""
        try:
            with transaction.atomic():
                user = super().save_user(request, sociallogin, form)
                if form is None:  # with a form, the account adapter has opened the customer already
                    customers.opened(user_id=user.id, origin=audit.origin_of(request), now=timezone.now())
        except IntegrityError:
            account = sociallogin.account
            if SocialAccount.objects.filter(provider=account.provider, uid=account.uid).exists():
                raise ImmediateHttpResponse(redirect("account_login")) from None
            answer = sign_ups.overtaken(request, sociallogin.user.email)
            if answer is None:
                raise
            raise answer from None
        return user

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> User:
        """The address in the form we keep, and the name the provider gives as a display name."""
        user = super().populate_user(request, sociallogin, data)
        user.email = User.objects.normalize_email(user.email)
        user.display_name = (data.get("name") or data.get("first_name") or "")[:60]
        return user
