"""Closes an account at its customer's word, and opens it again at staff's.

Closing ends the log-in, all sessions and keys; the books, the documents that the law asks for and the audit stay. It is refused,
with every reason, while money or business is left: rooms above say so through the registry. What must never happen here: an
account closed over money that nobody can then reach, or a row deleted.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from exchange.accounts import registry
from exchange.accounts.models import Closure, User
from exchange.accounts.selectors import PersonNotFound
from exchange.accounts.services import sessions
from exchange.accounts.services.freezing import ReasonMissing
from exchange.audit import services as audit
from exchange.core.errors import Conflict
from exchange.outbox import services as outbox


class AccountNotClosable(Conflict):
    """Something is left. `reasons` are sentences for the customer."""

    code = "account_not_closable"

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(f"This account cannot be closed yet. {' '.join(reasons)}")
        self.reasons = reasons


class AccountClosed(Conflict):
    code = "account_closed"


class AccountNotClosed(Conflict):
    code = "account_not_closed"


def hindrances(*, user_id: int, now: datetime) -> list[str]:
    """What is in the way, for the page that asks before."""
    found = registry.hindrances(user_id=user_id, now=now)
    if User.objects.filter(id=user_id, is_staff=True).exists():
        found.append("You work here: a superuser takes that away first.")
    return found


def close(*, user_id: int, origin: str = "", now: datetime) -> int:
    """Closes it; the closure's id. Raises AccountNotClosable with all reasons, AccountClosed."""
    with transaction.atomic():
        user = _locked(user_id)
        if Closure.objects.filter(user_id=user_id, reopened_at=None).exists() or not user.is_active:
            raise AccountClosed("This account is closed already.")
        reasons = hindrances(user_id=user_id, now=now)
        if reasons:
            raise AccountNotClosable(reasons)
        made = Closure.objects.create(user_id=user_id, closed_at=now)
        user.is_active = False
        user.save(update_fields=["is_active"])
        ended = sessions.end_all_access(user_id=user_id, now=now)
        _record(user_id, user_id, "account.close", {"sessions_ended": ended}, origin, now)
        _tell("accounts.closed", user_id, now)
    return made.id


def reopen(*, user_id: int, reason: str, actor_id: int, origin: str = "", now: datetime) -> None:
    """Lets its customer log in again. Raises ReasonMissing, AccountNotClosed."""
    if not reason.strip():
        raise ReasonMissing("A reason is needed.", param="reason")
    with transaction.atomic():
        user = _locked(user_id)
        closure = Closure.objects.filter(user_id=user_id, reopened_at=None).first()
        if closure is None:
            raise AccountNotClosed("This account is not closed.")
        closure.reopened_at, closure.reopened_by, closure.reopen_reason = now, actor_id, reason.strip()[:500]
        closure.save(update_fields=["reopened_at", "reopened_by", "reopen_reason"])
        user.is_active = True
        user.save(update_fields=["is_active"])
        _record(actor_id, user_id, "account.reopen", {"reason": closure.reopen_reason}, origin, now)
        _tell("accounts.reopened", user_id, now)


def _locked(user_id: int) -> User:
    user = User.objects.select_for_update().filter(id=user_id).first()
    if user is None:
        raise PersonNotFound("There is no such person.")
    return user


def _tell(topic: str, user_id: int, now: datetime) -> None:
    outbox.append(topic=topic, key=f"user:{user_id}", payload={"user_id": user_id}, now=now)


def _record(actor_id: int, user_id: int, action: str, after: dict[str, object], origin: str, now: datetime) -> None:
    audit.record(actor_id=actor_id, action=action, subject=f"user:{user_id}", after=after, origin=origin, now=now)
