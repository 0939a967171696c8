"""Knows a browser again by a random cookie of ours, and tells its owner of a log-in from one that was never seen.

The cookie holds a random secret and our signature; a row keeps a hash over it and the customer, so the cookie of one customer
is worth nothing to another, and two customers of one browser cannot be matched. Nothing of the browser is measured.
What must never happen here: a log-in that fails because a device could not be noted, or one from an unknown device that is not
told. The first log-in of an account is no news: nobody was there before.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from django.core import signing
from django.db import transaction

from exchange.accounts.models import Device, User
from exchange.accounts.whence import Whence
from exchange.audit import services as audit
from exchange.core import times
from exchange.outbox import services as outbox

_SALT = "exchange.accounts.device"
_SECRET_BYTES = 24
_PER_CUSTOMER_MAX = 100


@dataclass(frozen=True, slots=True)
class Seen:
    """The device of a log-in; `cookie` is what the browser is to keep."""

    device_id: int
    cookie: str
    known: bool


def seen(*, user_id: int, cookie: str, whence: Whence, origin: str = "", now: datetime) -> Seen:
    """Notes a log-in of this customer from the browser that sent `cookie` ("" for none)."""
    secret = _secret(cookie)
    with transaction.atomic():
        User.objects.select_for_update().only("id").get(
            id=user_id
        )  # two log-ins at once from one browser are one device
        row = Device.objects.filter(user_id=user_id, secret_hash=_hash(user_id, secret)).first() if secret else None
        if row is not None:
            row.browser, row.address, row.last_seen_at = whence.browser, whence.address, now
            row.save(update_fields=["browser", "address", "last_seen_at"])
            return Seen(row.id, cookie, True)
        first = not Device.objects.filter(user_id=user_id).exists()
        secret = secret or secrets.token_urlsafe(_SECRET_BYTES)
        row = Device.objects.create(
            user_id=user_id,
            secret_hash=_hash(user_id, secret),
            browser=whence.browser,
            address=whence.address,
            first_seen_at=now,
            last_seen_at=now,
        )
        _forget_oldest(user_id)
        if not first:
            _tell(user_id, row, origin, now)
    return Seen(row.id, signing.Signer(salt=_SALT).sign(secret), False)


def _tell(user_id: int, row: Device, origin: str, now: datetime) -> None:
    audit.record(
        actor_id=user_id,
        action="device.new",
        subject=f"user:{user_id}",
        after={"device": row.id},
        origin=origin,
        now=now,
    )
    outbox.append(
        topic="accounts.logged_in_from_new_device",
        key=f"user:{user_id}",
        payload={
            "user_id": user_id,
            "device_id": row.id,
            "at": times.iso(now),
            "address": row.address,
            "browser": row.browser,
        },
        now=now,
    )


def _forget_oldest(user_id: int) -> None:
    """Clients that keep no cookie make a row at each log-in: the list stays one that a person can read."""
    kept = Device.objects.filter(user_id=user_id).order_by("-last_seen_at", "-id").values("id")[:_PER_CUSTOMER_MAX]
    Device.objects.filter(user_id=user_id).exclude(id__in=kept).delete()


def _secret(cookie: str) -> str:
    """What a cookie of ours holds; "" for one that is forged or none."""
    try:
        return signing.Signer(salt=_SALT).unsign(cookie) if cookie else ""
    except signing.BadSignature:
        return ""


def _hash(user_id: int, secret: str) -> str:
    return hashlib.sha256(f"device:{user_id}:{secret}".encode()).hexdigest()
