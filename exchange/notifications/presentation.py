"""A line of the inbox as programs read it: over REST, over the websocket, and told to open pages."""

from __future__ import annotations

from typing import Any

from exchange.core import times
from exchange.notifications.selectors import NotificationView


def notification(line: NotificationView) -> dict[str, Any]:
    return {
        "id": line.id,
        "kind": line.kind,
        "title": line.title,
        "body": line.body,
        "link": line.link,
        "created_at": times.iso(line.created_at),
        "read": line.read_at is not None,
    }
