"""What waits for a second person. What must never happen here: a lapsed wish shown as one that may still be approved."""

from __future__ import annotations

from datetime import datetime, timedelta

from exchange.proposals.models import Proposal

WAITS = timedelta(days=7)  # then it has to be proposed anew


def waiting_count(*, now: datetime) -> int:
    return Proposal.objects.filter(outcome="", proposed_at__gte=now - WAITS).count()


def oldest(*, now: datetime) -> datetime | None:
    """Since when the first of them waits."""
    rows = Proposal.objects.filter(outcome="", proposed_at__gte=now - WAITS).order_by("proposed_at")
    return rows.values_list("proposed_at", flat=True).first()


def waits_for(*, kind: str, subject: str, now: datetime) -> int | None:
    """The proposal of this kind that waits for this subject, if one does."""
    rows = Proposal.objects.filter(kind=kind, subject=subject, outcome="", proposed_at__gte=now - WAITS)
    return rows.values_list("id", flat=True).first()


def lapsed(proposal: Proposal, *, now: datetime) -> bool:
    return proposal.outcome == "" and now - proposal.proposed_at > WAITS
