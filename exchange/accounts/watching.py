"""Writes log-ins, log-outs and failures into the audit, and tells the lock-out whom an attempt was for.

What must never happen here: an address or a password in a record. A failure for an unknown address names nobody.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from exchange.accounts.api import addresses
from exchange.accounts.models import User
from exchange.audit import services as audit


def attempted_email(request: HttpRequest | None, credentials: dict[str, Any] | None) -> str:
    """The address somebody tries to log in as, for django-axes: it counts by address and peer together."""
    given = credentials or {}
    return User.objects.normalize_email(str(given.get("email") or given.get("username") or ""))[:254]


def attempted_from(request: HttpRequest) -> str | None:
    """The peer that an attempt is counted for, past the proxies that are ours: behind one, everybody would be one peer, and
    could lock everybody out. Who has an IPv6 network has all its addresses, so the network counts. None: a unix socket."""
    counted = addresses.counted(addresses.of_request(request))
    try:
        ip_address(counted)
    except ValueError:
        return None
    return counted


@receiver(user_logged_in)
def record_log_in(sender: Any, request: HttpRequest | None, user: User, **kwargs: Any) -> None:
    _record("login", user.id, user.id, request)


@receiver(user_logged_out)
def record_log_out(sender: Any, request: HttpRequest | None, user: User | None, **kwargs: Any) -> None:
    if user is not None and user.pk:
        _record("logout", user.id, user.id, request)


@receiver(user_login_failed)
def record_failure(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    email = attempted_email(request, credentials)
    user_id = User.objects.filter(email=email).values_list("id", flat=True).first() if email else None
    _record("login.failed", None, user_id, request)


def _record(action: str, actor_id: int | None, user_id: int | None, request: HttpRequest | None) -> None:
    audit.record(
        actor_id=actor_id,
        action=action,
        subject=f"user:{user_id if user_id is not None else 'unknown'}",
        origin=audit.origin_of(request),
        now=timezone.now(),
    )
