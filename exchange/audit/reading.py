"""Reads back what was recorded about one subject, newest first, for pages that show people their own history.

What must never happen here: a read of everything, or by anything else than the index of subjects.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from exchange.audit.models import Record


@dataclass(frozen=True, slots=True)
class Deed:
    """One record as it may be shown to its subject."""

    id: int
    at: datetime
    actor_id: int | None
    action: str
    after: dict[str, Any] | None
    origin: str


def about(*, subject: str, actions: Iterable[str], before: int | None = None, limit: int = 20) -> list[Deed]:
    """The newest records of these actions about the subject; the cursor is the last id seen. One query."""
    rows = Record.objects.filter(subject=subject, action__in=list(actions))
    if before is not None:
        rows = rows.filter(id__lt=before)
    return [
        Deed(id=row.id, at=row.at, actor_id=row.actor_id, action=row.action, after=row.after, origin=row.origin)
        for row in rows.order_by("-id")[:limit]
    ]


def whole(*, subject: str, limit: int = 30) -> list[Deed]:
    """The newest records about the subject, whatever the action. For staff. One query, by the index of subjects."""
    return [_deed(row) for row in Record.objects.filter(subject=subject).order_by("-id")[:limit]]


def _deed(row: Record) -> Deed:
    return Deed(id=row.id, at=row.at, actor_id=row.actor_id, action=row.action, after=row.after, origin=row.origin)
