"""Browsers and phones that take pushes.

A device belongs to the log-in it was registered in and ends with it; a token that somebody else registers is his from then on,
for there is one person before a screen. What must never happen here: a private message on the screen of whoever logs in next.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec
from django.db import IntegrityError, transaction

from exchange.core.errors import Conflict, InvalidRequest, NotFound
from exchange.notifications import channels
from exchange.notifications.channels import web_push
from exchange.notifications.models import PushDevice

Platform = PushDevice.Platform
DEVICES_MAX = 10
LABEL_MAX = 60
_FCM_TOKEN = re.compile(r"[A-Za-z0-9_:\-]{20,500}")
_APNS_TOKEN = re.compile(r"[0-9a-f]{32,200}")


class DeviceInvalid(InvalidRequest):
    code = "push_device_invalid"


class ChannelOff(Conflict):
    """The operator has not switched this way of telling on."""

    code = "push_not_offered"


class DeviceNotFound(NotFound):
    code = "push_device_not_found"


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device as its owner sees it; the token stays here. `here` is whether it belongs to the log-in that asks."""

    id: int
    platform: str
    label: str
    created_at: datetime
    last_sent_at: datetime | None
    here: bool


def register(
    *,
    user_id: int,
    session_key: str,
    platform: str,
    token: str,
    p256dh: str = "",
    auth: str = "",
    label: str = "",
    now: datetime,
) -> DeviceView:
    """Takes a device in, or again. Raises DeviceInvalid, ChannelOff. The oldest one goes where there would be too many."""
    _check(platform, token, p256dh, auth)
    if not channels.switched_on(platform):
        raise ChannelOff("Pushes of this kind are not offered here.", param="platform")
    token_hash, session_hash = _hash(f"{platform}:{token}"), _hash(session_key)
    fields = {
        "user_id": user_id, "platform": platform, "token": token, "p256dh": p256dh, "auth": auth,
        "label": _printable(label) or str(Platform(platform).label), "session_hash": session_hash,
    }  # fmt: skip
    with transaction.atomic():
        known = PushDevice.objects.select_for_update().filter(token_hash=token_hash, dropped_at=None).first()
        if known is not None and known.user_id == user_id:
            PushDevice.objects.filter(id=known.id).update(**fields)
            known.refresh_from_db()
            return _view(known, session_hash)
        if known is not None:
            _drop(PushDevice.objects.filter(id=known.id), "registered by another", now)
        try:
            with transaction.atomic():
                row = PushDevice.objects.create(token_hash=token_hash, created_at=now, **fields)
        except IntegrityError:  # twice at once; the other one stands
            row = PushDevice.objects.get(token_hash=token_hash, dropped_at=None, user_id=user_id)
        too_many = _standing(user_id).order_by("-id").values_list("id", flat=True)[DEVICES_MAX:]
        _drop(PushDevice.objects.filter(id__in=list(too_many)), "too many", now)
    return _view(row, session_hash)


def standing(user_id: int, *, session_key: str = "") -> list[DeviceView]:
    """A customer's devices, the newest first. One query."""
    session_hash = _hash(session_key)
    return [_view(row, session_hash) for row in _standing(user_id).order_by("-id")[:DEVICES_MAX]]


def remove(*, user_id: int, device_id: int, now: datetime) -> None:
    """Raises DeviceNotFound for another's."""
    if not _drop(_standing(user_id).filter(id=device_id), "removed", now):
        raise DeviceNotFound("This device is not on your list.")


def log_in_ended(*, session_key: str, now: datetime) -> None:
    """Nothing is pushed to where nobody is logged in any more."""
    _drop(PushDevice.objects.filter(session_hash=_hash(session_key), dropped_at=None), "log-in ended", now)


def drop_dead(*, device_id: int, why: str, now: datetime) -> None:
    """Its provider says that it is no more."""
    _drop(PushDevice.objects.filter(id=device_id, dropped_at=None), why, now)


def drop_by_staff(*, device_ids: list[int], now: datetime) -> int:
    return _drop(PushDevice.objects.filter(id__in=device_ids, dropped_at=None), "staff", now)


def _drop(found, why: str, now: datetime) -> int:
    """The row stays to say when and why; what would reach the device goes."""
    return found.update(dropped_at=now, drop_reason=why[:40], token="", p256dh="", auth="")


def _standing(user_id: int):
    return PushDevice.objects.filter(user_id=user_id, dropped_at=None)


def _check(platform: str, token: str, p256dh: str, auth: str) -> None:
    if platform == Platform.WEB:
        if web_push.service_of(token) is None:
            raise DeviceInvalid("This is no push service of a browser that we know.", param="endpoint")
        _check_keys(p256dh, auth)
    elif platform == Platform.FCM:
        if not _FCM_TOKEN.fullmatch(token):
            raise DeviceInvalid("This is no registration token of FCM.", param="token")
    elif platform == Platform.APNS:
        if not _APNS_TOKEN.fullmatch(token):
            raise DeviceInvalid("A device token of APNs is lower-case hexadecimal.", param="token")
    else:
        raise DeviceInvalid("There is no such platform.", param="platform")


def _check_keys(p256dh: str, auth: str) -> None:
    """RFC 8291: a point on P-256 and 16 bytes, in base64url without padding."""
    try:
        point, secret = _unpacked(p256dh), _unpacked(auth)
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        if len(point) != 65 or len(secret) != 16:
            raise ValueError
    except (ValueError, binascii.Error):
        raise DeviceInvalid("These are no keys of a push subscription.", param="keys") from None


def _unpacked(text: str) -> bytes:
    text = text.rstrip("=")
    if not re.fullmatch(r"[A-Za-z0-9_\-]{1,120}", text):
        raise ValueError
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _printable(label: str) -> str:
    return "".join(char for char in label if char.isprintable()).strip()[:LABEL_MAX]


def _view(row: PushDevice, session_hash: str) -> DeviceView:
    return DeviceView(
        id=row.id,
        platform=row.platform,
        label=row.label,
        created_at=row.created_at,
        last_sent_at=row.last_sent_at,
        here=row.session_hash == session_hash,
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
