"""Staff give a level by hand: down alone, up to `enhanced` with another's word, as applications need it there.

A level by hand goes without documents, so what reviewing asks of two people may not be had here from one: from
KYC_FOUR_EYES_FROM on the wish is stored and a second member of staff confirms it. What must never happen here: somebody who
changes his own level, a confirmation by whoever proposed it, or one of what the customer has become since.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction

from exchange.audit import services as audit
from exchange.core.errors import Conflict, NotFound, PermissionDenied
from kyc import selectors
from kyc.models import Level, LevelProposal
from kyc.screening import selectors as screening
from kyc.services import levels, limits


class OwnLevel(PermissionDenied):
    """Nobody decides about himself."""

    code = "own_level"


class SecondPersonNeeded(Conflict):
    """Whoever proposed it cannot confirm it."""

    code = "second_person_needed"


class AlreadyProposed(Conflict):
    """One proposal for this customer waits."""

    code = "already_proposed"


class ProposalNotFound(NotFound):
    code = "proposal_not_found"


class ProposalDecided(Conflict):
    """Somebody has confirmed or refused it."""

    code = "proposal_decided"


class ProposalStale(Conflict):
    """The customer's level has changed since it was proposed."""

    code = "proposal_stale"


def give(
    *, user_id: int, level: int, reason: str, actor_id: int, origin: str = "", now: datetime
) -> LevelProposal | None:
    """Gives the level, or stores the wish where another has to confirm it. Raises OwnLevel, AlreadyProposed, and what
    levels.assign raises."""
    reason = _said(reason)
    _refuse_own(user_id, actor_id)
    if not Level.objects.filter(number=level).exists():
        raise levels.LevelNotFound("There is no such level.", param="level")
    with transaction.atomic():
        limits.lock(user_id)
        before = selectors.level_row(user_id).number
        if level <= before or level < settings.KYC_FOUR_EYES_FROM:
            levels.assign(user_id=user_id, level=level, reason=reason, actor_id=actor_id, origin=origin, now=now)
            return None
        screening.check(user_id)
        if LevelProposal.objects.filter(user_id=user_id, confirmed=None).exists():
            raise AlreadyProposed("A proposal for this customer waits already. Confirm or refuse it first.")
        made = LevelProposal.objects.create(
            user_id=user_id, before=before, level_id=level, reason=reason, proposed_by=actor_id, proposed_at=now
        )
        _record(made, "propose_level", actor_id, origin, now)
    return made


def confirm(*, proposal_id: int, actor_id: int, origin: str = "", now: datetime) -> None:
    """The second person's yes, which gives the level. Raises ProposalNotFound, ProposalDecided, OwnLevel, SecondPersonNeeded,
    ProposalStale, and what levels.assign raises."""
    with transaction.atomic():
        proposal = _open(proposal_id)
        _refuse_own(proposal.user_id, actor_id)
        _refuse_proposer(proposal, actor_id)
        if selectors.level_row(proposal.user_id).number != proposal.before:
            raise ProposalStale("The customer's level has changed since. Refuse this one and propose anew.")
        _decide(proposal, True, actor_id, now)
        _record(proposal, "confirm_level", actor_id, origin, now)
        levels.assign(
            user_id=proposal.user_id,
            level=proposal.level_id,
            reason=proposal.reason,
            actor_id=actor_id,
            origin=origin,
            now=now,
        )


def refuse(*, proposal_id: int, reason: str, actor_id: int, origin: str = "", now: datetime) -> None:
    """Turns it down; whoever proposed it may, too. Raises ProposalNotFound, ProposalDecided, OwnLevel, ReasonMissing."""
    reason = _said(reason)
    with transaction.atomic():
        proposal = _open(proposal_id)
        _refuse_own(proposal.user_id, actor_id)
        proposal.refusal = reason
        _decide(proposal, False, actor_id, now)
        _record(proposal, "refuse_level", actor_id, origin, now, refusal=reason)


def _open(proposal_id: int) -> LevelProposal:
    """The customer's row first, as everywhere, then the proposal."""
    user_id = LevelProposal.objects.filter(id=proposal_id).values_list("user_id", flat=True).first()
    if user_id is None:
        raise ProposalNotFound("There is no such proposal.")
    limits.lock(user_id)
    proposal = LevelProposal.objects.select_for_update().get(id=proposal_id)
    if proposal.confirmed is not None:
        raise ProposalDecided("This was decided already.")
    return proposal


def _decide(proposal: LevelProposal, confirmed: bool, actor_id: int, now: datetime) -> None:
    proposal.confirmed, proposal.decided_by, proposal.decided_at = confirmed, actor_id, now
    proposal.save(update_fields=["confirmed", "decided_by", "decided_at", "refusal"])


def _refuse_own(user_id: int, actor_id: int) -> None:
    if user_id == actor_id:
        raise OwnLevel("This is your own level. Somebody else has to set it.")


def _refuse_proposer(proposal: LevelProposal, actor_id: int) -> None:
    if proposal.proposed_by == actor_id:
        raise SecondPersonNeeded("You have proposed it. Somebody else has to confirm it.")


def _said(reason: str) -> str:
    reason = reason.strip()
    if not 0 < len(reason) <= levels.REASON_LENGTH_MAX:
        raise levels.ReasonMissing(f"Say why, in at most {levels.REASON_LENGTH_MAX} characters.", param="reason")
    return reason


def _record(proposal: LevelProposal, deed: str, actor_id: int, origin: str, now: datetime, **more: object) -> None:
    audit.record(
        actor_id=actor_id,
        action=f"kyc.{deed}",
        subject=f"user:{proposal.user_id}",
        before={"level": proposal.before},
        after={"proposal": proposal.id, "level": proposal.level_id, "reason": proposal.reason, **more},
        origin=origin,
        now=now,
    )
