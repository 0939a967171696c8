"""Upkeep of the audit: room for the next records, and its tip noted in the log, outside the database's reach."""

import structlog
from celery import shared_task

from exchange.audit import selectors, services

log = structlog.get_logger(__name__)


@shared_task(name="audit.anchor")
def anchor(**kwargs: object) -> None:
    """Makes partitions ahead and writes the tip to the log: a chain cut short or sealed anew no longer runs through it."""
    services.make_partitions()
    tip = selectors.tip()
    log.info("audit.anchor", seq=tip.seq, hash=tip.hash)
