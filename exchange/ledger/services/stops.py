"""Stops: withdrawals, deposits or trading halted for everybody, for a reason, until somebody lifts them with one.

Withdrawals may be halted of one asset alone ("withdrawals:USDT"), when the trouble is its own. The stop lives in the ledger,
below every room that must obey it. Several may stand on one scope; it is open when none does.
What must never happen here: a stop lifted without a name and a reason in the audit.
"""

from __future__ import annotations

import re
from datetime import datetime

from django.db import connection, transaction

from exchange.audit import services as audit
from exchange.core.errors import InvalidRequest, NotFound
from exchange.ledger.models import Stop
from exchange.outbox import services as outbox

SCOPES = ("withdrawals", "deposits", "trading")
OF_ONE_ASSET = re.compile(r"withdrawals:[A-Z0-9]{1,16}")
REASON_CHARACTERS_MAX = 500


_STOP = (
    "INSERT INTO ledger_stop (scope, source, reason, actor_id, created_at) VALUES (%s, %s, %s, %s, %s) "
    "ON CONFLICT (scope, source) WHERE lifted_at IS NULL DO NOTHING RETURNING id"
)


class InvalidStop(InvalidRequest):
    """An unknown scope, or no reason."""

    code = "stop_invalid"


class StopNotFound(NotFound):
    """There is no such stop in force."""

    code = "stop_not_found"


def stop(*, scope: str, reason: str, now: datetime, source: str = "staff", actor: int | None = None) -> int:
    """Stop the scope; the stop's id. One that the same source has in force is given back as it stands. Raises InvalidStop."""
    return stop_once(scope=scope, reason=reason, now=now, source=source, actor=actor)[0]


def stop_once(*, scope: str, reason: str, now: datetime, source: str, actor: int | None) -> tuple[int, bool]:
    """As `stop`, and whether it is new: only then has anybody been told."""
    if scope not in SCOPES and not OF_ONE_ASSET.fullmatch(scope):
        raise InvalidStop(f"There are stops of {', '.join(SCOPES)} and withdrawals:ASSET.", param="scope")
    reason = _reason(reason)
    with transaction.atomic(), connection.cursor() as cursor:
        # Two who stop at once: the second waits for the first at the unique index, then finds its row.
        cursor.execute(_STOP, (scope, source, reason, actor, now))
        made = cursor.fetchone() is not None
        row = Stop.objects.get(scope=scope, source=source, lifted_at=None)
        if made:
            _tell("stopped", row, actor=actor, reason=reason, now=now)
        return row.id, made


def lift(*, stop_id: int, reason: str, actor: int | None, now: datetime) -> None:
    """Take a stop away. Raises InvalidStop without a reason, StopNotFound when none such is in force."""
    reason = _reason(reason)
    with transaction.atomic():
        row = Stop.objects.select_for_update().filter(id=stop_id, lifted_at=None).first()
        if row is None:
            raise StopNotFound("There is no such stop in force.", param="stop_id")
        row.lifted_at, row.lifted_by, row.lifted_reason = now, actor, reason
        row.save(update_fields=Stop.LIFT_COLUMNS)
        _tell("lifted", row, actor=actor, reason=reason, now=now)


def _tell(what: str, row: Stop, *, actor: int | None, reason: str, now: datetime) -> None:
    details = {"scope": row.scope, "source": row.source, "reason": reason}
    audit.record(actor_id=actor, action=f"ledger.{what}", subject=f"stop:{row.id}", after=details, now=now)
    outbox.append(topic=f"ledger.{what}", key=f"stop:{row.scope}", payload={"stop_id": row.id, **details}, now=now)


def _reason(text: str) -> str:
    text = text.strip()
    if not text:
        raise InvalidStop("A reason is needed.", param="reason")
    return text[:REASON_CHARACTERS_MAX]
