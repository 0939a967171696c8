"""The book from above for staff: accounts by kind and asset, one account whole, a transfer by its number or its client's id.

Every list goes by an index and a cursor, so the last page costs what the first does. What must never happen here: a write, or a
count of a table that only grows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Sum

from exchange.ledger.journal import ENTRIES_MAX
from exchange.ledger.models import Account, Batch, Entry, Hold, Transfer, TransferKey

PAGE = 50


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as the book has it: signed, credit positive."""

    id: int
    kind: str
    asset_id: int
    owner_id: int | None
    label: str
    balance: int
    held: int
    frozen: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EntryView:
    """One line of a transfer, with the account it moved."""

    id: int
    amount: int
    account: AccountView


@dataclass(frozen=True, slots=True)
class PostedView:
    """A transfer whole, and where it stands in the chain of hashes."""

    id: int
    uuid: UUID
    kind: str
    reference: str
    posted_at: datetime
    entries: tuple[EntryView, ...]
    batch_id: int
    writer_id: int
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class HeldView:
    """A part of a balance that waits for something."""

    id: UUID
    amount: int
    reference: str
    created_at: datetime
    expires_at: datetime | None


def account(account_id: int) -> AccountView | None:
    row = Account.objects.filter(id=account_id).first()
    return None if row is None else _account(row)


def accounts(
    *, kind: str = "", asset_id: int | None = None, owner_id: int | None = None, before: int | None = None
) -> list[AccountView]:
    """Newest first; `before` is the last id of the page before. One more than a page where there are more."""
    rows = Account.objects.order_by("-id")
    if kind:
        rows = rows.filter(kind=kind)
    if asset_id is not None:
        rows = rows.filter(asset_id=asset_id)
    if owner_id is not None:
        rows = rows.filter(owner_id=owner_id)
    if before is not None:
        rows = rows.filter(id__lt=before)
    return [_account(row) for row in rows[: PAGE + 1]]


def house() -> list[AccountView]:
    """The accounts that are nobody's: a few for each asset and shard."""
    return [_account(row) for row in Account.objects.filter(owner_id=None).order_by("asset_id", "kind", "id")[:1_000]]


def house_sums(kind: str) -> dict[int, int]:
    """What the house's accounts of a kind hold together, by asset."""
    rows = Account.objects.filter(owner_id=None, kind=kind).values("asset_id").annotate(units=Sum("balance"))
    return {row["asset_id"]: int(row["units"]) for row in rows.order_by("asset_id")}


def holds(account_id: int) -> list[HeldView]:
    """What waits on an account now, the oldest first; at most a page."""
    rows = Hold.objects.filter(account_id=account_id, state="pending").order_by("created_at")[:PAGE]
    return [HeldView(row.id, row.amount, row.reference, row.created_at, row.expires_at) for row in rows]


def number_of(uuid: UUID) -> int | None:
    """The transfer that a client's id stands for, as long as its key is kept."""
    return TransferKey.objects.filter(uuid=uuid).values_list("transfer_id", flat=True).first()


def posted(transfer_id: int) -> PostedView | None:
    """Four queries, whatever the size of the book."""
    row = Transfer.objects.filter(id=transfer_id).first()
    if row is None:
        return None
    first = row.id * ENTRIES_MAX
    entries = Entry.objects.filter(id__gte=first, id__lt=first + ENTRIES_MAX).select_related("account").order_by("id")
    batch = Batch.objects.filter(id=row.batch_id).first()
    return PostedView(
        id=row.id,
        uuid=row.uuid,
        kind=row.kind,
        reference=row.reference,
        posted_at=row.posted_at,
        entries=tuple(EntryView(each.id, each.amount, _account(each.account)) for each in entries),
        batch_id=row.batch_id,
        writer_id=batch.writer_id if batch else 0,
        seq=batch.seq if batch else 0,
        hash=bytes(batch.hash).hex() if batch else "",
    )


def described(account_ids: Iterable[int]) -> dict[int, AccountView]:
    return {row.id: _account(row) for row in Account.objects.filter(id__in=list(account_ids))}


def _account(row: Account) -> AccountView:
    return AccountView(
        row.id, row.kind, row.asset_id, row.owner_id, row.label, row.balance, row.held, row.frozen, row.created_at
    )
