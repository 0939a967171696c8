"""What the workers run for bank money. Each task makes one call; old messages may carry what we ignore.

What must never happen here: a decision.
"""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from exchange.fiat.services import holding


@shared_task(name="fiat.release_held", ignore_result=True)
def release_held(**kwargs: Any) -> None:
    holding.release_due(now=timezone.now())
