"""A hold, as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from exchange.ledger import models
from exchange.ledger.journal import HoldState


@dataclass(frozen=True)
class Hold:
    """A part of a balance set aside. `amount` in base units of the account's asset."""

    id: UUID
    account_id: int
    amount: int
    state: HoldState
    reference: str
    expires_at: datetime | None
    transfer_uuid: UUID | None


def get(*, id: UUID) -> Hold | None:
    row = models.Hold.objects.filter(id=id).first()
    return None if row is None else view(row)


def view(row: models.Hold) -> Hold:
    """The row, as others may see it."""
    return Hold(
        id=row.id,
        account_id=row.account_id,
        amount=row.amount,
        state=HoldState(row.state),
        reference=row.reference,
        expires_at=row.expires_at,
        transfer_uuid=row.transfer_uuid,
    )
