"""Appends events and delivers them: at least once, in order a reader and key.

Three steps, each safe to repeat: `append` writes an event in the caller's transaction; `fan_out` makes one pending delivery
for each reader of its topic; `deliver_next` runs one due delivery that is the first of its reader and key, inside a
transaction that holds its row: the row lock is the lease, and a killed worker's lock dies with its connection.

What must never happen here: an event delivered before its transaction committed, a later event of a key overtaking an
earlier one that still waits, or an error that disappears (after the last attempt a delivery is dead, and shown).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from celery import current_app
from django.db import connection, transaction

from exchange.outbox import metrics, registry
from exchange.outbox.models import Delivery, Event

ATTEMPTS_MAX = 14  # with the waits below: a little over four hours
WAIT_FIRST_S, WAIT_MAX_S = 2, 3600
FAN_OUT_BATCH = 500
ERROR_LENGTH_MAX = 2000
KEEP_DELIVERED = timedelta(days=30)
_FAN_OUT_LOCK = 0x6F757462  # any constant; one fan-out at a time keeps deliveries in the order of events

log = structlog.get_logger(__name__)


class NoTransaction(RuntimeError):
    """An event outside a transaction could be committed without its cause."""


def append(*, topic: str, key: str, payload: Mapping[str, Any], now: datetime) -> int:
    """Writes an event in the caller's transaction and wakes the delivery after the commit. Returns the event's id."""
    if not connection.in_atomic_block:
        raise NoTransaction("An event is appended inside the transaction of what caused it.")
    event = Event.objects.create(topic=topic, key=key, payload=dict(payload), created_at=now)
    # A scan appends hundreds in one transaction; one wake-up is enough for all of them.
    if all(waiting is not _wake for _, waiting, _ in connection.run_on_commit):
        transaction.on_commit(_wake, robust=True)
    return event.id


def _wake() -> None:
    """The timetable delivers too, so a broker that is down costs seconds, not events."""
    current_app.send_task("outbox.deliver", retry=False)


def fan_out(*, now: datetime) -> int:
    """Makes the deliveries of new events, oldest first. Returns how many events it handled; 0 where another is at it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_FAN_OUT_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        events = list(Event.objects.filter(fanned_out_at=None).order_by("id")[:FAN_OUT_BATCH])
        readers = registry.all_readers()
        Delivery.objects.bulk_create(
            [
                Delivery(event_id=event.id, reader=reader.name, key=event.key, due_at=now)
                for event in events
                for reader in readers
                if reader.topic == event.topic
            ],
            ignore_conflicts=True,
        )
        Event.objects.filter(id__in=[event.id for event in events]).update(fanned_out_at=now)
    return len(events)


# The first pending delivery of each reader and key, where due. A row that another worker holds is skipped, and what comes
# after it still sees it as pending, because that worker has not committed.
_NEXT = """
SELECT d.id FROM outbox_delivery d
WHERE d.state = 'pending' AND d.due_at <= %s AND d.reader = ANY(%s)
  AND NOT EXISTS (
    SELECT 1 FROM outbox_delivery earlier
    WHERE earlier.state = 'pending' AND earlier.reader = d.reader AND earlier.key = d.key
      AND earlier.event_id < d.event_id)
ORDER BY d.due_at, d.id
LIMIT 1 FOR UPDATE SKIP LOCKED
"""


def deliver_next(*, now: datetime) -> bool:
    """Runs one due delivery. False where none is due for a reader that this process knows."""
    names = [reader.name for reader in registry.all_readers()]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_NEXT, [now, names])
            row = cursor.fetchone()
        if row is None:
            return False
        delivery = Delivery.objects.select_related("event").get(id=row[0])
        _attempt(delivery, now)
    return True


def _attempt(delivery: Delivery, now: datetime) -> None:
    """Runs the reader in a savepoint, so that its failure undoes its writes but not the count of attempts."""
    reader = registry.by_name(delivery.reader)
    event = delivery.event
    delivery.attempts += 1
    try:
        with transaction.atomic():
            reader.read(
                registry.Event(
                    id=event.id,
                    topic=event.topic,
                    key=event.key,
                    payload=event.payload,
                    created_at=event.created_at,
                    attempt=delivery.attempts,
                    now=now,
                )
            )
    except Exception as error:  # whatever a reader raises is its own affair; the delivery is tried again
        _fail(delivery, error, now)
    else:
        delivery.state, delivery.delivered_at, delivery.error = Delivery.State.DELIVERED, now, ""
        metrics.delivered.labels(delivery.reader).inc()
    delivery.save(update_fields=["state", "attempts", "due_at", "error", "delivered_at"])


def _fail(delivery: Delivery, error: Exception, now: datetime) -> None:
    delivery.error = f"{type(error).__name__}: {error}"[:ERROR_LENGTH_MAX]
    if delivery.attempts >= ATTEMPTS_MAX:
        delivery.state = Delivery.State.DEAD
    delivery.due_at = now + timedelta(seconds=min(WAIT_FIRST_S * 2 ** (delivery.attempts - 1), WAIT_MAX_S))
    metrics.failed.labels(delivery.reader).inc()
    log.warning(
        "outbox.delivery_failed",
        reader=delivery.reader,
        event_id=delivery.event_id,
        attempt=delivery.attempts,
        dead=delivery.state == Delivery.State.DEAD,
        error=delivery.error,
    )


def deliver(*, now: datetime, limit: int = 500) -> int:
    """Fans out what is new and runs up to `limit` due deliveries; the number run."""
    fan_out(now=now)
    done = 0
    while done < limit and deliver_next(now=now):
        done += 1
    return done


def requeue(*, delivery_ids: list[int], now: datetime) -> int:
    """Gives dead letters all their attempts again; the number that were dead."""
    return Delivery.objects.filter(id__in=delivery_ids, state=Delivery.State.DEAD).update(
        state=Delivery.State.PENDING, attempts=0, due_at=now
    )


def prune(*, now: datetime) -> int:
    """Forgets events that every reader has had for thirty days; the number of rows that went."""
    old = Event.objects.filter(created_at__lt=now - KEEP_DELIVERED, fanned_out_at__isnull=False)
    removed, _ = old.exclude(deliveries__state__in=[Delivery.State.PENDING, Delivery.State.DEAD]).delete()
    return removed
