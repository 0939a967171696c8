"""What the site does on a schedule."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from exchange.site.api import idempotency


@shared_task(name="site.forget_idempotency_keys")
def forget_idempotency_keys(**_kwargs: object) -> int:
    """Hourly: keys older than a day."""
    return idempotency.forget(now=timezone.now())
