"""How much waits and how much was given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q

from exchange.outbox import registry
from exchange.outbox.models import Delivery, Event


@dataclass(frozen=True, slots=True)
class Backlog:
    """Counts of deliveries, and since when the oldest event waits for its first reader."""

    pending: int
    dead: int
    oldest_waiting_since: datetime | None


def backlog() -> Backlog:
    """What the outbox still owes. Two queries over partial indexes."""
    counts = Delivery.objects.filter(state__in=["pending", "dead"]).aggregate(
        pending=Count("id", filter=Q(state="pending")),
        dead=Count("id", filter=Q(state="dead")),
        oldest=Min("event__created_at", filter=Q(state="pending")),
    )
    new = Event.objects.filter(fanned_out_at=None).aggregate(oldest=Min("created_at"))
    waiting = [moment for moment in (counts["oldest"], new["oldest"]) if moment is not None]
    return Backlog(pending=counts["pending"], dead=counts["dead"], oldest_waiting_since=min(waiting, default=None))


def event(event_id: int, *, attempt: int, now: datetime) -> registry.Event | None:
    """An event again, for a reader that works off what it noted down; None where it was forgotten. One query."""
    row = Event.objects.filter(id=event_id).first()
    if row is None:
        return None
    return registry.Event(
        id=row.id,
        topic=row.topic,
        key=row.key,
        payload=row.payload,
        created_at=row.created_at,
        attempt=attempt,
        now=now,
    )
