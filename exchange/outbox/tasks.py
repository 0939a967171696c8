"""The workers' side of the outbox. A task reads the clock and makes one call."""

from celery import shared_task
from django.utils import timezone

from exchange.outbox import metrics, selectors, services


@shared_task(name="outbox.deliver")
def deliver(**kwargs: object) -> None:
    """Delivers what is due. Runs by the timetable and right after a commit that appended."""
    services.deliver(now=timezone.now())
    backlog = selectors.backlog()
    metrics.pending.set(backlog.pending)
    metrics.dead.set(backlog.dead)


@shared_task(name="outbox.prune")
def prune(**kwargs: object) -> None:
    """Forgets what everybody has had long ago."""
    services.prune(now=timezone.now())
