"""Opens cases, and takes what staff decide about them.

A name's case that was cleared stays cleared as long as the entry and what is known of the customer stay the same. A strong
hit is cleared by two people; to confirm takes one, freezes the customer in the ledger and keeps him blocked. What must never
happen here: a case decided by the customer himself, one person counted twice, a customer's name in a row, an event or the
audit, or a freeze lifted while another confirmed case stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from exchange.audit import services as audit
from exchange.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from exchange.ledger.services import freezes
from exchange.outbox import services as outbox
from kyc.models import ListedEntry, ScreeningCase, ScreeningOpinion
from kyc.screening import registry
from kyc.screening.selectors import LIVE

CLEAR, CONFIRM = ScreeningOpinion.Verdict.CLEAR, ScreeningOpinion.Verdict.CONFIRM
FREEZE_SOURCE = "screening"
FREEZE_REASON = "Under review."  # seen by whoever sees the freeze; it says nothing of a list
STRONG_CLEARED_BY = 2
REASON_LENGTH_MAX = 500


class CaseNotFound(NotFound):
    code = "case_not_found"


class CaseDecided(Conflict):
    """It was cleared, or this is what it already is."""

    code = "case_decided"


class OwnCase(PermissionDenied):
    code = "own_case"


class AlreadySaid(Conflict):
    """Somebody else has to look at it."""

    code = "already_said"


class ReasonMissing(InvalidRequest):
    code = "reason_missing"


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found of a customer: which entry, and how well."""

    kind: str
    row_id: int
    subject: str = ""
    network: str = ""
    score: int = 100
    strong: bool = True
    name_place: int | None = None
    birth: str = ""
    country: str = ""
    fingerprint: str = ""


def record(*, user_id: int, found: Found, now: datetime) -> int | None:
    """Writes a hit down, in the caller's transaction and under its lock of the customer; the id of a case that this opened."""
    entry = ListedEntry.objects.get(id=found.row_id)
    same = ScreeningCase.objects.select_for_update().filter(
        user_id=user_id,
        kind=found.kind,
        list_code=entry.list_code,
        entry_uid=entry.uid,
        subject=found.subject,
    )
    live = same.filter(state__in=LIVE).first()
    if live is not None:
        live.seen_at, live.entry = now, entry
        live.score, live.strong = max(live.score, found.score), live.strong or found.strong
        live.save(update_fields=["seen_at", "entry", "score", "strong"])
        return None
    if _settled(same, entry, found, now=now):
        return None
    case = ScreeningCase.objects.create(
        user_id=user_id,
        kind=found.kind,
        entry=entry,
        list_code=entry.list_code,
        entry_uid=entry.uid,
        subject=found.subject,
        network=found.network,
        score=found.score,
        strong=found.strong,
        name_place=found.name_place,
        birth=found.birth,
        country=found.country,
        fingerprint=found.fingerprint,
        opened_at=now,
        seen_at=now,
    )
    audit.record(
        actor_id=None,
        action="kyc.open_screening_case",
        subject=str(case),
        after={
            "user_id": user_id,
            "kind": case.kind,
            "entry": str(entry),
            "version": entry.first_version_id,
            "score": case.score,
            "strong": case.strong,
        },
        now=now,
    )
    _tell("opened", case, now=now)
    return case.id


def _settled(same: object, entry: ListedEntry, found: Found, *, now: datetime) -> bool:
    """Whether staff cleared just this: the same state of the entry, and the same things known of the customer."""
    cleared = (
        same.filter(state=ScreeningCase.State.CLEARED, fingerprint=found.fingerprint)  # type: ignore[attr-defined]
        .order_by("-decided_at")
        .first()
    )
    if cleared is None or cleared.entry.digest != entry.digest:
        return False
    if found.strong and not cleared.strong:
        return False
    ScreeningCase.objects.filter(id=cleared.id).update(seen_at=now)
    return True


def decide(*, case_id: int, actor_id: int, verdict: str, reason: str, origin: str = "", now: datetime) -> int:
    """One person's word; how many more people must say the same before it holds.

    Raises CaseNotFound, CaseDecided, OwnCase, AlreadySaid, ReasonMissing.
    """
    reason = reason.strip()[:REASON_LENGTH_MAX]
    if not reason:
        raise ReasonMissing("Give a reason.", param="reason")
    with transaction.atomic():
        case = ScreeningCase.objects.select_for_update().filter(id=case_id).first()
        if case is None:
            raise CaseNotFound("There is no such case.")
        _ensure_decidable(case, actor_id, verdict)
        before = case.state
        ScreeningOpinion.objects.create(
            case=case, actor_id=actor_id, verdict=verdict, reason=reason, at=now, given_on=case.state
        )
        missing = max(0, needed(case, verdict) - _agreed(case, verdict))
        if not missing:
            _close(case, verdict, actor_id, now=now)
        audit.record(
            actor_id=actor_id,
            action=f"kyc.{verdict}_screening_case",
            subject=str(case),
            before={"state": before},
            after={"state": case.state, "missing": missing, "reason": reason},
            origin=origin,
            now=now,
        )
    return missing


def needed(case: ScreeningCase, verdict: str) -> int:
    """How many people a verdict takes. What blocks is quick; what lets go of a strong hit or of a confirmed one is not."""
    lets_go = verdict == CLEAR and (case.strong or case.state == ScreeningCase.State.CONFIRMED)
    return STRONG_CLEARED_BY if lets_go else 1


def _ensure_decidable(case: ScreeningCase, actor_id: int, verdict: str) -> None:
    if case.user_id == actor_id:
        raise OwnCase("Nobody decides about himself.")
    done = {
        CLEAR: (ScreeningCase.State.CLEARED,),
        CONFIRM: (ScreeningCase.State.CLEARED, ScreeningCase.State.CONFIRMED),
    }
    if verdict not in done or case.state in done[ScreeningOpinion.Verdict(verdict)]:
        raise CaseDecided(f"This case is {case.state}.")
    if case.opinions.filter(actor_id=actor_id, verdict=verdict, given_on=case.state).exists():
        raise AlreadySaid("You said so already. Somebody else must look at it.")


def _agreed(case: ScreeningCase, verdict: str) -> int:
    return case.opinions.filter(verdict=verdict, given_on=case.state).values("actor_id").distinct().count()


def _close(case: ScreeningCase, verdict: str, actor_id: int, *, now: datetime) -> None:
    confirmed = verdict == CONFIRM
    case.state = ScreeningCase.State.CONFIRMED if confirmed else ScreeningCase.State.CLEARED
    case.decided_at = now
    case.save(update_fields=["state", "decided_at"])
    if confirmed:
        freezes.freeze(owner_id=case.user_id, reason=FREEZE_REASON, actor=actor_id, source=FREEZE_SOURCE, now=now)
    else:
        _let_go(case, actor_id, now=now)
    _tell("confirmed" if confirmed else "cleared", case, now=now)


def _let_go(case: ScreeningCase, actor_id: int, *, now: datetime) -> None:
    standing = ScreeningCase.objects.filter(user_id=case.user_id, state=ScreeningCase.State.CONFIRMED)
    if not standing.exists() and case.opinions.filter(given_on=ScreeningCase.State.CONFIRMED).exists():
        freezes.unfreeze(owner_id=case.user_id, reason="Cleared.", actor=actor_id, source=FREEZE_SOURCE, now=now)
    kind, _, deposit_id = case.subject.partition(":")
    others = ScreeningCase.objects.filter(subject=case.subject, state__in=LIVE)
    if case.kind == ScreeningCase.Kind.DEPOSIT and kind == "deposit" and not others.exists():
        registry.deposit_cleared(deposit_id=deposit_id, actor_id=actor_id, now=now)


def _tell(what: str, case: ScreeningCase, *, now: datetime) -> None:
    outbox.append(
        topic=f"kyc.screening_case_{what}",
        key=f"user:{case.user_id}",
        payload={"case_id": case.id, "user_id": case.user_id, "kind": case.kind, "strong": case.strong},
        now=now,
    )
