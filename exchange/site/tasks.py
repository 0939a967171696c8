"""What the site does on a schedule."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from exchange.site.api import idempotency
from exchange.site.services import statements


@shared_task(name="site.forget_idempotency_keys")
def forget_idempotency_keys(**_kwargs: object) -> int:
    """Hourly: keys older than a day."""
    return idempotency.forget(now=timezone.now())


# A long history takes its time. Less than an hour: after that the broker would hand the task to a second worker.
STATEMENT_S, STATEMENT_ENDS_S = 3_000, 3_300


@shared_task(name="site.make_statements", soft_time_limit=STATEMENT_S, time_limit=STATEMENT_ENDS_S)
def make_statements(**_kwargs: object) -> int:
    """Makes the next statement of account that was asked for."""
    return statements.make_waiting(now=timezone.now())


@shared_task(name="site.expire_statements")
def expire_statements(**_kwargs: object) -> int:
    """Hourly: destroys statements that are over."""
    return statements.expire(now=timezone.now())
