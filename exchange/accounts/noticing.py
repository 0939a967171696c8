"""Hears of every log-in and every changed password where Django saves them, whichever page, app or command did it.

A log-in notes its device; a changed password ends the log-ins elsewhere and goes to `credentials.changed`. One that was changed
by somebody who did not have the old one ends the API keys as well: who takes an account back does not ask who made them.
(Factors, linked accounts, API keys and addresses are told by the rooms that change them.) What must never happen here: a way to
change a password that passes by.
"""

from __future__ import annotations

from typing import Any

from allauth.account import signals as account_signals
from allauth.core import context
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from exchange.accounts import registry, whence
from exchange.accounts.models import User
from exchange.accounts.passwords import by_mail
from exchange.accounts.services import credentials, devices, sessions
from exchange.audit import services as audit


@receiver(user_logged_in)
def note_device(sender: Any, request: HttpRequest | None, user: User, **kwargs: Any) -> None:
    """A log-in that came over no wire (set-up, tests) has no device."""
    if request is None or "REQUEST_METHOD" not in request.META:
        return
    found = devices.seen(
        user_id=user.pk,
        cookie=request.COOKIES.get(settings.DEVICE_COOKIE_NAME, ""),
        whence=whence.of_request(request),
        origin=audit.origin_of(request),
        now=timezone.now(),
    )
    request._bourse_device_cookie = found.cookie  # type: ignore[attr-defined]  # KnownBrowser sets it on the answer
    request.session["device"] = found.device_id
    request.session.save()  # allauth strikes sessions off its list that are not saved yet
    _list_session(request, user, found.device_id)


@receiver(account_signals.password_changed)
@receiver(account_signals.password_set)
def list_renewed_session(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """The session lives on under another key."""
    if (device_id := request.session.get("device")) is not None:
        _list_session(request, user, device_id)


def _list_session(request: HttpRequest, user: User, device_id: int) -> None:
    """allauth lists the sessions of its own flows; the staff's door is another, and a device ends with its sessions."""
    request.user = user
    UserSession.objects.create_from_request(request)
    UserSession.objects.filter(session_key=request.session.session_key).update(data={"device": device_id})


@receiver(post_save, sender=User)
def password_changed(sender: Any, instance: User, created: bool, **kwargs: Any) -> None:
    """Django keeps the new password on the object while it is saved, and not where only its hash is renewed."""
    if created or instance._password is None:
        return
    request = context.request  # None where it is a command
    actor = getattr(request, "user", None)
    actor_id = actor.pk if actor is not None and actor.is_authenticated else None
    now, origin = timezone.now(), audit.origin_of(request)
    with transaction.atomic():
        # Django lets them end by themselves when they are next used; whoever changed a password wants to see them gone.
        keep = request.session.session_key if actor_id == instance.pk else None
        sessions.end_others(user_id=instance.pk, keep=keep, origin=origin, actor_id=actor_id, now=now)
        detail = "Password changed"
        if actor_id != instance.pk or by_mail.is_reset(request):
            registry.access_ended(user_id=instance.pk, now=now)
            detail = "Password reset, API keys ended"
        credentials.changed(
            user_id=instance.pk, what="password", detail=detail, actor_id=actor_id, origin=origin, now=now
        )
