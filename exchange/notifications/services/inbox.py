"""The line in a person's inbox, written exactly once for an event, and told to their open pages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils import translation

from exchange.notifications import kinds, messages, presentation, recipients, selectors
from exchange.notifications.models import Notification
from exchange.notifications.services import preferences
from exchange.outbox import live
from exchange.outbox.registry import Event

TITLE_MAX, BODY_MAX, LINK_MAX = 120, 500, 200


def put(event: Event) -> None:
    """A reader of the outbox: the line for each person concerned who wants it."""
    message = messages.BY_TOPIC[event.topic](event.payload)
    if message is None:
        return
    people = recipients.of(message)
    chosen = preferences.of_many([person.id for person in people])
    topic = kinds.topic_of(message.kind)
    for person in people:
        if not kinds.wants(topic, kinds.PAGE, chosen.get(person.id, {})):
            continue
        with translation.override(recipients.language(person)):
            line = messages.BY_TOPIC[event.topic](event.payload) or message
        row, created = Notification.objects.get_or_create(
            user_id=person.id, event_id=event.id, defaults=columns(line, event.created_at)
        )
        if created:
            tell_open_pages(row)


def columns(line: messages.Message, at: datetime) -> dict[str, Any]:
    """What a line says, cut to what it may hold."""
    return {
        "kind": line.kind,
        "title": line.title[:TITLE_MAX],
        "body": line.body[:BODY_MAX],
        "link": line.link[:LINK_MAX],
        "created_at": at,
    }


def mark_read(*, user_id: int, ids: Iterable[int] | None = None, now: datetime) -> int:
    """Marks a person's own notifications as read, all of them where `ids` is None; the number that were not."""
    rows = Notification.objects.filter(user_id=user_id, read_at=None)
    if ids is not None:
        rows = rows.filter(id__in=list(ids))
    count = rows.update(read_at=now)
    if count:
        live.publish(channel=f"user:{user_id}", message={"type": "notifications_changed"})
    return count


def tell_open_pages(row: Notification) -> None:
    line = presentation.notification(selectors.view(row))
    live.publish(channel=f"user:{row.user_id}", message={"type": "notification", "notification": line})


def something_new(user_id: int) -> None:
    """For lines written by the hundred: the page that is open reads them itself."""
    live.publish(channel=f"user:{user_id}", message={"type": "notifications_changed"})
