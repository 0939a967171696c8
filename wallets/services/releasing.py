"""Gives reserved inputs or a nonce back, of a payout that was certainly never signed.

What must never happen here: a release while signed bytes exist or may yet be made; they could still be mined.
"""

from __future__ import annotations

from datetime import datetime

from wallets.models import Nonce, Payout, PayoutVersion, Reservation, Withdrawal

NEVER_SIGNED = (Payout.State.RESERVED, Payout.State.SIGNING)


def release(withdrawal: Withdrawal, *, now: datetime) -> None:
    """Frees what was reserved for a locked withdrawal, if anything. The caller knows that no signature can come."""
    if withdrawal.payout_id is None:
        return
    payout = Payout.objects.select_for_update().get(pk=withdrawal.payout_id)
    assert payout.state in NEVER_SIGNED, f"payout {payout.id} is {payout.state}"
    assert not PayoutVersion.objects.filter(payout=payout, raw__isnull=False).exists()
    Reservation.objects.filter(payout=payout, released_at=None).update(released_at=now)
    Nonce.objects.filter(payout=payout, released_at=None).update(released_at=now)
    payout.state, payout.closed_at = Payout.State.RELEASED, now
    payout.save()
    withdrawal.payout_id = withdrawal.payout_position = None
    withdrawal.save(update_fields=["payout", "payout_position"])
