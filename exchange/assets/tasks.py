"""The workers' side of prices. A task reads the clock and makes one call."""

import structlog
from celery import shared_task
from django.utils import timezone

from exchange.assets.services import rates
from exchange.assets.sources import SourceFailed

log = structlog.get_logger(__name__)


@shared_task(name="assets.refresh_prices")
def refresh_prices(**kwargs: object) -> None:
    """Asks the source where that is due. A failure is logged and counted; the timetable asks again."""
    try:
        rates.refresh_when_due(now=timezone.now())
    except SourceFailed as error:
        log.warning("assets.source_failed", reason=str(error))
