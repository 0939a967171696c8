"""What the workers run for this room."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from exchange.compliance.services import solvency


@shared_task(name="compliance.solvency", ignore_result=True)
def check_solvency(**kwargs: Any) -> None:
    solvency.check(now=timezone.now())
