"""Ends log-ins: one, all others, all of them. A session's row goes, and a mark tells every process that still trusts it.

What must never happen here: a session of somebody else ended by its number, or the end of one that is not told
(`accounts.log_ins` hears of each row that goes).
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction

from exchange.accounts import registry
from exchange.accounts.models import Device, User
from exchange.audit import services as audit
from exchange.core.errors import NotFound


class SessionNotFound(NotFound):
    code = "session_not_found"


class DeviceNotFound(NotFound):
    code = "device_not_found"


NOTED_EACH = timedelta(minutes=5)
_NOTED_MAX = 50_000
_noted: dict[str, datetime] = {}


def used(*, session_key: str, now: datetime) -> None:
    """Writes down that a log-in is in use; once in five minutes by each process, without asking the database in between."""
    name = hashlib.sha256(session_key.encode()).hexdigest()
    if now - _noted.get(name, datetime.min.replace(tzinfo=now.tzinfo)) < NOTED_EACH:
        return
    if len(_noted) >= _NOTED_MAX:
        _noted.clear()
    _noted[name] = now
    UserSession.objects.filter(session_key=session_key, last_seen_at__lt=now - NOTED_EACH).update(last_seen_at=now)


def end(*, user_id: int, session_id: int, origin: str = "", now: datetime) -> None:
    """Ends one of the customer's log-ins, at once everywhere. Raises SessionNotFound for another's."""
    with transaction.atomic():
        if not _end(UserSession.objects.filter(user_id=user_id, id=session_id)):
            raise SessionNotFound("This log-in has ended already.")
        _record(user_id, user_id, "session.end", {"sessions": 1}, origin, now)


def end_others(*, user_id: int, keep: str | None, origin: str = "", actor_id: int | None = None, now: datetime) -> int:
    """Ends every log-in but the session with the key `keep`; how many there were."""
    with transaction.atomic():
        ended = _end(UserSession.objects.filter(user_id=user_id).exclude(session_key=keep or ""))
        if ended:
            _record(actor_id or user_id, user_id, "session.end_others", {"sessions": ended}, origin, now)
    return ended


def forget_device(*, user_id: int, device_id: int, origin: str = "", now: datetime) -> int:
    """Takes a device off the list and ends its log-ins: the next one from it is told again. How many log-ins ended."""
    with transaction.atomic():
        if not Device.objects.filter(user_id=user_id, id=device_id).delete()[0]:
            raise DeviceNotFound("This device is not on your list.")
        ended = _end(UserSession.objects.filter(user_id=user_id, data__device=device_id))
        _record(user_id, user_id, "device.forget", {"sessions": ended}, origin, now)
    return ended


def end_all_access(*, user_id: int, now: datetime) -> int:
    """Ends every log-in and what else opens the account (API keys), in the caller's transaction. How many log-ins ended."""
    ended = _end(UserSession.objects.filter(user_id=user_id))
    registry.access_ended(user_id=user_id, now=now)
    return ended


def end_by_staff(*, user_id: int, actor_id: int, origin: str = "", now: datetime) -> int:
    """Staff end everything that opens somebody's account now; how many log-ins that were. The person's row is locked first, as a
    freeze locks it."""
    with transaction.atomic():
        User.objects.select_for_update().only("id").filter(id=user_id).first()
        ended = end_all_access(user_id=user_id, now=now)
        _record(actor_id, user_id, "session.end_all", {"sessions": ended}, origin, now)
    return ended


def _end(found) -> int:
    """Row by row through the session's own model, for its signal leaves the mark."""
    rows = list(found.select_for_update().order_by("id"))
    Session.objects.filter(session_key__in=[row.session_key for row in rows]).delete()
    return UserSession.objects.filter(id__in=[row.id for row in rows]).delete()[0]


def _record(actor_id: int, user_id: int, action: str, after: dict[str, int], origin: str, now: datetime) -> None:
    audit.record(actor_id=actor_id, action=action, subject=f"user:{user_id}", after=after, origin=origin, now=now)
