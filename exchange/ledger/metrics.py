"""What the ledger shows to Prometheus. What must never happen here: an owner's id or an amount of one customer as a label."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

from prometheus_client import Gauge

if TYPE_CHECKING:
    from exchange.ledger.reconciliation import Report

SORTS = ("balance", "zero", "held", "outside")

_mismatches = Gauge("bourse_ledger_mismatches", "Mismatches that the last reconciliation found.", ["sort"])
_unreachable = Gauge("bourse_ledger_unreachable", "Outside sources that did not answer the last reconciliation.")
_surpluses = Gauge("bourse_ledger_surpluses", "Outside accounts that hold more than the books say.")
_reconciled_at = Gauge("bourse_ledger_reconciled_timestamp_seconds", "When the last reconciliation ran.")


def reconciled(report: Report, *, now: datetime) -> None:
    """Show what a run found."""
    counts = Counter(mismatch.sort for mismatch in report.mismatches)
    for sort in SORTS:
        _mismatches.labels(sort).set(counts[sort])
    _unreachable.set(len(report.unreachable))
    _surpluses.set(len(report.surpluses))
    _reconciled_at.set(now.timestamp())
