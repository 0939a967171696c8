"""What the ledger shows to Prometheus. What must never happen here: an owner's id or an amount of one customer as a label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from prometheus_client import Counter as Count
from prometheus_client import Gauge

SORTS = ("balance", "zero", "held", "outside")

_mismatches = Gauge("bourse_ledger_mismatches", "Mismatches that the last reconciliation found.", ["sort"])
_unreachable = Gauge("bourse_ledger_unreachable", "Outside sources that did not answer the last reconciliation.")
_surpluses = Gauge("bourse_ledger_surpluses", "Outside accounts that hold more than the books say.")
days_mended = Count(
    "bourse_ledger_days_mended_total", "Daily sums of customers' accounts that were wrong and put right."
)
_reconciled_at = Gauge("bourse_ledger_reconciled_timestamp_seconds", "When the last reconciliation ran.")


def reconciled(*, mismatches: Iterable[str], unreachable: int, surpluses: int, now: datetime) -> None:
    """Show what a run found: the sort of each mismatch, and how many sources did not answer or hold more than booked."""
    counts = Counter(mismatches)
    for sort in SORTS:
        _mismatches.labels(sort).set(counts[sort])
    _unreachable.set(unreachable)
    _surpluses.set(surpluses)
    _reconciled_at.set(now.timestamp())
