"""What staff say to a withdrawal: yes, no, wait; and what they do to one that is stuck in the network's queue.

Four eyes: as many different people must agree as the policy said, and never the customer himself, nor any customer of the same
transaction where it is that one which is helped along or taken back. Each deed is in the audit with its reason. What must never
happen here: one person counted twice, a no that leaves the money held, or a deed without a record.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from exchange.audit import services as audit
from exchange.core.errors import Conflict, InvalidRequest, PermissionDenied
from exchange.ledger.services import holds
from wallets import lifecycle
from wallets.lifecycle import State
from wallets.models import CancelAgreement, Withdrawal, WithdrawalApproval
from wallets.services import bumping, deciding, releasing, steps
from wallets.services.withdrawals import WithdrawalNotFound

REASON_LENGTH_MAX = 500
# What two people want must be wanted on one day.
CANCEL_AGREED = timedelta(days=1)


class WithdrawalState(Conflict):
    code = "withdrawal_state"


class AlreadyApproved(Conflict):
    code = "already_approved"


class OwnWithdrawal(PermissionDenied):
    code = "own_withdrawal"


class ReasonMissing(InvalidRequest):
    code = "reason_missing"


def approve(*, withdrawal_id: UUID, actor_id: int, note: str = "", now: datetime) -> int:
    """One member of staff agrees; with enough of them it goes on. Returns how many more are needed.

    Raises WithdrawalNotFound, WithdrawalState, OwnWithdrawal, AlreadyApproved.
    """
    with transaction.atomic():
        withdrawal = _under_review(withdrawal_id, actor_id)
        agreed = WithdrawalApproval.objects.filter(withdrawal=withdrawal)
        if agreed.filter(actor_id=actor_id).exists():
            raise AlreadyApproved("You agreed to this one already. Somebody else must look at it.")
        before = _seen(withdrawal)
        WithdrawalApproval.objects.create(
            withdrawal=withdrawal, actor_id=actor_id, at=now, note=note.strip()[:REASON_LENGTH_MAX]
        )
        missing = max(0, withdrawal.approvals_needed - agreed.count())
        if not missing:
            steps.enter(withdrawal, State.APPROVED, approved_at=now, approved_by=actor_id, reason="", now=now)
            deciding.advance_soon(withdrawal.id)
        _record("withdrawal.approve", withdrawal, actor_id, note, before=before, now=now)
    return missing


def reject(*, withdrawal_id: UUID, actor_id: int, reason: str, now: datetime) -> None:
    """No: the money is the customer's again, who is shown the reason. One person is enough.

    Raises ReasonMissing, WithdrawalNotFound, WithdrawalState, OwnWithdrawal.
    """
    reason = _reason(reason)
    with transaction.atomic():
        withdrawal = _under_review(withdrawal_id, actor_id)
        before = _seen(withdrawal)
        steps.enter(withdrawal, State.REJECTED, reason=reason, now=now)
        holds.void(id=withdrawal.id, now=now)
        _record("withdrawal.reject", withdrawal, actor_id, reason, before=before, now=now)


def hold(*, withdrawal_id: UUID, actor_id: int, reason: str, now: datetime) -> None:
    """Takes one out of the line before it is signed, back to review; whoever agreed before has to look again.

    Raises ReasonMissing, WithdrawalNotFound, WithdrawalState, OwnWithdrawal.
    """
    reason = _reason(reason)
    with transaction.atomic():
        withdrawal = _locked(withdrawal_id, actor_id)
        if State(withdrawal.state) not in lifecycle.HOLDABLE:
            raise WithdrawalState(f"This withdrawal is {withdrawal.state}: it cannot be held.")
        before = _seen(withdrawal)
        releasing.release(withdrawal, now=now)
        steps.enter(withdrawal, State.REVIEW, reason=f"held: {reason}", now=now)
        _record("withdrawal.hold", withdrawal, actor_id, reason, before=before, now=now)


def bump(*, withdrawal_id: UUID, actor_id: int, reason: str, now: datetime) -> None:
    """Sends its transaction again at a higher fee of the house's; every other withdrawal of the same batch gains, too.

    Raises ReasonMissing, WithdrawalNotFound, WithdrawalState, OwnWithdrawal, the errors of `bumping`, ChainError.
    """
    payout_id = _ask_on_chain("withdrawal.bump", withdrawal_id, actor_id, reason, now=now)
    bumping.bump(payout_id=payout_id, actor_id=actor_id, now=now)


def cancel_on_chain(*, withdrawal_id: UUID, actor_id: int, reason: str, now: datetime) -> int:
    """Spends its inputs or its nonce back to ourselves. Which of the two is mined, the network decides; only when the cancel
    is final is the money the customer's again. It takes every withdrawal of the same batch with it, so it takes as many people
    as the strictest of them took to be approved. Returns how many more are needed; with none, it is being cancelled.

    Raises as `bump` does, and AlreadyApproved.
    """
    with transaction.atomic():
        payout_id = _ask_on_chain("withdrawal.cancel_on_chain", withdrawal_id, actor_id, reason, now=now)
        missing = _agree_to_cancel(payout_id, actor_id, now=now)
    if not missing:
        bumping.cancel(payout_id=payout_id, actor_id=actor_id, now=now)
    return missing


def _agree_to_cancel(payout_id: UUID, actor_id: int, *, now: datetime) -> int:
    """One person more who wants it, on a locked payout; how many are missing. What was wanted long ago counts no more."""
    strictest = Withdrawal.objects.filter(payout_id=payout_id).aggregate(most=Max("approvals_needed"))["most"]
    agreed = CancelAgreement.objects.filter(payout_id=payout_id, at__gt=now - CANCEL_AGREED)
    known = agreed.filter(actor_id=actor_id).exists()
    CancelAgreement.objects.update_or_create(payout_id=payout_id, actor_id=actor_id, defaults={"at": now})
    missing = max(0, max(1, strictest) - agreed.count())
    if missing and known:
        raise AlreadyApproved("You want this one cancelled already. Somebody else must want it, too.")
    return missing


def _ask_on_chain(action: str, withdrawal_id: UUID, actor_id: int, reason: str, *, now: datetime) -> UUID:
    """On record before it is tried: the network is asked outside of any transaction of ours."""
    reason = _reason(reason)
    with transaction.atomic():
        withdrawal = _locked(withdrawal_id, actor_id)
        if State(withdrawal.state) not in lifecycle.ON_CHAIN or withdrawal.payout_id is None:
            raise WithdrawalState(f"This withdrawal is {withdrawal.state}, not waiting for a block.")
        if Withdrawal.objects.filter(payout_id=withdrawal.payout_id, owner_id=actor_id).exists():
            raise OwnWithdrawal("This transaction pays a withdrawal of your own as well: nobody decides about that.")
        _record(action, withdrawal, actor_id, reason, before=_seen(withdrawal), now=now)
        return UUID(str(withdrawal.payout_id))


def _under_review(withdrawal_id: UUID, actor_id: int) -> Withdrawal:
    withdrawal = _locked(withdrawal_id, actor_id)
    if withdrawal.state != State.REVIEW:
        raise WithdrawalState(f"This withdrawal is {withdrawal.state}, not under review.")
    return withdrawal


def _locked(withdrawal_id: UUID, actor_id: int) -> Withdrawal:
    try:
        withdrawal = releasing.lock(withdrawal_id)
    except Withdrawal.DoesNotExist:
        raise WithdrawalNotFound("There is no such withdrawal.") from None
    if withdrawal.owner_id == actor_id:
        raise OwnWithdrawal("Nobody decides about a withdrawal of his own.")
    return withdrawal


def _reason(text: str) -> str:
    reason = text.strip()[:REASON_LENGTH_MAX]
    if not reason:
        raise ReasonMissing("Give a reason.", param="reason")
    return reason


def _seen(withdrawal: Withdrawal) -> dict[str, Any]:
    return {"state": withdrawal.state, "reason": withdrawal.reason}


def _record(
    action: str, withdrawal: Withdrawal, actor_id: int, note: str, *, before: dict[str, Any], now: datetime
) -> None:
    agreed = WithdrawalApproval.objects.filter(withdrawal=withdrawal).count()
    audit.record(
        actor_id=actor_id,
        action=action,
        subject=f"withdrawal:{withdrawal.id}",
        before=before,
        after={**_seen(withdrawal), "note": note, "approvals": f"{agreed} of {withdrawal.approvals_needed}"},
        now=now,
    )
