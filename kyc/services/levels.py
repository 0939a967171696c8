"""Sets how well a customer is known. What must never happen here: a level that changes without somebody's name and reason."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from exchange.audit import services as audit
from exchange.core.errors import NotFound
from kyc import selectors
from kyc.models import Customer, Level


class LevelNotFound(NotFound):
    code = "level_not_found"


def assign(
    *, user_id: int, level: int, reason: str, actor_id: int | None, origin: str = "", now: datetime
) -> selectors.LevelView:
    """Gives a customer a level; the reason goes to the audit. Raises LevelNotFound."""
    if not Level.objects.filter(number=level).exists():
        raise LevelNotFound("There is no such level.", param="level")
    with transaction.atomic():
        before = selectors.level(user_id)
        Customer.objects.update_or_create(
            user_id=user_id, defaults={"level_id": level, "reason": reason, "changed_at": now}
        )
        audit.record(
            actor_id=actor_id,
            action="kyc.assign_level",
            subject=f"user:{user_id}",
            before={"level": before.number},
            after={"level": level, "reason": reason},
            origin=origin,
            now=now,
        )
    return selectors.level(user_id)
