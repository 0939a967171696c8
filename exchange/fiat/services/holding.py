"""Lets held bank money go when there is room: the window frees, the level rises, or the price is known again.

What must never happen here: one that cannot go, or fails, in the way of those behind it; or a credit twice (the row is locked,
and its state looked at under the lock).
"""

from __future__ import annotations

from datetime import datetime

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, transaction
from django.db.models.functions import Greatest

from exchange.audit import services as audit
from exchange.fiat.models import BankDeposit
from exchange.fiat.services import booking
from exchange.ledger.selectors import stops
from kyc.services import limits

log = structlog.get_logger(__name__)
AT_ONCE = 200
# Not about the one row that was being looked at.
OF_EVERYBODY = (SoftTimeLimitExceeded, InterfaceError, OperationalError)


def release_due(*, now: datetime) -> int:
    """Credits what is held and may be credited by now, one try each, the longest untried first; returns how many."""
    if stops.is_stopped("deposits"):
        return 0
    held = BankDeposit.objects.filter(state=BankDeposit.State.HELD).annotate(since=Greatest("tried_at", "held_at"))
    released = 0
    for deposit_id in list(held.order_by("since", "held_at", "id").values_list("id", flat=True)[:AT_ONCE]):
        try:
            released += _try(deposit_id, now=now)
        except OF_EVERYBODY:
            raise
        except Exception as error:
            log.critical("fiat_fault", what="release", bank_deposit=deposit_id, exc_info=error)
            BankDeposit.objects.filter(pk=deposit_id).update(tried_at=now)
    return released


def _try(deposit_id: int, *, now: datetime) -> bool:
    with transaction.atomic():
        row = BankDeposit.objects.select_for_update().get(pk=deposit_id)
        if row.state != BankDeposit.State.HELD:
            return False  # somebody was faster
        limits.lock(row.user_id)
        row.tried_at = now
        before, reason = row.held_for, booking.why(row, now=now)
        if reason:
            row.held_for = reason
            row.save(update_fields=["held_for", "tried_at"])
            return False
        booking.release(row, now=now)
        audit.record(
            actor_id=None,
            action="bank_deposit.release",
            subject=f"bank_deposit:{row.id}",
            before={"state": "held", "held_for": before},
            after={"state": "settled", "settled": str(row.settled)},
            now=now,
        )
    return True
