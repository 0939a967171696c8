"""Asks custody's policy about a withdrawal and does what it says; the explanation stays with staff, the customer reads a plain
sentence.

The caller has a transaction in which `serialize` was called before any row was locked: what has left is summed under that
lock, so that two requests at once cannot both use the same room. What must never happen here: a withdrawal that goes on
without a stored decision, or a limit of the house's shown to a customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from celery import current_app
from django.db import transaction
from django.db.models import Sum

from custody.selectors import DecisionView
from custody.services import policies
from exchange.ledger.services import holds
from wallets.lifecycle import State
from wallets.models import Withdrawal
from wallets.services import steps, windows

ALLOW, BLOCK = "allow", "block"
# What the customer is told; by the decision's code, the first that fits.
REFUSED = "Our rules do not let this withdrawal go out. Please write to support."
REFUSED_BY_CODE = {
    "policy_amount": "This is more than can leave at once. Try a smaller amount, or write to support.",
    "policy_window": "This is more than can leave within a day. Try a smaller amount, or try again later.",
    "policy_destination": "Our rules do not let coins go to this address. Please write to support.",
    "asset_not_allowed": "This asset cannot be withdrawn at the moment.",
}


def serialize(*, asset_id: int) -> None:
    """Makes every other decision about this asset wait until the transaction ends. Before any row is locked."""
    policies.serialize(asset_id=asset_id)


def decide(
    *,
    withdrawal_id: UUID,
    asset_id: int,
    network_id: int,
    amount: int,
    destination_class: str,
    owner_id: int,
    now: datetime,
) -> DecisionView:
    """The policy's stored decision; changes nothing by itself."""
    return policies.decide(
        subject=f"withdrawal:{withdrawal_id}",
        asset_id=asset_id,
        network_id=network_id,
        amount=amount,
        destination=destination_class,
        initiator="customer",
        owner_id=owner_id,
        spent=_spent(owner_id, asset_id, but=withdrawal_id, now=now),
        now=now,
    )


def go_on(withdrawal: Withdrawal, decision: DecisionView, *, now: datetime) -> None:
    """Where the decision leads a locked withdrawal whose customer has confirmed it."""
    withdrawal.decision_id = decision.id
    if decision.effect == BLOCK:
        steps.enter(withdrawal, State.REJECTED, reason=plain(decision), now=now)
        holds.void(id=withdrawal.id, now=now)
    elif decision.effect == ALLOW:
        steps.enter(withdrawal, State.APPROVED, approved_at=now, now=now)
        advance_soon(withdrawal.id)
    else:
        # The rule's name says enough in a list; the whole explanation stands with the decision.
        reason = f"policy: {decision.rule}"
        steps.enter(withdrawal, State.REVIEW, reason=reason, approvals_needed=decision.approvers, now=now)


def plain(decision: DecisionView) -> str:
    """A refusal in the customer's words: what to do, and no limit of ours."""
    return REFUSED_BY_CODE.get(decision.code, REFUSED)


def advance_soon(withdrawal_id: UUID) -> None:
    """Wakes the worker after the commit. A broker that is down only costs time: the schedule finds it."""
    transaction.on_commit(
        lambda: current_app.send_task(
            "wallets.advance_withdrawal", args=[str(withdrawal_id)], queue="chain", retry=False
        ),
        robust=True,
    )


def _spent(owner_id: int, asset_id: int, *, but: UUID, now: datetime) -> Mapping[tuple[str, int], int]:
    """Base units of the asset within each of the policy's windows, over all networks.

    A customer's own count from the request on. For the house only those count that their customers confirmed: else whoever
    asks and never confirms could use up everybody's room.
    """
    rows = windows.counted().filter(asset_id=asset_id).exclude(id=but)
    scopes = {"customer": rows.filter(owner_id=owner_id), "house": rows.exclude(state=State.REQUESTED)}
    spent = {}
    for scope, seconds in policies.WINDOWS:
        within = scopes[scope].filter(requested_at__gt=now - timedelta(seconds=seconds))
        spent[scope, seconds] = int(within.aggregate(sum=Sum("amount"))["sum"] or 0)
    return spent
