"""The workers' side. A task reads the clock and makes one call for each message, so that each lease begins when it is taken."""

from __future__ import annotations

from celery import shared_task
from django.core.cache import cache
from django.utils import timezone

from exchange.notifications import metrics, selectors
from exchange.notifications.services import announcements, sending

AT_ONCE = 500
PUSHES_LOCK, PUSHES_LOCK_S = "notifications.send_pushes", 240


@shared_task(name="notifications.send_mails")
def send_mails(**kwargs: object) -> None:
    """Sends what is due. Runs by the timetable and right after a commit that planned some."""
    _run(sending.MAILS)


@shared_task(name="notifications.send_pushes")
def send_pushes(**kwargs: object) -> None:
    """As above, for pushes and SMS; one of it at a time, so that slow providers hold one place of the workers and no more."""
    if not cache.add(PUSHES_LOCK, 1, timeout=PUSHES_LOCK_S):
        return
    try:
        _run(sending.PUSHES)
    finally:
        cache.delete(PUSHES_LOCK)


def _run(channels: tuple[str, ...]) -> None:
    done = 0
    while done < AT_ONCE and sending.send_next(of=channels, now=timezone.now()):
        done += 1
    backlog = selectors.backlog(now=timezone.now())
    for channel, count in backlog.waiting.items():
        metrics.waiting.labels(channel).set(count)
    metrics.dead.set(backlog.dead)
    metrics.paused.set(backlog.paused)


@shared_task(name="notifications.announce")
def announce(**kwargs: object) -> None:
    """Tells everybody of what was published, some hundreds at a time."""
    announcements.tell(now=timezone.now())


@shared_task(name="notifications.prune")
def prune(**kwargs: object) -> None:
    """Forgets deliveries that were settled long ago."""
    sending.prune(now=timezone.now())
