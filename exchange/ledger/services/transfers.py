"""Posting transfers: all of a call or none of it, once for each id, and never more than there is.

What must never happen here: funds judged before their accounts are locked, or a second result for an id that has one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from exchange.core.errors import Conflict, InvalidRequest, PermissionDenied
from exchange.ledger import bulk, journal
from exchange.ledger.bulk import Locked, UnknownAccount
from exchange.ledger.journal import FORCED_KINDS, JournalError, Kind, Transfer

__all__ = [
    "AccountFrozen", "InsufficientFunds", "InvalidTransfer", "Receipt", "TransferConflict", "UnknownAccount", "post",
    "post_locked",
]  # fmt: skip

WRITER = "services"  # the database picks a free lane


class TransferConflict(Conflict):
    """This id was used before for another transfer."""

    code = "transfer_conflict"


class InsufficientFunds(InvalidRequest):
    """The account has less available than this takes."""

    code = "insufficient_funds"


class AccountFrozen(PermissionDenied):
    """The customer may not spend at present."""

    code = "account_frozen"


class InvalidTransfer(InvalidRequest):
    """A transfer that no book could take."""

    code = "transfer_invalid"


@dataclass(frozen=True)
class Receipt:
    """A posted transfer. `replayed`: it had been posted before, with the same body; this is its first result."""

    id: UUID
    transfer_id: int
    replayed: bool


def post(*, transfers: Sequence[Transfer], now: datetime) -> list[Receipt]:
    """Post the transfers, all or none; funds are judged on what they change together. Receipts in the order given.

    Raises InvalidTransfer, UnknownAccount, TransferConflict, InsufficientFunds, AccountFrozen.
    """
    check_forms(transfers)
    with transaction.atomic(), connection.cursor() as cursor:
        locked = bulk.lock(cursor, journal.net(transfers))
        return post_locked(cursor, locked=locked, transfers=transfers, now=now)


def check_forms(transfers: Sequence[Transfer]) -> None:
    """Refuse what is malformed before anything is locked. Raises InvalidTransfer."""
    if not 1 <= len(transfers) <= journal.TRANSFERS_MAX:
        raise InvalidTransfer(f"A call posts 1 to {journal.TRANSFERS_MAX} transfers.", param="transfers")
    if len({transfer.id for transfer in transfers}) != len(transfers):
        raise InvalidTransfer("Two transfers of one call have the same id.", param="transfers")
    for transfer in transfers:
        try:
            journal.check_form(transfer)
        except JournalError as error:
            raise InvalidTransfer(str(error), param=error.code) from error


def post_locked(
    cursor: Any,
    *,
    locked: Mapping[int, Locked],
    transfers: Sequence[Transfer],
    held_deltas: Mapping[int, int] | None = None,
    unfrozen: Collection[int] = (),
    indebted: Collection[int] = (),
    now: datetime,
) -> list[Receipt]:
    """For this room's services: post to accounts that the caller has locked.

    `unfrozen`: debited although frozen; `indebted`: receivable accounts that the caller makes a debt on, and freezes for.
    """
    known = _known(cursor, transfers)
    fresh = [transfer for transfer in transfers if transfer.id not in known]
    assets = {account_id: account.asset_id for account_id, account in locked.items()}
    for transfer in fresh:
        try:
            journal.check(transfer, assets=assets)
        except JournalError as error:
            raise InvalidTransfer(str(error), param=error.code) from error
    _refuse_frozen(locked, fresh, unfrozen)
    _refuse_debts(locked, fresh, indebted)
    judge(locked, changes=journal.net(fresh), held_deltas=held_deltas or {})
    ids: dict[UUID, int] = dict(known)
    if fresh or held_deltas:
        try:
            with transaction.atomic():
                receipt = bulk.post(cursor, writer=WRITER, transfers=fresh, held_deltas=held_deltas, now=now)
        except IntegrityError as error:
            raise _translated(error) from error
        ids.update(zip([transfer.id for transfer in fresh], receipt.transfer_ids, strict=True))
    return [Receipt(id=t.id, transfer_id=ids[t.id], replayed=t.id in known) for t in transfers]


def judge(locked: Mapping[int, Locked], *, changes: Mapping[int, int], held_deltas: Mapping[int, int]) -> None:
    """Refuse what would leave an account on the wrong side or hold more than there is. Raises InsufficientFunds.

    The database's CHECKs say the same; this says it in words, before anything is written.
    """
    for account_id in changes.keys() | held_deltas.keys():
        account = locked[account_id]
        balance = account.balance + changes.get(account_id, 0)
        held = account.held + held_deltas.get(account_id, 0)
        if not Kind(account.kind).allows(balance=balance, held=held):
            if account.kind == Kind.CUSTOMER:
                raise InsufficientFunds("There is not enough available for this.")
            raise InsufficientFunds(f"The {account.kind} account {account_id} does not cover this.")


def _known(cursor: Any, transfers: Sequence[Transfer]) -> dict[UUID, int]:
    """Transfer ids of those posted before. The same body means the same accounts, so under their lock this is final."""
    cursor.execute(
        "SELECT uuid, transfer_id, digest FROM ledger_transfer_key WHERE uuid = ANY(%s::uuid[])",
        ([str(transfer.id) for transfer in transfers],),
    )
    digests = {transfer.id: journal.digest(transfer) for transfer in transfers}
    known = {}
    for found, transfer_id, digest in cursor.fetchall():
        identity = UUID(str(found))
        if bytes(digest) != digests[identity]:
            raise TransferConflict("This id was used before for another transfer.", param="id")
        known[identity] = transfer_id
    return known


def _refuse_frozen(locked: Mapping[int, Locked], transfers: Sequence[Transfer], unfrozen: Collection[int]) -> None:
    """A frozen customer's account is not debited by a transfer the customer could have wanted."""
    for transfer in transfers:
        if transfer.kind in FORCED_KINDS:
            continue
        for account_id, change in journal.net([transfer]).items():
            account = locked[account_id]
            if change < 0 and account.frozen and account.kind == Kind.CUSTOMER and account_id not in unfrozen:
                raise AccountFrozen("This account is frozen: nothing can be spent from it at present.")


def _refuse_debts(locked: Mapping[int, Locked], transfers: Sequence[Transfer], indebted: Collection[int]) -> None:
    """A debt always freezes: only reversals.take_back makes one."""
    for account_id, change in journal.net(transfers).items():
        if change < 0 and locked[account_id].kind == Kind.RECEIVABLE and account_id not in indebted:
            raise InvalidTransfer("A customer's debt is made by a reversal alone.", param="entries")


def _translated(error: IntegrityError) -> Exception:
    """What the database refused, in this room's words. Another session's id can only be met with other accounts."""
    constraint = error.__cause__.diag.constraint_name or ""  # type: ignore[union-attr]
    if constraint.startswith("ledger_transfer_key"):
        return TransferConflict("This id was used before for another transfer.", param="id")
    if constraint in ("ledger_account_sign", "ledger_account_held"):
        return InsufficientFunds("There is not enough available for this.")
    return error
