"""The workers' side of accounts. A task reads the clock and makes one call."""

from celery import shared_task
from django.utils import timezone

from exchange.accounts.services import exporting, not_me


@shared_task(name="accounts.make_exports")
def make_exports(**kwargs: object) -> None:
    """Makes the copies of their data that customers asked for."""
    exporting.make_waiting(now=timezone.now())


@shared_task(name="accounts.tidy")
def tidy(**kwargs: object) -> None:
    """Destroys exports and forgets links that are over."""
    exporting.expire(now=timezone.now())
    not_me.forget_old(now=timezone.now())
