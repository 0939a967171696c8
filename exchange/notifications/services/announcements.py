"""Tells everybody: a published announcement becomes a line in each inbox and a delivery on each way its reader wants.

The walk goes by the ids of people, some hundreds in a transaction that also moves the mark, so a worker that dies tells nobody
twice and leaves nobody out. Who signs up after it was published sees the page, and is not told.
What must never happen here: a draft that is told, or an announcement that is told a second time because its words were mended.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import translation

from exchange.accounts import selectors as accounts
from exchange.notifications import kinds, messages, recipients
from exchange.notifications.announcement_messages import ANNOUNCED
from exchange.notifications.models import Announcement, Notification
from exchange.notifications.services import inbox, planning, preferences
from exchange.outbox import selectors as outbox
from exchange.outbox import services as outbox_services

BATCH = 500
BATCHES_A_RUN = 100


def tell(*, now: datetime) -> int:
    """Goes on with what is to be told; how many people were told in this run."""
    told = 0
    due = Announcement.objects.filter(tell=True, told_at=None, published_at__lte=now).order_by("id")
    for announcement_id in due.values_list("id", flat=True)[:10]:
        for _ in range(BATCHES_A_RUN):
            count = tell_next(announcement_id=announcement_id, now=now)
            if count is None:
                break
            told += count
    return told


def tell_next(*, announcement_id: int, now: datetime) -> int | None:
    """One batch; how many it told, None where all are told, or another worker is at it."""
    with transaction.atomic():
        row = (
            Announcement.objects.select_for_update(skip_locked=True)
            .filter(id=announcement_id, tell=True, told_at=None, published_at__lte=now)
            .first()
        )
        if row is None:
            return None
        if row.told_event_id is None:
            row.told_event_id = outbox_services.append(
                topic=ANNOUNCED, key=f"announcement:{row.id}", payload=_payload(row), now=now
            )
        ids = accounts.ids_after(row.told_up_to, limit=BATCH)
        if not ids:
            row.told_at = now
        else:
            _tell(row.told_event_id, ids, now)
            row.told_up_to = ids[-1]
        row.save(update_fields=["told_event_id", "told_up_to", "told_at"])
        return len(ids) if ids else None


def _tell(event_id: int, ids: list[int], now: datetime) -> None:
    event = outbox.event(event_id, attempt=1, now=now)
    assert event is not None, "it stands in this transaction, or in one before"
    people = [person for person in accounts.people(ids).values() if person.is_active]
    people.sort(key=lambda person: person.id)
    chosen = preferences.of_many([person.id for person in people])
    by_language: dict[str, messages.Message] = {}
    lines = []
    for person in people:
        language = recipients.language(person)
        if language not in by_language:
            with translation.override(language):
                words = messages.BY_TOPIC[ANNOUNCED](event.payload)
            assert words is not None
            by_language[language] = words
        if kinds.wants(kinds.NEWS, kinds.PAGE, chosen.get(person.id, {})):
            columns = inbox.columns(by_language[language], event.created_at)
            lines.append(Notification(user_id=person.id, event_id=event.id, **columns))
    made = Notification.objects.bulk_create(lines, ignore_conflicts=True)
    for line in made:
        inbox.something_new(line.user_id)
    if people:
        planning.plan_for(people, next(iter(by_language.values())), event)


def _payload(row: Announcement) -> dict[str, Any]:
    texts = {text.language: {"title": text.title, "summary": text.summary} for text in row.texts.all()}
    return {"announcement_id": row.id, "slug": row.slug, "texts": texts}
