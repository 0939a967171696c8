"""Which data keys there are. Never their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exchange.secrets.models import DataKey


@dataclass(frozen=True, slots=True)
class DataKeyView:
    """One version of a purpose's key."""

    purpose: str
    version: int
    master_id: str
    created_at: datetime
    retired_at: datetime | None


def data_keys() -> list[DataKeyView]:
    """All of them, by purpose and version."""
    rows = DataKey.objects.order_by("purpose", "version")
    return [DataKeyView(r.purpose, r.version, r.master_id, r.created_at, r.retired_at) for r in rows]
