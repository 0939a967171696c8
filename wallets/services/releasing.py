"""Gives reserved inputs or a nonce back, of a payout that was certainly never signed.

What must never happen here: a release while signed bytes exist or may yet be made; they could still be mined. The one exception
pays nobody but ourselves: a way back from cold (see `abandon`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from wallets.lifecycle import State
from wallets.models import Nonce, Payout, PayoutVersion, Reservation, Withdrawal
from wallets.services import steps

NEVER_SIGNED = (Payout.State.RESERVED, Payout.State.SIGNING)


def lock(withdrawal_id: UUID) -> Withdrawal:
    """The withdrawal's row, its payout's locked before it: the order everybody keeps. Raises Withdrawal.DoesNotExist."""
    while True:
        payout_id = Withdrawal.objects.values_list("payout_id", flat=True).get(pk=withdrawal_id)
        if payout_id is not None:
            Payout.objects.select_for_update().get(pk=payout_id)
        withdrawal = Withdrawal.objects.select_for_update().get(pk=withdrawal_id)
        if withdrawal.payout_id in (None, payout_id):
            return withdrawal


def release(withdrawal: Withdrawal, *, now: datetime) -> None:
    """Takes a locked withdrawal out of what was reserved for it, if anything. The caller knows that no signature can come.

    The others of its batch go back into the queue and are gathered anew; this one keeps its state, which the caller changes.
    """
    if withdrawal.payout_id is None:
        return
    payout = Payout.objects.select_for_update().get(pk=withdrawal.payout_id)
    others = take_apart(payout, but=withdrawal.id, now=now)
    requeue(others, now=now)
    withdrawal.payout_id = withdrawal.payout_position = None
    withdrawal.save(update_fields=["payout", "payout_position"])


def release_payout(payout_id: UUID, *, now: datetime) -> None:
    """Gives up a payout that was never signed: coins or nonce are free, and its withdrawals, if any, queue again."""
    payout = Payout.objects.select_for_update().get(pk=payout_id)
    requeue(take_apart(payout, now=now), now=now)


def abandon(payout: Payout, *, now: datetime) -> None:
    """Frees what a locked way back from cold held although its bytes are signed: no node takes them, and new ones are signed by
    hand as well.

    They stay on record with their txid: mined after all, they bring the coins to our hot wallet and are known. Whatever is
    signed instead spends the same coins or the same nonce, so never both.
    """
    assert payout.kind == Payout.Kind.RETURN and payout.state == Payout.State.SIGNED
    _free(payout, now=now)


def take_apart(payout: Payout, *, but: UUID | None = None, now: datetime) -> list[Withdrawal]:
    """Frees what a locked payout held and lets its withdrawals go; returns them, locked, without `but`."""
    assert payout.state in NEVER_SIGNED, f"payout {payout.id} is {payout.state}"
    assert not PayoutVersion.objects.filter(payout=payout, raw__isnull=False).exists()
    rows = list(Withdrawal.objects.select_for_update().filter(payout=payout).exclude(pk=but).order_by("id"))
    _free(payout, now=now)
    for row in rows:
        row.payout_id = row.payout_position = None
        row.save(update_fields=["payout", "payout_position"])
    return rows


def _free(payout: Payout, *, now: datetime) -> None:
    Reservation.objects.filter(payout=payout, released_at=None).update(released_at=now)
    Nonce.objects.filter(payout=payout, released_at=None).update(released_at=now)
    payout.state, payout.closed_at = Payout.State.RELEASED, now
    payout.save(update_fields=["state", "closed_at"])


def requeue(rows: Iterable[Withdrawal], *, now: datetime) -> None:
    """Back into the queue: no step of the customer's, so nobody is told."""
    for row in rows:
        steps.enter(row, State.APPROVED, note="gathered anew", quiet=True, now=now)
