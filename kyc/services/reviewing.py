"""Staff decide: who looks, what was seen, yes, no, or send it again.

A decision names the version that its reviewer had before him, and is refused where that is not the present one. From the level
`enhanced` on two people have to say yes. What must never happen here: somebody deciding about himself, a yes to something that
nobody saw, or a picture that is handed out before the audit holds who asked for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from exchange.audit import services as audit
from exchange.core.errors import Conflict, InvalidRequest, PermissionDenied
from kyc import reasons as reason_words
from kyc import registry, requirements, sealing, selectors
from kyc.models import Application, ApplicationApproval, Document
from kyc.models.applications import WAITING, State
from kyc.services import applications, documents, levels

MESSAGE_LENGTH_MAX = 500


class OwnApplication(PermissionDenied):
    """Nobody decides about himself."""

    code = "own_application"


class StaleReview(Conflict):
    """It was changed after the reviewer opened it."""

    code = "stale_review"


class NotWaiting(Conflict):
    """It is not waiting for a decision."""

    code = "not_waiting_for_review"


class AlreadyApproved(Conflict):
    """The same person said yes before; another has to."""

    code = "second_person_needed"


class ReasonNeeded(InvalidRequest):
    """Its customer has to be told why."""

    code = "reason_needed"


class NothingAsked(InvalidRequest):
    """What is to be sent again has to be named."""

    code = "nothing_asked_for"


class PriorLevelMissing(Conflict):
    """The level beneath is not held any more."""

    code = "prior_level_missing"


@dataclass(frozen=True, slots=True)
class Look:
    """What a reviewer is shown: the words, and the version that they belong to."""

    told: dict[str, str]
    version: int


def look(*, application_id: UUID, actor_id: int, origin: str = "", now: datetime) -> Look:
    """The customer's words, opened for a reviewer; who asked is on record first. Raises ApplicationNotFound, OwnApplication."""
    application = Application.objects.filter(id=application_id).first()
    if application is None:
        raise applications.ApplicationNotFound("There is no such application.")
    _refuse_own(application, actor_id)
    audit.record(
        actor_id=actor_id,
        action="kyc.view_application",
        subject=str(application),
        after={"version": application.version},
        origin=origin,
        now=now,
    )
    return Look(told=sealing.words(application), version=application.version)


def view_document(
    *, application_id: UUID, document_id: UUID, actor_id: int, origin: str = "", now: datetime
) -> tuple[Document, bytes]:
    """A picture for a reviewer; who asked is on record before a byte of it is read. Raises DocumentNotFound, OwnApplication,
    sealing.DocumentGone."""
    document = (
        Document.objects.select_related("application")
        .filter(id=document_id, application_id=application_id, erased_at=None)
        .first()
    )
    if document is None:
        raise documents.DocumentNotFound("There is no such picture.")
    _refuse_own(document.application, actor_id)
    audit.record(
        actor_id=actor_id,
        action="kyc.view_document",
        subject=str(document),
        after={"application": str(application_id), "kind": document.kind},
        origin=origin,
        now=now,
    )
    return document, sealing.picture(document.id, user_id=document.application.user_id)


def take(*, application_id: UUID, actor_id: int, origin: str = "", now: datetime) -> None:
    """A member of staff takes it upon himself, also from another. Raises NotWaiting, OwnApplication."""
    with transaction.atomic():
        application = _waiting(application_id, actor_id)
        before = application.reviewer_id
        application.state, application.reviewer_id = State.IN_REVIEW, actor_id
        application.save(update_fields=["state", "reviewer_id"])
        applications.step(application, State.IN_REVIEW, actor_id=actor_id, now=now)
        _record(application, "take", actor_id, origin, now, reviewer={"before": before, "after": actor_id})


def approve(
    *, application_id: UUID, actor_id: int | None, seen: int, note: str = "", origin: str = "", now: datetime
) -> int:
    """One yes to the version `seen`; how many more are needed. The last one gives the level.

    `actor_id` is None for the provider's word, which is no one of two. Raises NotWaiting, OwnApplication, StaleReview,
    AlreadyApproved, PriorLevelMissing, and what screening raises.
    """
    with transaction.atomic():
        application = _waiting(application_id, actor_id)
        _check_seen(application, seen)
        told = sealing.words(application)
        _check_complete(application, told)
        registry.approving(applications.person(application, told), now=now)
        if actor_id is not None:
            missing = _say_yes(application, actor_id, note, origin, now)
            if missing:
                return missing
        elif application.level_id >= settings.KYC_FOUR_EYES_FROM:
            raise AlreadyApproved("At this level people have to look at it.")
        _approve(application, actor_id, origin, now)
    return 0


def reject(
    *,
    application_id: UUID,
    actor_id: int,
    seen: int,
    reasons: Sequence[str],
    message: str = "",
    origin: str = "",
    now: datetime,
) -> None:
    """Turns it down for good; its customer reads why. Raises NotWaiting, OwnApplication, StaleReview, ReasonNeeded."""
    with transaction.atomic():
        application = _waiting(application_id, actor_id)
        _check_seen(application, seen)
        _give_reasons(application, reasons, message)
        application.state, application.decided_at, application.ended_at = State.REJECTED, now, now
        application.provider_due_at = None
        application.save()
        applications.step(application, State.REJECTED, actor_id=actor_id, now=now, note=", ".join(reasons))
        _record(application, "reject", actor_id, origin, now, reasons=list(reasons))
        applications.tell(application, "rejected", now=now, reasons=list(reasons))


def ask_again(
    *,
    application_id: UUID,
    actor_id: int | None,
    seen: int,
    items: Sequence[str],
    reasons: Sequence[str],
    message: str = "",
    origin: str = "",
    now: datetime,
) -> None:
    """Has the customer send those items again, and no others. Raises NotWaiting, OwnApplication, StaleReview, ReasonNeeded,
    NothingAsked."""
    with transaction.atomic():
        application = _waiting(application_id, actor_id)
        _check_seen(application, seen)
        _give_reasons(application, reasons, message)
        known = requirements.items(application.level.code, application.document_type)
        wanted = [item for item in known if item in items]
        if not wanted or len(wanted) != len(set(items)):
            raise NothingAsked("Choose what the customer has to send again.", param="items")
        application.state, application.asked, application.decided_at = State.RESUBMIT, wanted, now
        application.provider_due_at = None
        application.save()
        applications.step(application, State.RESUBMIT, actor_id=actor_id, now=now, note=", ".join(wanted))
        _record(application, "ask_again", actor_id, origin, now, items=wanted, reasons=list(reasons))
        applications.tell(application, "resubmit", now=now, reasons=list(reasons), items=wanted)


def _waiting(application_id: UUID, actor_id: int | None) -> Application:
    application = (
        Application.objects.select_for_update(of=("self",)).select_related("level").filter(id=application_id).first()
    )
    if application is None:
        raise applications.ApplicationNotFound("There is no such application.")
    if actor_id is not None:
        _refuse_own(application, actor_id)
    if application.state not in WAITING:
        raise NotWaiting(f"It is not waiting for a decision: {application.get_state_display().lower()}.")
    return application


def _refuse_own(application: Application, actor_id: int) -> None:
    if application.user_id == actor_id:
        raise OwnApplication("This is your own application. Somebody else has to look at it.")


def _check_seen(application: Application, seen: int) -> None:
    if application.version != seen:
        raise StaleReview("It was changed after you opened it. Look at it again.")


def _check_complete(application: Application, told: dict[str, str]) -> None:
    shown = application.documents.filter(replaced_at=None, erased_at=None).values_list("kind", flat=True)
    told_groups = requirements.filled(application.level.code, told)
    if requirements.missing(application.level.code, application.document_type, told_groups, shown):
        raise NotWaiting("Something in it is missing, so it cannot be approved.")


def _say_yes(application: Application, actor_id: int, note: str, origin: str, now: datetime) -> int:
    """Writes it down; how many more people have to say it."""
    given = ApplicationApproval.objects.filter(application=application, version=application.version)
    if given.filter(actor_id=actor_id).exists():
        raise AlreadyApproved("You have approved it. Somebody else has to look at it, too.")
    ApplicationApproval.objects.create(
        application=application, actor_id=actor_id, version=application.version, at=now, note=note[:500]
    )
    needed = 2 if application.level_id >= settings.KYC_FOUR_EYES_FROM else 1
    missing = max(0, needed - given.count())
    _record(application, "approve", actor_id, origin, now, version=application.version, missing=missing)
    return missing


def _approve(application: Application, actor_id: int | None, origin: str, now: datetime) -> None:
    level = application.level_id
    has = selectors.level(application.user_id).number
    if has < level - 1:
        raise PriorLevelMissing("The customer does not hold the level beneath any more.")
    earlier = Application.objects.select_for_update().filter(
        user_id=application.user_id, level_id=level, state=State.APPROVED
    )
    for renewed in earlier:
        renewed.state, renewed.ended_at = State.EXPIRED, now
        renewed.save(update_fields=["state", "ended_at"])
        applications.step(renewed, State.EXPIRED, actor_id=actor_id, now=now, note=f"renewed by {application}")
    application.state, application.decided_at = State.APPROVED, now
    application.expires_at = now + timedelta(days=settings.KYC_VALID_DAYS)
    application.reasons, application.message, application.provider_due_at = [], "", None
    application.save()
    applications.step(application, State.APPROVED, actor_id=actor_id, now=now)
    if actor_id is None:
        _record(application, "approve", None, origin, now, provider=application.provider)
    if has < level:
        levels.assign(
            user_id=application.user_id, level=level, reason=str(application), actor_id=actor_id, origin=origin, now=now
        )
    applications.tell(application, "approved", now=now, expires_at=application.expires_at.date().isoformat())


def _give_reasons(application: Application, reasons: Sequence[str], message: str) -> None:
    if not reason_words.known(list(reasons)):
        raise ReasonNeeded("Choose why; the customer is told.", param="reasons")
    if len(message) > MESSAGE_LENGTH_MAX:
        raise ReasonNeeded(f"The message has at most {MESSAGE_LENGTH_MAX} characters.", param="message")
    application.reasons, application.message = list(reasons), message.strip()


def _record(
    application: Application, deed: str, actor_id: int | None, origin: str, now: datetime, **after: object
) -> None:
    audit.record(
        actor_id=actor_id,
        action=f"kyc.{deed}",
        subject=str(application),
        after={"state": application.state, "level": application.level_id, **after},
        origin=origin,
        now=now,
    )
