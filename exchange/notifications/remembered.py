"""What this room remembers of a person, for the copy of their data. What must never happen here: another's row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from exchange.core import times
from exchange.notifications.models import Notification, Preference, PushDevice
from exchange.notifications.services import phones

PAGE = 500


def notifications(user_id: int) -> Iterator[dict[str, Any]]:
    """Each line of the inbox, the newest first, page by page."""
    before: int | None = None
    while True:
        rows = Notification.objects.filter(user_id=user_id)
        page = list((rows if before is None else rows.filter(id__lt=before)).order_by("-id")[:PAGE])
        for row in page:
            yield {
                "kind": row.kind, "title": row.title, "body": row.body, "link": row.link, "at": times.iso(row.created_at),
                "read_at": times.iso(row.read_at) if row.read_at else None,
            }  # fmt: skip
        if len(page) < PAGE:
            return
        before = page[-1].id


def targets(user_id: int) -> Iterator[dict[str, Any]]:
    """Devices, the telephone, and what was chosen."""
    number = phones.number_of(user_id)
    if number:
        yield {"what": "phone", "number": number}
    for device in PushDevice.objects.filter(user_id=user_id).order_by("id"):
        yield {
            "what": "device", "platform": device.platform, "label": device.label, "since": times.iso(device.created_at),
            "until": times.iso(device.dropped_at) if device.dropped_at else None,
        }  # fmt: skip
    for choice in Preference.objects.filter(user_id=user_id).order_by("topic", "channel"):
        yield {"what": "choice", "topic": choice.topic, "channel": choice.channel, "wanted": choice.wanted}
