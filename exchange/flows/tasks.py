"""The workers' side of jobs. A task reads the clock and makes one call."""

from celery import shared_task
from django.utils import timezone

from exchange.flows.services import freezes


@shared_task(name="flows.advance")
def advance(**kwargs: object) -> None:
    """Takes every job that is due as far as it goes."""
    freezes.advance_due(now=timezone.now())
