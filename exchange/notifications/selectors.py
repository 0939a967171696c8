"""A person's inbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exchange.notifications.models import Notification


@dataclass(frozen=True, slots=True)
class NotificationView:
    """One line; `link` is a path of ours or empty."""

    id: int
    kind: str
    title: str
    body: str
    link: str
    created_at: datetime
    read_at: datetime | None


def recent(user_id: int, *, before: int | None = None, limit: int = 20) -> list[NotificationView]:
    """Newest first; the cursor is the last id seen. One query."""
    rows = Notification.objects.filter(user_id=user_id)
    if before is not None:
        rows = rows.filter(id__lt=before)
    return [
        NotificationView(
            id=row.id,
            kind=row.kind,
            title=row.title,
            body=row.body,
            link=row.link,
            created_at=row.created_at,
            read_at=row.read_at,
        )
        for row in rows.order_by("-id")[:limit]
    ]


def unread_count(user_id: int) -> int:
    """How many lines were not read yet. One query over a partial index."""
    return Notification.objects.filter(user_id=user_id, read_at=None).count()
