"""One of staff proposes, another approves; only then it is done, in the same transaction as the word that it was.

A change that an engine makes is asked for inside that transaction: a refusal leaves the proposal waiting; where nobody can say
whether the engine did it, that is what stands. What must never happen here: a change by one person, by somebody who lost the
right meanwhile, about themselves, or on top of what stood differently when it was proposed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from exchange.audit import services as audit
from exchange.core.errors import Conflict, InvalidRequest, NotFound, OutcomeUnknown, PermissionDenied
from exchange.proposals import registry, selectors
from exchange.proposals.models import Proposal
from exchange.proposals.registry import Kind, Wish

REASON_LENGTH_MAX = 500
LAPSED = "Waited for too long."


class ProposalNotFound(NotFound):
    code = "proposal_not_found"


class ProposalOpen(Conflict):
    """One waits for the same thing already."""

    code = "proposal_open"


class ProposalOver(Conflict):
    """It was decided, or waited for too long."""

    code = "proposal_over"


class ProposalStale(Conflict):
    """What it would change has changed since."""

    code = "proposal_stale"


class NothingChanges(InvalidRequest):
    code = "nothing_changes"


class NotByYou(PermissionDenied):
    """Two people who both have the right, neither of them whom it is about."""

    code = "needs_another_person"


class ReasonMissing(InvalidRequest):
    code = "reason_missing"


def propose(
    *, kind: str, subject: str, after: Mapping[str, Any], reason: str, actor_id: int, origin: str = "", now: datetime
) -> int:
    """Writes the wish down; its id. What stays as it is, is left out. Raises NothingChanges, ProposalOpen, NotByYou,
    ReasonMissing."""
    sort = _kind(kind)
    reason = _reason(reason)
    _may(sort, subject, actor_id)
    stands = sort.stands(subject, after)
    wished = {name: value for name, value in after.items() if name not in stands or stands[name] != value}
    if not wished:
        raise NothingChanges("Nothing would change.")
    before = {name: value for name, value in stands.items() if name in wished}
    if sort.check is not None:
        sort.check(subject, wished)
    else:
        _rehearse(sort, Wish(0, subject, before, wished, reason, actor_id, actor_id, origin, now))
    try:
        with transaction.atomic():
            Proposal.objects.filter(
                kind=kind, subject=subject, outcome="", proposed_at__lt=now - selectors.WAITS
            ).update(outcome="refused", decided_by=actor_id, decided_at=now, refusal=LAPSED)
            row = Proposal.objects.create(
                kind=kind, subject=subject, before=before, after=wished, reason=reason, proposed_by=actor_id,
                proposed_at=now,
            )  # fmt: skip
            _record("propose", row, actor_id, origin, now)
    except IntegrityError:
        raise ProposalOpen("A proposal about this waits already. Approve or refuse that one first.") from None
    return int(row.pk)


def approve(*, proposal_id: int, actor_id: int, origin: str = "", now: datetime) -> None:
    """The second person's yes, which makes the change. Raises ProposalNotFound, ProposalOver, ProposalStale, NotByYou, whatever
    the change's own service raises, and OutcomeUnknown after it has stored that nobody knows."""
    unknown: OutcomeUnknown | None = None
    with transaction.atomic():
        row = _waiting(proposal_id, now)
        sort = _kind(row.kind)
        _by_another(row, actor_id)
        _may(sort, row.subject, actor_id)
        if not registry.may(row.proposed_by, sort.right):
            raise NotByYou("Whoever proposed it has no right to it any more. Refuse it, and propose it anew.")
        _unchanged(sort, row)
        try:
            sort.apply(
                Wish(
                    proposal_id=row.pk, subject=row.subject, before=row.before, after=row.after, reason=row.reason,
                    proposed_by=row.proposed_by, actor_id=actor_id, origin=origin, now=now,
                )
            )  # fmt: skip
        except OutcomeUnknown as error:
            unknown = error
        _decide(row, "unknown" if unknown else "applied", actor_id, now)
        _record("approve", row, actor_id, origin, now)
    if unknown is not None:
        raise unknown


def refuse(*, proposal_id: int, reason: str, actor_id: int, origin: str = "", now: datetime) -> None:
    """Anybody's no who has the right; whoever proposed it takes it back so, too. Raises ProposalNotFound, ProposalOver,
    ReasonMissing, NotByYou."""
    reason = _reason(reason)
    with transaction.atomic():
        row = _waiting(proposal_id, now, lapsed_too=True)
        _may(_kind(row.kind), row.subject, actor_id)
        row.refusal = reason
        _decide(row, "refused", actor_id, now)
        _record("refuse", row, actor_id, origin, now)


class _TakenBack(Exception):
    """Ends a rehearsal."""


def _rehearse(sort: Kind, wish: Wish) -> None:
    """Makes the change and takes it back, so that what cannot be done is refused before anybody is asked to approve it."""
    try:
        with transaction.atomic():
            sort.apply(wish)
            raise _TakenBack
    except _TakenBack:
        pass


def _waiting(proposal_id: int, now: datetime, *, lapsed_too: bool = False) -> Proposal:
    row = Proposal.objects.select_for_update().filter(pk=proposal_id).first()
    if row is None:
        raise ProposalNotFound("There is no such proposal.")
    if row.outcome or (selectors.lapsed(row, now=now) and not lapsed_too):
        raise ProposalOver("This was decided already, or waited for too long.")
    return row


def _by_another(row: Proposal, actor_id: int) -> None:
    if row.proposed_by == actor_id:
        raise NotByYou("You proposed it: somebody else has to approve it.")


def _unchanged(sort: Kind, row: Proposal) -> None:
    if not sort.same(row.subject, row.before, sort.stands(row.subject, row.after)):
        raise ProposalStale("What it would change has changed since. Refuse it, and propose it anew.")


def _decide(row: Proposal, outcome: str, actor_id: int, now: datetime) -> None:
    row.outcome, row.decided_by, row.decided_at = outcome, actor_id, now
    row.save(update_fields=["outcome", "decided_by", "decided_at", "refusal"])


def _kind(name: str) -> Kind:
    found = registry.find(name)
    if found is None:
        raise ProposalNotFound("There is no such kind of change.")
    return found


def _may(sort: Kind, subject: str, actor_id: int) -> None:
    if sort.about(subject) == actor_id:
        raise NotByYou("This is about you: others have to decide it.")
    if not registry.may(actor_id, sort.right):
        raise NotByYou("You have no right to this change.")


def _reason(text: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= REASON_LENGTH_MAX:
        raise ReasonMissing(f"Say why, in at most {REASON_LENGTH_MAX} characters.", param="reason")
    return text


def _record(verb: str, row: Proposal, actor_id: int, origin: str, now: datetime) -> None:
    """The audit names the proposal, which never changes, and what came of it; the change's own service records the change."""
    audit.record(
        actor_id=actor_id, action=f"proposal.{verb}", subject=row.subject,
        after={"proposal": row.pk, "kind": row.kind, "outcome": row.outcome}, origin=origin, now=now,
    )  # fmt: skip
