"""An application as its customer makes it: begun, told, handed in.

Every change takes the application's row first, so that a change and a decision never cross. What must never happen here: a
change to what is being looked at, words kept unsealed, or an application handed in with something missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction

from exchange.audit import services as audit
from exchange.core.errors import Conflict, InvalidRequest
from exchange.outbox import services as outbox
from kyc import registry, requirements, sealing, selectors
from kyc.application_selectors import RENEWED_AHEAD_DAYS, ApplicationNotFound, person
from kyc.models import Application, ApplicationStep, Level
from kyc.models.applications import EDITABLE, OPEN, State
from kyc.services import limits


class LevelUnavailable(Conflict):
    """This level cannot be applied for now; the message says why."""

    code = "level_unavailable"


class NotEditable(Conflict):
    """The application is being looked at, or was decided."""

    code = "application_not_editable"


class NotAsked(Conflict):
    """Only what was asked for again can be changed."""

    code = "not_asked_for"


class Incomplete(InvalidRequest):
    """Something is still missing; `param` names the first of it."""

    code = "application_incomplete"


class DetailInvalid(InvalidRequest):
    """A field cannot be taken; `faults` are all of them."""

    def __init__(self, faults: list[requirements.Fault]) -> None:
        super().__init__(faults[0].message, param=faults[0].field)
        self.code = faults[0].code  # type: ignore[misc]
        self.faults = faults


def start(*, user_id: int, level: int, now: datetime, origin: str = "") -> Application:
    """The customer's open application for that level; begun where there is none. Raises LevelUnavailable."""
    wanted = Level.objects.filter(number=level).first()
    if wanted is None or wanted.code not in requirements.levels():
        raise LevelUnavailable("This level cannot be applied for.", param="level")
    with transaction.atomic():
        limits.lock(user_id)
        known = Application.objects.filter(user_id=user_id, level=wanted, state__in=OPEN).first()
        if known is not None:
            return known
        _check_available(user_id, wanted, now)
        made = Application.objects.create(
            id=uuid4(), user_id=user_id, level=wanted, provider=_provider(level), created_at=now, changed_at=now
        )
        step(made, State.DRAFT, actor_id=user_id, now=now)
        audit.record(
            actor_id=user_id,
            action="kyc.start_application",
            subject=str(made),
            after={"level": level},
            origin=origin,
            now=now,
        )
    return made


def describe(*, user_id: int, application_id: UUID, told: Mapping[str, str], now: datetime) -> None:
    """Takes the words, all of the level's fields at once. Raises DetailInvalid, NotEditable, NotAsked."""
    with transaction.atomic():
        application = editable(user_id, application_id)
        level = application.level.code
        wanted = {name: _tidied(name, told.get(name, "")) for name in requirements.fields(level)}
        faults = requirements.faults(
            level,
            wanted,
            today=now.date(),
            age_min=settings.KYC_AGE_MIN,
            refused=settings.KYC_COUNTRIES_REFUSED,
        )
        if faults:
            raise DetailInvalid(faults)
        before = sealing.words(application)
        for group in requirements.groups(level):
            if any(before.get(name, "") != wanted[name] for name in requirements.GROUPS[group]):
                _check_asked(application, group)
        if before == wanted:
            return
        application.sealed = sealing.seal_words(application, wanted, now=now)
        application.document_type = wanted.get("document_type", "")
        application.told_groups = requirements.filled(level, wanted)
        touch(application, now)
        application.save(update_fields=["sealed", "document_type", "told_groups", "version", "changed_at"])


def submit(*, user_id: int, application_id: UUID, now: datetime, origin: str = "") -> None:
    """Hands it in. Raises Incomplete, NotEditable, NotAsked (what was asked for again has not been sent), and what screening
    raises."""
    with transaction.atomic():
        application = editable(user_id, application_id)
        told = sealing.words(application)
        shown = {each.kind: each for each in application.documents.filter(replaced_at=None)}
        lacking = requirements.missing(
            application.level.code, application.document_type, requirements.filled(application.level.code, told), shown
        )
        if lacking:
            names = ", ".join(requirements.NAMES[item] for item in lacking)
            raise Incomplete(f"Still missing: {names}.", param=lacking[0])
        unsent = [
            item
            for item in application.asked
            if item in requirements.KINDS and item in shown and shown[item].uploaded_at <= application.decided_at
        ]
        if unsent:
            names = ", ".join(requirements.NAMES[item] for item in unsent)
            raise Incomplete(f"Please send anew: {names}.", param=unsent[0])
        before = application.state
        application.state, application.asked, application.reviewer_id = State.SUBMITTED, [], None
        application.submitted_at, application.decided_at = now, None
        # What was handed over stays with people, however often it is sent again.
        if application.provider != "manual" and application.provider_state != "handed_over":
            application.provider_state, application.provider_due_at, application.provider_failures = "to_send", now, 0
        touch(application, now)
        application.save()
        registry.submitted(person(application, told), now=now)
        step(application, State.SUBMITTED, actor_id=user_id, now=now)
        audit.record(
            actor_id=user_id,
            action="kyc.submit_application",
            subject=str(application),
            before={"state": before},
            after={"state": application.state, "version": application.version},
            origin=origin,
            now=now,
        )
        tell(application, "submitted", now=now)


def editable(user_id: int, application_id: UUID) -> Application:
    """The customer's own application, its row locked, where he may change it. In the caller's transaction."""
    application = (
        Application.objects.select_for_update(of=("self",))
        .select_related("level")
        .filter(id=application_id, user_id=user_id)
        .first()
    )
    if application is None:
        raise ApplicationNotFound("There is no such application.")
    if application.state not in EDITABLE:
        raise NotEditable("It is being looked at or was decided, so nothing can be changed in it.")
    return application


def check_item(application: Application, item: str) -> None:
    """Raises NotAsked where that picture is not to be sent."""
    if item not in requirements.kinds(application.level.code, application.document_type):
        raise NotAsked("This picture is not needed. Choose your document first.", param="kind")
    _check_asked(application, item)


def touch(application: Application, now: datetime) -> None:
    """A reviewer who opened the earlier version has to look again."""
    application.version += 1
    application.changed_at = now


def step(application: Application, state: str, *, actor_id: int | None, now: datetime, note: str = "") -> None:
    ApplicationStep.objects.create(application=application, state=state, at=now, actor_id=actor_id, note=note[:500])


def tell(application: Application, what: str, *, now: datetime, **more: object) -> None:
    """The news of it, for e-mail, inbox and providers; no word of the customer's in it."""
    outbox.append(
        topic=f"kyc.application_{what}",
        key=f"user:{application.user_id}",
        payload={
            "user_id": application.user_id,
            "application_id": str(application.id),
            "level": application.level.name,
            **more,
        },
        now=now,
    )


def _check_asked(application: Application, item: str) -> None:
    if application.state != State.RESUBMIT or item in application.asked:
        return
    another_document = requirements.PERSON in application.asked and item in requirements.DOCUMENT_KINDS
    if not another_document:  # who may name another document may show it
        raise NotAsked("Only what we asked you for again can be changed.", param=item)


def _check_available(user_id: int, wanted: Level, now: datetime) -> None:
    has = selectors.level(user_id).number
    if wanted.number > has + 1:
        raise LevelUnavailable("Apply for the levels one after the other.", param="level")
    if wanted.number <= has:
        approved = Application.objects.filter(user_id=user_id, level=wanted, state=State.APPROVED).first()
        if approved is None or approved.expires_at - now > timedelta(days=RENEWED_AHEAD_DAYS):
            raise LevelUnavailable("You have this level.", param="level")


def _provider(level: int) -> str:
    """The service that looks first, where one is set and knows this level; otherwise people alone."""
    if settings.KYC_PROVIDER == "sumsub" and level in settings.SUMSUB_LEVELS:
        return "sumsub"
    return "manual"


def _tidied(name: str, value: str) -> str:
    """Stray spaces go; a letter of a country's code may be small."""
    text = value.strip() if name == "source_of_funds" else " ".join(value.split())
    return text.upper() if name in ("country", "nationality", "address_country") else text
