"""Withdrawals of a customer wait after each change of a credential: whoever took an account over cannot empty it the same day.

Rooms that move coins out ask `check`, at the request and again when it is confirmed, so that a withdrawal asked for before the
change does not leave after it. What must never happen here: a pause that is shortened by another one.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from exchange.accounts import selectors
from exchange.accounts.models import Pause, User
from exchange.audit import services as audit
from exchange.core import times
from exchange.core.errors import Conflict


class WithdrawalsPaused(Conflict):
    """A credential was changed lately, or the customer froze the account. `until` is None where staff have to lift it."""

    code = "withdrawals_paused"

    def __init__(self, until: datetime | None) -> None:
        self.until = until
        if until is None:
            super().__init__("Withdrawals are paused: this account was frozen by its owner. Please write to support.")
        else:
            super().__init__(
                f"Withdrawals are paused until {until:%-d %B %Y, %H:%M} UTC: how this account is protected was changed."
            )


def pause(*, user_id: int, reason: str, actor_id: int | None, origin: str = "", now: datetime) -> datetime | None:
    """Pauses the customer's withdrawals for CREDENTIAL_PAUSE_H from now on; until when, None where that is switched off."""
    if settings.CREDENTIAL_PAUSE_H <= 0:
        return None
    until = now + timedelta(hours=settings.CREDENTIAL_PAUSE_H)
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).only("id").filter(id=user_id).first()
        Pause.objects.create(user_id=user_id, reason=reason[:200], actor_id=actor_id, began_at=now, until=until)
        audit.record(
            actor_id=actor_id,
            action="withdrawals.pause",
            subject=f"user:{user_id}",
            after={"until": times.iso(until), "reason": reason[:200]},
            origin=origin,
            now=now,
        )
    return until


def check_in_transaction(*, user_id: int, now: datetime) -> None:
    """As `check`, and no pause or freeze begins before the caller's transaction is over: what it writes is seen by them, or they
    are seen here. Two queries."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM accounts_user WHERE id = %s FOR SHARE", [user_id])
    check(user_id=user_id, now=now)


def frozen_in_transaction(user_ids: Collection[int]) -> set[int]:
    """Those of the customers who are frozen, and no other of them is before the caller's transaction is over: what it sends is
    sent before the freeze, or not at all. Two queries."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM accounts_user WHERE id = ANY(%s) ORDER BY id FOR SHARE", [sorted(user_ids)])
    return selectors.frozen_among(user_ids)


def check(*, user_id: int, now: datetime) -> None:
    """Raises WithdrawalsPaused. One query."""
    until = selectors.paused_until(user_id, now)
    if until is not None:
        raise WithdrawalsPaused(None if until == selectors.UNTIL_LIFTED else until)
