"""What follows when a factor comes, goes or fails: the record, the news to its owner, the pause of withdrawals, other sessions.

It hangs on the rows themselves, in their transaction, whatever way they came or went. What must never happen here: a session
from before the first factor that lives on; it may be in other hands, and knows the password.
"""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.core import context
from allauth.mfa import signals
from allauth.mfa.models import Authenticator
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from exchange.accounts.models import User
from exchange.accounts.second_factors import selectors
from exchange.accounts.services import credentials, sessions
from exchange.audit import services as audit

_NAMES = {selectors.TOTP: "authenticator app", selectors.PASSKEY: "passkey", selectors.RECOVERY_CODES: "recovery codes"}


@receiver(post_save, sender=Authenticator)
def came(sender: Any, instance: Authenticator, created: bool, **kwargs: Any) -> None:
    if not created:
        return
    others = Authenticator.objects.filter(user_id=instance.user_id).exclude(pk=instance.pk)
    if instance.type == selectors.RECOVERY_CODES:
        # Those that come with the first factor are part of it; the old ones were deleted just before new ones are made.
        return
    first = not others.filter(type__in=selectors.FACTORS).exists()
    _tell(instance, "factor", f"{_NAMES[instance.type].capitalize()} added", first=first)
    if first:
        _end_other_sessions(instance.user_id)


@receiver(post_delete, sender=Authenticator)
def went(sender: Any, instance: Authenticator, **kwargs: Any) -> None:
    if instance.type != selectors.RECOVERY_CODES:
        _tell(instance, "factor", f"{_NAMES[instance.type].capitalize()} removed", first=False)


@receiver(signals.authenticator_added)
def shown_by_adding(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    """Who added a factor has just shown it, with a code or a signature: that is a confirmation."""
    if authenticator.type in selectors.FACTORS:
        record_authentication(
            request, user, method="mfa", id=authenticator.pk, type=authenticator.type, reauthenticated=True
        )


@receiver(signals.authenticator_reset)
def new_recovery_codes(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    _tell(authenticator, "recovery_codes", "New recovery codes", first=False)


@receiver(signals.authenticator_used)
def used(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    again = bool(kwargs.get("reauthenticated"))
    _record("factor.confirm" if again else "factor.log_in", user.pk, user.pk, authenticator.type, request)


@receiver(signals.authentication_failed)
def failed(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    _record("factor.failed", None, user.pk, authenticator.type, request)


def _tell(row: Authenticator, what: credentials.What, detail: str, *, first: bool) -> None:
    request = context.request
    actor = getattr(request, "user", None)
    credentials.changed(
        user_id=row.user_id,
        what=what,
        detail=detail,
        actor_id=actor.pk if actor is not None and actor.is_authenticated else row.user_id,
        origin=audit.origin_of(request),
        first=first,
        now=timezone.now(),
    )


def _record(action: str, actor_id: int | None, user_id: int, kind: str, request: HttpRequest | None) -> None:
    audit.record(
        actor_id=actor_id,
        action=action,
        subject=f"user:{user_id}",
        after={"kind": kind},
        origin=audit.origin_of(request),
        now=timezone.now(),
    )


def _end_other_sessions(user_id: int) -> None:
    """All of the person's sessions but the one that this happens in."""
    session = getattr(context.request, "session", None)
    keep = session.session_key if session is not None else None
    sessions.end_others(user_id=user_id, keep=keep, origin=audit.origin_of(context.request), now=timezone.now())
