"""Deposits that are confirmed and may not be credited yet: booked, held apart, and let go when there is room.

Coins cannot be sent back unasked, so what passes a limit is kept: booked to an account of its own in the books (`Kind.SUSPENSE`,
label HELD), counted as owed, and shown with the reason. It is credited by itself when the window frees, the level rises or
the price is known again, or by staff. What must never happen here: a held deposit lost, or credited twice; each change is one
transaction under the cursor's and the customer's lock, and every transfer's id is made from what it books. Nor coins that are
credited because the lists were different when they came: who paid is looked at again under the locks; nor one that cannot go,
or fails, in the way of those behind it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models.functions import Greatest

from exchange.assets.selectors import AssetNetworkView
from exchange.audit import services as audit
from exchange.core.errors import Conflict, InvalidRequest, NotFound
from exchange.ledger import selectors as ledger
from exchange.ledger.journal import Entry, Kind, Transfer
from exchange.ledger.services import reversals, transfers
from kyc import selectors as kyc
from kyc.kinds import DEPOSIT
from kyc.services import limits
from wallets import books, faults, news, routes
from wallets.models import Cursor, Deposit
from wallets.services import failing, screening

log = structlog.get_logger(__name__)
LIMIT, PRICE = "limit", "price"
# Tried again by themselves; whoever holds for another reason lets go by himself.
TRIED_AGAIN = (LIMIT, PRICE)
AT_ONCE = 500
NOTE_LENGTH_MAX = 500


class DepositNotFound(NotFound):
    code = "deposit_not_found"


class DepositNotHeld(Conflict):
    """It was credited, or its block is gone; there is nothing to let go."""

    code = "deposit_not_held"


class NoteMissing(InvalidRequest):
    code = "note_missing"


def lock_limited(owners: Iterable[int]) -> frozenset[int]:
    """Those of them whose deposits are counted, their limits locked until the transaction ends, in the order of their ids."""
    limited = kyc.limited_among(set(owners), DEPOSIT)
    for owner_id in sorted(limited):
        limits.lock(owner_id)
    return limited


def why(deposit: Deposit, *, now: datetime) -> str:
    """Why it may not be credited now; "" where it may, and then its worth is noted in it. Under the customer's lock."""
    assert deposit.owner_id is not None
    try:
        deposit.worth = limits.check_deposit(
            user_id=deposit.owner_id, asset_id=deposit.asset_id, amount=deposit.amount, now=now
        )
    except limits.LimitExceeded:
        return LIMIT
    except kyc.WorthUnknown:
        return PRICE
    return ""


def release_due(*, now: datetime) -> int:
    """Credits held deposits for which there is room by now, one try each, the longest untried first; returns how many."""
    if ledger.stops.is_stopped("deposits"):
        return 0
    held = Deposit.objects.filter(state=Deposit.State.HELD, held_for__in=TRIED_AGAIN)
    in_turn = held.annotate(since=Greatest("tried_at", "held_at")).order_by("since", "held_at", "id")
    released = 0
    for deposit_id, network_id in list(in_turn.values_list("id", "network_id")[:AT_ONCE]):
        try:
            released += _try(deposit_id, now=now)
        except Exception as error:
            network = routes.codes().get(network_id, str(network_id))
            failing.note(error, "release", network=network, deposit=str(deposit_id))
            Deposit.objects.filter(pk=deposit_id).update(tried_at=now)
    return released


def _try(deposit_id: UUID, *, now: datetime) -> bool:
    with transaction.atomic():
        deposit = _locked(deposit_id)
        if deposit.state != Deposit.State.HELD or deposit.held_for not in TRIED_AGAIN:
            return False  # somebody was faster, or its block is gone
        assert deposit.owner_id is not None
        limits.lock(deposit.owner_id)
        deposit.tried_at = now
        reason = why(deposit, now=now) or _who_paid(deposit, now=now)
        if reason:
            deposit.held_for = reason
            deposit.save(update_fields=["held_for", "tried_at"])
            return False
        _credit(deposit, now=now)
        faults.passing("deposit.release.before_commit")
    return True


def release(*, deposit_id: UUID, actor_id: int, note: str, origin: str = "", now: datetime) -> None:
    """Staff credit a held deposit whatever its limit says; it counts all the same. Never past the lists: where who paid is on
    one by now, it waits for that case. Raises DepositNotFound, DepositNotHeld, NoteMissing."""
    note = note.strip()
    if not 0 < len(note) <= NOTE_LENGTH_MAX:
        raise NoteMissing(f"Say why, in at most {NOTE_LENGTH_MAX} characters.", param="note")
    with transaction.atomic():
        deposit = _locked(deposit_id)
        if deposit.state != Deposit.State.HELD or deposit.held_for not in TRIED_AGAIN:
            raise DepositNotHeld("This deposit is not held for its limit.")
        assert deposit.owner_id is not None
        limits.lock(deposit.owner_id)
        held_for, listed = deposit.held_for, _who_paid(deposit, now=now)
        if listed:
            deposit.held_for = listed
            deposit.save(update_fields=["held_for"])
        else:
            deposit.worth = kyc.worth_if_known({deposit.asset_id: deposit.amount}, now=now)
            _credit(deposit, now=now)
            audit.record(
                actor_id=actor_id,
                action="deposit.release",
                subject=f"deposit:{deposit.id}",
                before={"state": "held", "held_for": held_for},
                after={"state": "credited", "note": note},
                origin=origin,
                now=now,
            )
    if listed:  # raised when the case is committed
        raise DepositNotHeld("This deposit waits for a screening case.")


def _who_paid(deposit: Deposit, *, now: datetime) -> str:
    """Why it may not be credited by the lists as they are now, its case opened; "" where it may. Under the locks."""
    network = routes.codes()[deposit.network_id]
    return screening.HELD_FOR if screening.holds(deposit, network=network, now=now) else ""


def _locked(deposit_id: UUID) -> Deposit:
    """The row, after the cursor of its network: the order in which everybody locks them."""
    found = Deposit.objects.filter(pk=deposit_id).only("network_id").first()
    if found is None:
        raise DepositNotFound("There is no such deposit.")
    Cursor.objects.select_for_update().get(network_id=found.network_id)
    return Deposit.objects.select_for_update(of=("self",)).select_related("address").get(pk=deposit_id)


def _credit(deposit: Deposit, *, now: datetime) -> None:
    """From where it waits to its owner, who pays his debts first; under its locks."""
    assert deposit.owner_id is not None
    link = routes.of(routes.codes()[deposit.network_id]).by_asset(deposit.asset_id)
    indebted = bool(ledger.receivables(owner_id=deposit.owner_id))
    deposit.release_id = books.release_id(deposit.id, times=deposit.credits)
    deposit.state, deposit.held_for, deposit.credited_at = Deposit.State.CREDITED, "", now
    deposit.save()
    transfers.post(transfers=[_transfer(deposit, link, now=now)], now=now)
    if indebted:
        repayment = books.repayment_id(deposit.id, times=deposit.credits)
        reversals.repay(id=repayment, owner_id=deposit.owner_id, asset_id=deposit.asset_id, now=now)
    height = Cursor.objects.values_list("height", flat=True).get(network_id=deposit.network_id)
    news.deposit("credited", deposit, link, scanned_height=height, now=now)


def _transfer(deposit: Deposit, link: AssetNetworkView, *, now: datetime) -> Transfer:
    assert deposit.owner_id is not None and deposit.release_id is not None
    waits = books.house(Kind.SUSPENSE, asset_id=deposit.asset_id, label=books.HELD_DEPOSITS, now=now)
    owner = books.customer(owner_id=deposit.owner_id, asset_id=deposit.asset_id, now=now)
    return Transfer(
        id=deposit.release_id,
        kind="deposit",
        entries=(Entry(waits, -deposit.amount), Entry(owner, deposit.amount)),
        reference=f"{link.network}:{deposit.txid}:{deposit.position}",
    )
