"""Holds: a part of a balance set aside, then posted, voided or expired, once.

What must never happen here: a hold on what is not there, a second resolution, or `held` moved without its hold's row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from exchange.core.errors import Conflict, InvalidRequest, NotFound
from exchange.ledger import bulk, journal, models
from exchange.ledger.journal import HoldState, Kind, Transfer
from exchange.ledger.selectors.holds import Hold, view
from exchange.ledger.services import transfers
from exchange.ledger.services.transfers import AccountFrozen, InsufficientFunds, Receipt, TransferConflict

__all__ = [
    "AccountFrozen", "Hold", "HoldConflict", "HoldExceeded", "HoldNotFound", "HoldResolved", "InsufficientFunds",
    "InvalidHold", "expire_due", "place", "settle", "settle_all", "void",
]  # fmt: skip


class HoldNotFound(NotFound):
    """There is no such hold."""

    code = "hold_not_found"


class HoldConflict(Conflict):
    """This id was used before for another hold."""

    code = "hold_conflict"


class HoldResolved(Conflict):
    """The hold was resolved already, another way."""

    code = "hold_resolved"


class HoldExceeded(InvalidRequest):
    """The transfer takes more from the account than was held for it, or nothing at all."""

    code = "hold_exceeded"


class InvalidHold(InvalidRequest):
    """A hold that cannot be placed."""

    code = "hold_invalid"


def place(
    *, id: UUID, account_id: int, amount: int, now: datetime, expires_at: datetime | None = None, reference: str = ""
) -> Hold:
    """Hold `amount` on the account; the same id and body again give the first result.

    Raises InvalidHold, UnknownAccount, HoldConflict, AccountFrozen, InsufficientFunds.
    """
    if type(amount) is not int or not 0 < amount < journal.AMOUNT_MAX:
        raise InvalidHold("An amount above zero is held.", param="amount")
    if len(reference) > journal.REFERENCE_CHARACTERS_MAX:
        raise InvalidHold("A reference has at most 200 characters.", param="reference")
    with transaction.atomic(), connection.cursor() as cursor:
        account = bulk.lock(cursor, [account_id])[account_id]
        if row := models.Hold.objects.filter(id=id).first():
            return _first_result(row, account_id=account_id, amount=amount, expires_at=expires_at, reference=reference)
        if expires_at is not None and expires_at <= now:
            raise InvalidHold("A hold expires in the future.", param="expires_at")
        if not Kind(account.kind).may_hold:
            raise InvalidHold(f"Nothing is held on a {account.kind} account.", param="account_id")
        if account.frozen:
            raise AccountFrozen("This account is frozen: nothing can be spent from it at present.")
        transfers.judge({account_id: account}, changes={}, held_deltas={account_id: amount})
        try:
            with transaction.atomic():
                row = models.Hold.objects.create(
                    id=id, account_id=account_id, amount=amount, reference=reference, created_at=now,
                    expires_at=expires_at,
                )  # fmt: skip
        except IntegrityError as error:  # placed meanwhile on another account: this one is under our lock
            raise HoldConflict("This id was used before for another hold.", param="id") from error
        bulk.post(cursor, writer=transfers.WRITER, transfers=(), held_deltas={account_id: amount}, now=now)
        return view(row)


def settle(*, id: UUID, transfer: Transfer, now: datetime) -> Receipt:
    """Post the transfer that the hold was for; what it does not take is released. Again with the same transfer: the first result.

    It goes through although the customer was frozen since: the hold was placed before. Raises HoldNotFound, HoldResolved,
    HoldExceeded, and what transfers.post raises.
    """
    transfers.check_forms([transfer])
    with transaction.atomic(), connection.cursor() as cursor:
        account_id = _account_of(id)
        changes = journal.net([transfer])
        locked = bulk.lock(cursor, changes.keys() | {account_id})
        row = models.Hold.objects.select_for_update().get(id=id)
        if row.state == HoldState.POSTED and row.transfer_uuid == transfer.id:
            return transfers.post_locked(cursor, locked=locked, transfers=[transfer], now=now)[0]
        _require(row, becoming=HoldState.POSTED)
        if not 0 < -changes.get(account_id, 0) <= row.amount:
            raise HoldExceeded("The transfer takes nothing of what is held, or more.", param="transfer")
        receipt = transfers.post_locked(
            cursor, locked=locked, transfers=[transfer], held_deltas={account_id: -row.amount},
            unfrozen={account_id}, now=now,
        )[0]  # fmt: skip
        if receipt.replayed:
            raise TransferConflict("This transfer was posted before, apart from this hold.", param="transfer")
        _resolve(row, HoldState.POSTED, now=now, transfer_uuid=transfer.id)
        return receipt


def settle_all(*, settlements: Mapping[UUID, Transfer], now: datetime) -> list[Receipt]:
    """Settle several pending holds, each by its own transfer: all of them or none, every account locked once, in the one order.

    Raises what `settle` raises; one that is resolved already is HoldResolved.
    """
    posted = list(settlements.values())
    transfers.check_forms(posted)
    with transaction.atomic(), connection.cursor() as cursor:
        accounts = dict(models.Hold.objects.filter(id__in=settlements).values_list("id", "account_id"))
        if len(accounts) != len(settlements):
            raise HoldNotFound("There is no such hold.", param="id")
        locked = bulk.lock(cursor, journal.net(posted).keys() | set(accounts.values()))
        rows = list(models.Hold.objects.select_for_update().filter(id__in=settlements).order_by("id"))
        held: Counter[int] = Counter()
        for row in rows:
            _require(row, becoming=HoldState.POSTED)
            if not 0 < -journal.net([settlements[row.id]]).get(row.account_id, 0) <= row.amount:
                raise HoldExceeded("The transfer takes nothing of what is held, or more.", param="transfer")
            held[row.account_id] -= row.amount
            row.state, row.resolved_at, row.transfer_uuid = HoldState.POSTED.value, now, settlements[row.id].id
        receipts = transfers.post_locked(
            cursor, locked=locked, transfers=posted, held_deltas=held, unfrozen=set(accounts.values()), now=now
        )
        if any(receipt.replayed for receipt in receipts):
            raise TransferConflict("A transfer was posted before, apart from its hold.", param="transfer")
        models.Hold.objects.bulk_update(rows, ["state", "resolved_at", "transfer_uuid"])
        return receipts


def void(*, id: UUID, now: datetime) -> Hold:
    """Release the hold; one that was voided or has expired stays as it is. Raises HoldNotFound, HoldResolved."""
    with transaction.atomic(), connection.cursor() as cursor:
        account_id = _account_of(id)
        bulk.lock(cursor, [account_id])
        row = models.Hold.objects.select_for_update().get(id=id)
        if row.state in (HoldState.VOIDED, HoldState.EXPIRED):
            return view(row)
        _require(row, becoming=HoldState.VOIDED)
        bulk.post(cursor, writer=transfers.WRITER, transfers=(), held_deltas={account_id: -row.amount}, now=now)
        _resolve(row, HoldState.VOIDED, now=now)
        return view(row)


def expire_due(*, now: datetime, limit: int = 500) -> int:
    """Release the holds whose time has passed, at most `limit`; how many."""
    due = models.Hold.objects.filter(state=HoldState.PENDING, expires_at__lte=now).order_by("expires_at", "id")
    with transaction.atomic(), connection.cursor() as cursor:
        found = dict(due.values_list("id", "account_id")[:limit])
        if not found:
            return 0
        bulk.lock(cursor, found.values())
        rows = list(
            models.Hold.objects.select_for_update()
            .filter(id__in=found, state=HoldState.PENDING, expires_at__lte=now)
            .order_by("id")
        )
        released: Counter[int] = Counter()
        for row in rows:
            released[row.account_id] -= row.amount
        bulk.post(cursor, writer=transfers.WRITER, transfers=(), held_deltas=released, now=now)
        ids = [row.id for row in rows]
        models.Hold.objects.filter(id__in=ids).update(state=HoldState.EXPIRED.value, resolved_at=now)
        return len(rows)


def _account_of(id: UUID) -> int:
    account_id = models.Hold.objects.filter(id=id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise HoldNotFound("There is no such hold.", param="id")
    return account_id


def _require(row: models.Hold, *, becoming: HoldState) -> None:
    if not HoldState(row.state).may_become(becoming):
        raise HoldResolved(f"The hold is {row.state} already.", param="id")


def _first_result(row: models.Hold, **wanted: object) -> Hold:
    if any(getattr(row, name) != value for name, value in wanted.items()):
        raise HoldConflict("This id was used before for another hold.", param="id")
    return view(row)


def _resolve(row: models.Hold, state: HoldState, *, now: datetime, transfer_uuid: UUID | None = None) -> None:
    row.state, row.resolved_at, row.transfer_uuid = state.value, now, transfer_uuid
    row.save(update_fields=["state", "resolved_at", "transfer_uuid"])
