"""The workers' side of invoices. A task reads the clock and makes one call."""

from celery import shared_task
from django.utils import timezone

from exchange.invoices.services import payments


@shared_task(name="invoices.expire")
def expire(**kwargs: object) -> None:
    """Looks again at invoices that time alone has changed."""
    payments.expire_due(now=timezone.now())
