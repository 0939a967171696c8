"""How a customer's account stands: who is logged in, from which devices, and what happened to its log-ins. For its owner to read.

What must never happen here: a session's key or a device's secret on its way to a page, or a query for each row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.utils.translation import gettext_lazy as _

from exchange.accounts.models import Closure, Device, Freeze
from exchange.accounts.whence import browser, of_origin
from exchange.audit import reading

LOG_INS = {
    "login": _("Logged in"),
    "login.failed": _("Wrong password"),
    "login.refused": _("Refused: the account was shut"),
    "factor.failed": _("Wrong second factor"),
    "logout": _("Logged out"),
}
SESSIONS_SHOWN_MAX = 100


@dataclass(frozen=True, slots=True)
class LogIn:
    """One standing log-in. `device_id` names its device in the list of those."""

    id: int
    browser: str
    address: str
    since: datetime
    last_seen_at: datetime
    current: bool
    device_id: int | None


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A browser or app that logged in before; a log-in from it is no news."""

    id: int
    browser: str
    address: str
    first_seen_at: datetime
    last_seen_at: datetime
    current: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """A line of the log-ins' history."""

    id: int
    at: datetime
    outcome: str
    good: bool
    address: str
    browser: str


def log_ins(user_id: int, *, session_key: str | None, now: datetime) -> list[LogIn]:
    """The log-ins that stand, the one that asks first, then the last used. Two queries."""
    rows = list(UserSession.objects.filter(user_id=user_id).order_by("-last_seen_at", "-id")[:SESSIONS_SHOWN_MAX])
    standing = set(
        Session.objects.filter(session_key__in=[row.session_key for row in rows], expire_date__gt=now).values_list(
            "session_key", flat=True
        )
    )
    found = [
        LogIn(
            id=row.id,
            browser=browser(row.user_agent),
            address=str(row.ip),
            since=row.created_at,
            last_seen_at=row.last_seen_at,
            current=row.session_key == session_key,
            device_id=row.data.get("device"),
        )
        for row in rows
        if row.session_key in standing
    ]
    return sorted(found, key=lambda log_in: not log_in.current)


def devices(user_id: int, *, current: int | None) -> list[KnownDevice]:
    """Every known device, the last used first. One query."""
    return [
        KnownDevice(row.id, row.browser, row.address, row.first_seen_at, row.last_seen_at, row.id == current)
        for row in Device.objects.filter(user_id=user_id).order_by("-last_seen_at", "-id")
    ]


def history(user_id: int, *, before: int | None = None, limit: int = 20) -> list[Attempt]:
    """Log-ins and what came of them, newest first, out of the audit. One query."""
    found = reading.about(subject=f"user:{user_id}", actions=LOG_INS, before=before, limit=limit)
    attempts = []
    for deed in found:
        whence = of_origin(deed.origin)
        good = deed.action in ("login", "logout")
        attempts.append(Attempt(deed.id, deed.at, str(LOG_INS[deed.action]), good, whence.address, whence.browser))
    return attempts


def is_frozen(user_id: int) -> bool:
    """Whether its owner froze it and nobody lifted that yet."""
    return Freeze.objects.filter(user_id=user_id, lifted_at=None).exists()


def is_closed(user_id: int) -> bool:
    return Closure.objects.filter(user_id=user_id, reopened_at=None).exists()
