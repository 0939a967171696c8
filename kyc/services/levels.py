"""Sets how well a customer is known, and what a level allows.

What must never happen here: a level or a limit that changes without somebody's name and reason, or a log-in that goes on
being trusted with what its customer may no longer do.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from exchange.accounts import log_ins
from exchange.audit import services as audit
from exchange.core.errors import InvalidRequest, NotFound
from kyc import selectors
from kyc.kinds import DAY_S, KINDS, MONTH_S, WINDOWS
from kyc.models import Customer, Level, Limit
from kyc.screening import selectors as screening
from kyc.services import limits

REASON_LENGTH_MAX = 500


class LevelNotFound(NotFound):
    code = "level_not_found"


class LimitInvalid(InvalidRequest):
    """No such limit is possible; the message says why."""

    code = "level_limit_invalid"


class ReasonMissing(InvalidRequest):
    code = "reason_missing"


def assign(
    *, user_id: int, level: int, reason: str, actor_id: int | None, origin: str = "", now: datetime
) -> selectors.LevelView:
    """Gives a customer a level; the reason goes to the audit. Raises LevelNotFound, and UnderReview where a screening case of
    his is open and the level a higher one."""
    if not Level.objects.filter(number=level).exists():
        raise LevelNotFound("There is no such level.", param="level")
    with transaction.atomic():
        limits.lock(user_id)
        before = selectors.level_row(user_id).number
        if level > before:
            screening.check(user_id)
        Customer.objects.filter(user_id=user_id).update(level_id=level, reason=reason, changed_at=now)
        audit.record(
            actor_id=actor_id,
            action="kyc.assign_level",
            subject=f"user:{user_id}",
            before={"level": before},
            after={"level": level, "reason": reason},
            origin=origin,
            now=now,
        )
        log_ins.read_again(user_id)
    return selectors.level(user_id)


def set_limits(
    *,
    level: int,
    amounts: Mapping[tuple[str, int], int | None],
    reason: str,
    actor_id: int,
    origin: str = "",
    now: datetime,
) -> selectors.LevelView:
    """Changes what a level allows: base units of the reference currency by (kind, seconds), None for no limit; what is not
    named stays. What was moved before goes on counting: whoever is above a lowered limit has nothing left until it frees.

    Raises LevelNotFound, LimitInvalid, ReasonMissing.
    """
    reason = reason.strip()
    if not 0 < len(reason) <= REASON_LENGTH_MAX:
        raise ReasonMissing(f"Say why, in at most {REASON_LENGTH_MAX} characters.", param="reason")
    with transaction.atomic():
        row = Level.objects.select_for_update().filter(number=level).first()
        if row is None:
            raise LevelNotFound("There is no such level.", param="level")
        stored = {(limit.kind, limit.seconds): limit for limit in Limit.objects.filter(level=row)}
        before = {key: limit.amount for key, limit in stored.items()}
        changed = {key: amount for key, amount in amounts.items() if before.get(key) != amount}
        _ensure_possible({**before, **amounts})
        if not changed:
            return next(view for view in selectors.levels() if view.number == level)
        for (kind, seconds), amount in changed.items():
            Limit.objects.update_or_create(level=row, kind=kind, seconds=seconds, defaults={"amount": amount})
        row.limits_changed_at = now
        row.save(update_fields=["limits_changed_at"])
        audit.record(
            actor_id=actor_id,
            action="kyc.set_limits",
            subject=f"level:{level}",
            before={_name(key): _text(before.get(key)) for key in sorted(changed)},
            after={**{_name(key): _text(changed[key]) for key in sorted(changed)}, "reason": reason},
            origin=origin,
            now=now,
        )
    return next(view for view in selectors.levels() if view.number == level)


def _ensure_possible(amounts: Mapping[tuple[str, int], int | None]) -> None:
    for (kind, seconds), amount in amounts.items():
        if kind not in KINDS or seconds not in WINDOWS:
            raise LimitInvalid("There is no limit of this kind.", param="kind")
        if amount is not None and amount < 0:
            raise LimitInvalid("A limit is nothing or more.", param=_name((kind, seconds)))
    for kind in KINDS:
        day, month = amounts.get((kind, DAY_S)), amounts.get((kind, MONTH_S))
        if day is not None and month is not None and day > month:
            raise LimitInvalid(
                "What is allowed in a day is at most what is allowed in 30 days.", param=_name((kind, DAY_S))
            )


def _name(key: tuple[str, int]) -> str:
    return f"{key[0]}_{key[1] // DAY_S}d"


def _text(amount: int | None) -> str | None:
    return None if amount is None else str(amount)
