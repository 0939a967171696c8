"""Freezes: a customer who may not spend, in any asset, for one reason or several; free again when the last is lifted.

What must never happen here: a freeze that leaves one of the customer's accounts out, or is lifted without a reason.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

from exchange.audit import services as audit
from exchange.core.errors import Conflict, InvalidRequest
from exchange.ledger import bulk
from exchange.ledger.journal import Kind
from exchange.ledger.models import Account, Freeze
from exchange.ledger.services import owners
from exchange.outbox import services as outbox

RECEIVABLE = "receivable"  # the source of a freeze that a debt caused; it goes when the debt does
REASON_CHARACTERS_MAX = 500


class InvalidFreeze(InvalidRequest):
    """A freeze or its lifting without a reason."""

    code = "freeze_invalid"


class NotFrozen(Conflict):
    """The customer is not frozen by this source."""

    code = "not_frozen"


class StillOwing(Conflict):
    """The customer owes us: that freeze goes with the debt."""

    code = "still_owing"


def freeze(*, owner_id: int, reason: str, actor: int | None, now: datetime, source: str = "staff") -> bool:
    """Freeze the customer; False when this source had already. Raises InvalidFreeze."""
    reason = _reason(reason)
    with transaction.atomic(), connection.cursor() as cursor:
        owners.lock(owner_id=owner_id)
        bulk.lock(cursor, account_ids(owner_id=owner_id))
        return freeze_locked(owner_id=owner_id, reason=reason, actor=actor, now=now, source=source)


def unfreeze(*, owner_id: int, reason: str, actor: int | None, now: datetime, source: str = "staff") -> bool:
    """Lift this source's freeze; True when the customer is free now. Raises InvalidFreeze, NotFrozen, StillOwing."""
    reason = _reason(reason)
    with transaction.atomic(), connection.cursor() as cursor:
        owners.lock(owner_id=owner_id)
        bulk.lock(cursor, account_ids(owner_id=owner_id))
        if source == RECEIVABLE and owes(owner_id=owner_id):
            raise StillOwing("The customer owes us; this freeze is lifted when the debt is paid.")
        return unfreeze_locked(owner_id=owner_id, reason=reason, actor=actor, now=now, source=source)


def account_ids(*, owner_id: int) -> list[int]:
    """All accounts of an owner, of every kind and asset."""
    return list(Account.objects.filter(owner_id=owner_id).values_list("id", flat=True))


def owes(*, owner_id: int) -> bool:
    return Account.objects.filter(owner_id=owner_id, kind=Kind.RECEIVABLE.value, balance__lt=0).exists()


def freeze_locked(*, owner_id: int, reason: str, actor: int | None, now: datetime, source: str) -> bool:
    """For this room's services: the owner and all the owner's accounts are locked already."""
    if Freeze.objects.filter(owner_id=owner_id, source=source, lifted_at=None).exists():
        return False
    Freeze.objects.create(owner_id=owner_id, source=source, reason=reason, actor_id=actor, created_at=now)
    Account.objects.filter(owner_id=owner_id).update(frozen=True)
    _tell("frozen", owner_id=owner_id, source=source, reason=reason, actor=actor, now=now)
    return True


def unfreeze_locked(*, owner_id: int, reason: str, actor: int | None, now: datetime, source: str) -> bool:
    """As unfreeze, under the caller's locks."""
    row = Freeze.objects.filter(owner_id=owner_id, source=source, lifted_at=None).first()
    if row is None:
        raise NotFrozen("The customer is not frozen by this.", param="source")
    row.lifted_at, row.lifted_by, row.lifted_reason = now, actor, reason
    row.save(update_fields=Freeze.LIFT_COLUMNS)
    _tell("unfrozen", owner_id=owner_id, source=source, reason=reason, actor=actor, now=now)
    if Freeze.objects.filter(owner_id=owner_id, lifted_at=None).exists():
        return False
    Account.objects.filter(owner_id=owner_id).update(frozen=False)
    return True


def free_of_debt_locked(*, owner_id: int, now: datetime) -> None:
    """Lift the freeze that a debt caused, if there is one, under the caller's locks."""
    if Freeze.objects.filter(owner_id=owner_id, source=RECEIVABLE, lifted_at=None).exists():
        unfreeze_locked(owner_id=owner_id, reason="The debt is paid.", actor=None, now=now, source=RECEIVABLE)


def _tell(what: str, *, owner_id: int, source: str, reason: str, actor: int | None, now: datetime) -> None:
    details = {"owner_id": owner_id, "source": source, "reason": reason}
    audit.record(actor_id=actor, action=f"ledger.{what}", subject=f"user:{owner_id}", after=details, now=now)
    outbox.append(topic=f"ledger.{what}", key=f"user:{owner_id}", payload=details, now=now)


def _reason(text: str) -> str:
    text = text.strip()
    if not text:
        raise InvalidFreeze("A reason is needed.", param="reason")
    return text[:REASON_CHARACTERS_MAX]
