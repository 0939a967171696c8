"""Where coins meet the sanctions lists: who may send at all, where to, and what came from whom.

A customer is told what any other refusal tells him: a word of a list would warn him. What must never happen here: coins that
leave for a listed address, a blocked customer or one who is frozen, also where any of these came after the request; or coins
from a listed address credited before staff have looked.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from exchange.accounts import selectors as accounts
from exchange.accounts.services import pauses
from exchange.audit import services as audit
from exchange.ledger import selectors as ledger
from kyc.screening import selectors as screening
from kyc.screening.services import addresses
from wallets import routes
from wallets.models import Deposit, Withdrawal

# Why a deposit is held, and why a withdrawal waits; customers see the first one's name in the API.
HELD_FOR = WAITING = "review"


def refuses(*, user_id: int, network: str, address: str, now: datetime) -> bool:
    """Whether this customer may not send to this address. A listed address makes a case, which is committed before this
    returns."""
    listed = addresses.refuses_destination(user_id=user_id, network=network, address=address, now=now)
    return listed or screening.blocked(user_id)


def under_review(owner_ids: Collection[int]) -> set[int]:
    """Those of the customers of whom nothing leaves until staff have cleared them. One query."""
    return screening.blocked_among(owner_ids)


def held_back(rows: Sequence[Withdrawal], *, now: datetime) -> set[UUID]:
    """Those of the withdrawals that may not leave now: their customer is blocked, or their address was listed meanwhile."""
    if not rows:
        return set()
    blocked = screening.blocked_among({row.owner_id for row in rows})
    listed = addresses.listed_among({row.address for row in rows})
    for row in rows:
        if row.address in listed:
            network = routes.codes()[row.network_id]
            addresses.refuses_destination(user_id=row.owner_id, network=network, address=row.address, now=now)
    return {row.id for row in rows if row.owner_id in blocked or row.address in listed}


def frozen_among(owner_ids: Collection[int]) -> set[int]:
    """Those of the customers who are frozen: by staff, or by themselves, whether or not the news of it has arrived."""
    return ledger.frozen_among(owner_ids=owner_ids) | accounts.frozen_among(owner_ids)


def frozen_or_held_back(rows: Sequence[Withdrawal], *, now: datetime) -> bool:
    """Whether any of one transaction's withdrawals may not be signed; and no owner freezes himself before the caller's
    transaction is over. (The worker that takes his withdrawals back reads of it later, and may be down.)"""
    owners: Collection[int] = {row.owner_id for row in rows}
    by_themselves = pauses.frozen_in_transaction(owners)
    return bool(by_themselves or ledger.frozen_among(owner_ids=owners) or held_back(rows, now=now))


def holds(deposit: Deposit, *, network: str, now: datetime) -> bool:
    """Whether a deposit's credit has to wait for staff, in the caller's transaction."""
    if deposit.owner_id is None or not deposit.payers:
        return False
    return addresses.holds_deposit(
        user_id=deposit.owner_id, network=network, payers=deposit.payers, deposit_id=deposit.id, now=now
    )


def cleared(*, deposit_id: str, actor_id: int, now: datetime) -> None:
    """Staff have cleared the last case of a deposit: it is tried as if only a limit held it, and credited where it may be."""
    with transaction.atomic():
        deposit = Deposit.objects.select_for_update().filter(pk=deposit_id).first()
        if deposit is None or deposit.state != Deposit.State.HELD or deposit.held_for != HELD_FOR:
            return  # its block is gone; should it come again, it is looked at again
        deposit.held_for = "limit"
        deposit.save(update_fields=["held_for"])
        audit.record(
            actor_id=actor_id,
            action="deposit.clear",
            subject=f"deposit:{deposit.id}",
            before={"held_for": HELD_FOR},
            after={"held_for": "limit"},
            now=now,
        )
