"""What one payout or one network does that nobody foresaw is noted, and the others go on.

A defect that meets one row would meet it again each second, and whoever stands behind it in line would wait for ever. What must
never happen here: such a failure passing in silence, or one that is everybody's (the database is away, the worker's time is up)
taken for one row's.
"""

from __future__ import annotations

from typing import Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError

from wallets import metrics

log = structlog.get_logger(__name__)
OF_EVERYBODY = (SoftTimeLimitExceeded, InterfaceError, OperationalError)


def note(error: Exception, what: str, *, network: str, **names: Any) -> None:
    """Says so in the log and in the dashboards' count of faults; raises again what is not about this one alone."""
    if isinstance(error, OF_EVERYBODY):
        raise error
    metrics.FAULTS.labels(network, what).inc()
    log.critical("wallets_fault", what=what, network=network, **names, exc_info=error)
