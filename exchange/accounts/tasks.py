"""The workers' side of accounts. A task reads the clock and makes one call."""

from celery import shared_task
from django.utils import timezone

from exchange.accounts.services import exporting, not_me

# A long history takes its time. Less than an hour: after that the broker would hand the task to a second worker.
EXPORT_S, EXPORT_ENDS_S = 3_000, 3_300


@shared_task(name="accounts.make_exports", soft_time_limit=EXPORT_S, time_limit=EXPORT_ENDS_S)
def make_exports(**kwargs: object) -> None:
    """Makes the next copy of a customer's data that was asked for."""
    exporting.make_waiting(now=timezone.now())


@shared_task(name="accounts.tidy")
def tidy(**kwargs: object) -> None:
    """Destroys exports and forgets links that are over."""
    exporting.expire(now=timezone.now())
    not_me.forget_old(now=timezone.now())
