"""The workers' side of the back office. A task reads the clock and makes one call."""

from celery import shared_task
from django.utils import timezone

from exchange.backoffice import figures


@shared_task(name="backoffice.count")
def count(**kwargs: object) -> None:
    """The figures of the days behind the dashboard's plots."""
    figures.count(now=timezone.now())
