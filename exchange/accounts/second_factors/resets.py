"""Somebody lost every factor, the recovery codes too: one of staff asks for the reset, another carries it out.

Who asked saw to it that it is them (how is written down, without personal data). The reset takes every factor away, ends every
log-in and key, tells the customer by e-mail and pauses withdrawals; at the next log-in a new factor is set up.
What must never happen here: one person who does both, or anybody who decides about themselves; the database refuses both, too.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from allauth.mfa.models import Authenticator
from django.db import IntegrityError, transaction

from exchange.accounts.models import FactorDevice, FactorReset, User
from exchange.accounts.second_factors import selectors
from exchange.accounts.services import credentials, sessions
from exchange.audit import services as audit
from exchange.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied

WAITS = timedelta(days=3)  # then it has to be asked for anew
REASON_LENGTH_MAX = 500


class ResetNotFound(NotFound):
    code = "factor_reset_not_found"


class ResetOpen(Conflict):
    """There is one that waits."""

    code = "factor_reset_open"


class ResetOver(Conflict):
    """It was decided, or waited for too long."""

    code = "factor_reset_over"


class NothingToReset(Conflict):
    code = "nothing_to_reset"


class NotByYou(PermissionDenied):
    """Two people, neither of them the one whom it is about."""

    code = "needs_another_person"


class ReasonMissing(InvalidRequest):
    code = "reason_missing"


def ask(*, user_id: int, reason: str, actor_id: int, origin: str = "", now: datetime) -> int:
    """Writes the wish down; its id. Raises ReasonMissing, NotByYou, NothingToReset, ResetOpen."""
    reason = _reason(reason)
    _may(user_id, actor_id)
    if not selectors.has_factor(user_id):
        raise NothingToReset("This person has no second factor.", param="user_id")
    try:
        with transaction.atomic():
            FactorReset.objects.filter(user_id=user_id, done=None, asked_at__lt=now - WAITS).update(
                done=False, decided_by=actor_id, decided_at=now, refusal="Waited for too long."
            )
            row = FactorReset.objects.create(user_id=user_id, reason=reason, asked_by=actor_id, asked_at=now)
            _record("factor.reset_ask", row, actor_id, origin, now)
    except IntegrityError:
        raise ResetOpen("A reset for this person is waiting for its second pair of eyes.", param="user_id") from None
    return row.pk


def carry_out(*, reset_id: int, actor_id: int, origin: str = "", now: datetime) -> None:
    """The second person's yes. Raises ResetNotFound, ResetOver, NotByYou.

    The person's row is locked before their sessions and keys, as a freeze locks them: else the owner who freezes at this moment
    and the reset would wait for each other.
    """
    with transaction.atomic():
        row = _waiting(reset_id, now)
        User.objects.select_for_update().only("id").filter(pk=row.user_id).first()
        _may(row.user_id, actor_id)
        if row.asked_by == actor_id:
            raise NotByYou("You asked for it: somebody else has to carry it out.")
        row.done, row.decided_by, row.decided_at = True, actor_id, now
        row.save(update_fields=["done", "decided_by", "decided_at"])
        _record("factor.reset", row, actor_id, origin, now)
        Authenticator.objects.filter(user_id=row.user_id)._raw_delete("default")  # told once, below
        FactorDevice.objects.filter(user_id=row.user_id).delete()
        sessions.end_all_access(user_id=row.user_id, now=now)
        credentials.changed(
            user_id=row.user_id, what="factor", detail="Every second factor reset by our staff", actor_id=actor_id,
            origin=origin, now=now,
        )  # fmt: skip


def refuse(*, reset_id: int, reason: str, actor_id: int, origin: str = "", now: datetime) -> None:
    """Anybody's no, the asker's own too. Raises ResetNotFound, ResetOver, ReasonMissing, NotByYou."""
    reason = _reason(reason)
    with transaction.atomic():
        row = _waiting(reset_id, now)
        _may(row.user_id, actor_id)
        row.done, row.decided_by, row.decided_at, row.refusal = False, actor_id, now, reason
        row.save(update_fields=["done", "decided_by", "decided_at", "refusal"])
        _record("factor.reset_refuse", row, actor_id, origin, now)


def _waiting(reset_id: int, now: datetime) -> FactorReset:
    row = FactorReset.objects.select_for_update().filter(pk=reset_id).first()
    if row is None:
        raise ResetNotFound("There is no such reset.")
    if row.done is not None or now - row.asked_at > WAITS:
        raise ResetOver("This was decided already, or waited for too long.")
    return row


def _may(user_id: int, actor_id: int) -> None:
    people = {row.pk: row for row in User.objects.filter(pk__in=[user_id, actor_id])}
    actor, subject = people.get(actor_id), people.get(user_id)
    if subject is None:
        raise ResetNotFound("There is no such person.", param="user_id")
    if actor is None or not (actor.is_staff and actor.is_active) or actor_id == user_id:
        raise NotByYou("A reset is for two of staff, and about neither of them.")
    if (subject.is_staff or subject.is_superuser) and not actor.is_superuser:
        raise NotByYou("Only superusers reset the second factor of staff.")


def _reason(text: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= REASON_LENGTH_MAX:
        raise ReasonMissing(f"Say why, in at most {REASON_LENGTH_MAX} characters.", param="reason")
    return text


def _record(action: str, row: FactorReset, actor_id: int, origin: str, now: datetime) -> None:
    audit.record(
        actor_id=actor_id, action=action, subject=f"user:{row.user_id}", after={"reset": row.pk}, origin=origin, now=now
    )
