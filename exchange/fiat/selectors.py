"""A customer's bank transfers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from exchange.core import times
from exchange.fiat import references
from exchange.fiat.models import BankDeposit


@dataclass(frozen=True, slots=True)
class BankDepositView:
    """A transfer announced or arrived; amounts are base units."""

    id: int
    user_id: int
    asset_id: int
    reference: str
    announced: int
    settled: int | None
    state: str
    created_at: datetime
    settled_at: datetime | None
    held_for: str
    held_at: datetime | None
    transfer_id: UUID


def deposits(
    user_id: int,
    *,
    before: int | None = None,
    asset_id: int | None = None,
    states: Collection[str] | None = None,
    since: date | None = None,
    until: date | None = None,
    limit: int = 50,
) -> list[BankDepositView]:
    """Newest first, of these states, announced on these days (UTC, both included); the cursor is the last id. One query."""
    rows = BankDeposit.objects.filter(user_id=user_id)
    if asset_id is not None:
        rows = rows.filter(asset_id=asset_id)
    if states is not None:
        rows = rows.filter(state__in=states)
    if since is not None:
        rows = rows.filter(created_at__gte=times.begins(since))
    if until is not None:
        rows = rows.filter(created_at__lt=times.ends(until))
    if before is not None:
        rows = rows.filter(id__lt=before)
    return [view(row) for row in rows.order_by("-id")[:limit]]


def by_reference(text: str) -> BankDepositView | None:
    """The transfer that a bank's free text means, or None; for staff, never shown to a customer."""
    code = references.parse(text)
    row = BankDeposit.objects.filter(reference=code).first() if code else None
    return None if row is None else view(row)


def view(row: BankDeposit) -> BankDepositView:
    """A row as others see it; for this room's services."""
    return BankDepositView(
        id=row.id,
        user_id=row.user_id,
        asset_id=row.asset_id,
        reference=row.reference,
        announced=row.announced,
        settled=row.settled,
        state=row.state,
        created_at=row.created_at,
        settled_at=row.settled_at,
        held_for=row.held_for,
        held_at=row.held_at,
        transfer_id=row.transfer_id,
    )
