"""Which withdrawals count in the windows of a limit: whatever has left, or may leave yet.

What must never happen here: one that cost the house a fee left out, so that whoever has it refused on the chain again and again
stays below every limit.
"""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from wallets.lifecycle import State
from wallets.models import Payout, PayoutVersion, Withdrawal


def counted() -> QuerySet[Withdrawal]:
    """All but those that ended before they left, that staff took back on the chain, or that others made impossible.

    One that reverted counts.
    """
    taken_back = PayoutVersion.objects.filter(
        payout_id=OuterRef("payout_id"), txid=OuterRef("payout__txid"), kind=PayoutVersion.Kind.CANCEL
    )
    rows = Withdrawal.objects.exclude(state__in=(State.CANCELLED, State.REJECTED))
    lost = Payout.objects.filter(pk=OuterRef("payout_id"), state=Payout.State.LOST)
    return rows.exclude(Q(state=State.FAILED) & (Exists(taken_back) | Exists(lost)))
