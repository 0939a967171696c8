"""The workers' side of identity checks. A task reads the clock and makes one call."""

import structlog
from celery import shared_task
from django.utils import timezone

from exchange.secrets import subjects
from kyc import sealing
from kyc.screening import tasks as screening  # noqa: F401  (registers its tasks)
from kyc.services import erasing, expiring, providing

log = structlog.get_logger(__name__)


@shared_task(name="kyc.expire")
def expire(**kwargs: object) -> None:
    """Notices ahead, levels that end, drafts that nobody touched."""
    expiring.run(now=timezone.now())


@shared_task(name="kyc.erase_due")
def erase_due(**kwargs: object) -> None:
    """Erases whom the law lets us forget."""
    erasing.erase_due(now=timezone.now())


@shared_task(name="kyc.sweep")
def sweep(**kwargs: object) -> None:
    """Removes files without a row: pictures and keys."""
    now = timezone.now()
    removed = sealing.sweep(now=now) + subjects.sweep(now=now)
    if removed:
        log.warning("kyc.swept", files=removed)


@shared_task(name="kyc.ask_providers")
def ask_providers(**kwargs: object) -> None:
    """Sends what waits to be sent, and fetches what providers say there is news of."""
    providing.run(now=timezone.now())
