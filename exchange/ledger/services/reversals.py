"""Taking back what was credited and turned out not to be ours to give: a reorganised deposit, a charged-back card.

What is available is taken; the rest becomes the customer's debt on a receivable account, and a debt freezes the customer.
What must never happen here: a customer's balance below zero, what is held taken from under its hold, or one reversal twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from exchange.ledger import bulk, journal
from exchange.ledger.journal import Entry, Kind, Transfer
from exchange.ledger.models import Account, TransferKey
from exchange.ledger.models import Entry as EntryRow
from exchange.ledger.models import Transfer as TransferRow
from exchange.ledger.services import accounts, freezes, owners, transfers
from exchange.ledger.services.transfers import InvalidTransfer, TransferConflict

__all__ = ["InvalidTransfer", "Repayment", "Reversal", "TransferConflict", "repay", "take_back"]


@dataclass(frozen=True)
class Reversal:
    """How a reversal was met, in base units: from the customer's balance, and from the customer's debt."""

    taken: int
    receivable: int


@dataclass(frozen=True)
class Repayment:
    """What was paid of a debt now, and what is still owed, in base units."""

    repaid: int
    outstanding: int


def take_back(
    *, id: UUID, owner_id: int, asset_id: int, amount: int, against_account_id: int, kind: str, reference: str,
    now: datetime,
) -> Reversal:  # fmt: skip
    """Give `amount` back to `against_account_id`. The same id and request again gives the first result.

    Raises InvalidTransfer, UnknownAccount, TransferConflict.
    """
    if type(amount) is not int or not 0 < amount < journal.AMOUNT_MAX:
        raise InvalidTransfer("An amount above zero is taken back.", param="amount")
    with transaction.atomic(), connection.cursor() as cursor:
        customer, receivable, locked = _lock_owner(cursor, owner_id, asset_id, {against_account_id}, now)
        if first := _posted(id):
            return _first_reversal(first, customer, receivable, Entry(against_account_id, amount), kind, reference)
        taken = min(amount, locked[customer].available)
        entries = (Entry(customer, -taken), Entry(receivable, taken - amount), Entry(against_account_id, amount))
        transfer = Transfer(id, kind, tuple(entry for entry in entries if entry.amount), reference)
        transfers.check_forms([transfer])
        transfers.post_locked(
            cursor, locked=locked, transfers=[transfer], unfrozen={customer}, indebted={receivable}, now=now
        )
        if taken < amount:
            freezes.freeze_locked(
                owner_id=owner_id, reason=f"A reversal could not be met in full ({kind} {reference}).".strip(),
                actor=None, now=now, source=freezes.RECEIVABLE,
            )  # fmt: skip
        return Reversal(taken=taken, receivable=amount - taken)


def repay(*, id: UUID, owner_id: int, asset_id: int, now: datetime) -> Repayment:
    """Pay what the customer owes in this asset from what is available; free the customer when no debt is left.

    Call it after crediting somebody who owes. The same id again pays nothing more. Raises TransferConflict.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        customer, receivable, locked = _lock_owner(cursor, owner_id, asset_id, set(), now)
        owed = -locked[receivable].balance
        if first := _posted(id):
            entries = {entry.account_id: entry.amount for entry in first[1]}
            if first[0].kind != "repayment" or entries.keys() != {customer, receivable}:
                raise TransferConflict("This id was used before for another transfer.", param="id")
            return Repayment(repaid=entries[receivable], outstanding=owed)
        paid = min(owed, locked[customer].available)
        if paid:
            transfer = Transfer(id, "repayment", (Entry(customer, -paid), Entry(receivable, paid)))
            transfers.post_locked(cursor, locked=locked, transfers=[transfer], now=now)
        if not freezes.owes(owner_id=owner_id):  # paid now, or by somebody else before
            freezes.free_of_debt_locked(owner_id=owner_id, now=now)
        return Repayment(repaid=paid, outstanding=owed - paid)


def _lock_owner(
    cursor: Any, owner_id: int, asset_id: int, others: set[int], now: datetime
) -> tuple[int, int, dict[int, bulk.Locked]]:
    """The customer's and the receivable account, and all of the owner's accounts locked: a freeze touches every one."""
    owners.lock(owner_id=owner_id)
    customer = accounts.open(kind=Kind.CUSTOMER, asset_id=asset_id, owner_id=owner_id, now=now)
    receivable = accounts.open(kind=Kind.RECEIVABLE, asset_id=asset_id, owner_id=owner_id, now=now)
    mine = set(Account.objects.filter(owner_id=owner_id).values_list("id", flat=True))
    return customer, receivable, bulk.lock(cursor, mine | others)


def _posted(id: UUID) -> tuple[TransferRow, list[EntryRow]] | None:
    key = TransferKey.objects.filter(uuid=id).first()
    if key is None:
        return None
    row = TransferRow.objects.get(id=key.transfer_id)
    return row, list(EntryRow.objects.filter(id__gte=row.id * 32, id__lt=(row.id + 1) * 32).order_by("id"))


def _first_reversal(
    first: tuple[TransferRow, list[EntryRow]], customer: int, receivable: int, against: Entry, kind: str, reference: str
) -> Reversal:
    """The split is decided by what was available then, so the same request is known by what it asked, not by a digest."""
    row, rows = first
    amounts = {entry.account_id: entry.amount for entry in rows}
    asked = (row.kind, row.reference, amounts.pop(against.account_id, None))
    if asked != (kind, reference, against.amount) or not amounts.keys() <= {customer, receivable}:
        raise TransferConflict("This id was used before for another transfer.", param="id")
    return Reversal(taken=-amounts.get(customer, 0), receivable=-amounts.get(receivable, 0))
