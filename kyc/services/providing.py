"""What is done with a provider: applications sent, webhooks taken, results fetched and acted on.

No call is made inside a transaction: an application is claimed by moving its `provider_due_at` ahead, worked on, and noted
step by step, so that a process killed anywhere goes on where it was. A webhook only makes a look due; what the provider says
when asked is what counts, so webhooks that come twice, late or in the wrong order change nothing. What must never happen here:
a level that rises by a webhook's own words, by a check of other words than those kept here, or by a provider alone where people
have to look.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from celery import current_app
from django.db import connection, transaction

from exchange.core.errors import DomainError
from kyc import providers, requirements, sealing
from kyc.models import Application, Document, ProviderEvent
from kyc.models.applications import WAITING
from kyc.providers.protocol import Answer, Provider, ProviderRefused, ProviderUnavailable, Subject
from kyc.services import applications, reviewing

CLAIMED_FOR = timedelta(minutes=10)
LOOKED_AGAIN = timedelta(minutes=10)
LOOKED_AGAIN_SOON = timedelta(minutes=1)
PASSING = frozenset({"not_screened"})  # refusals that pass by themselves: screening has not come round yet
PAUSE_FIRST, PAUSE_MAX = timedelta(seconds=30), timedelta(hours=6)
FAILURES_MAX = 30
AT_ONCE = 20
RUN_S = 25.0  # after which no further call is begun; the timetable has the next run after 30
WAKE_EXPIRES_S = 30
_LOCK = 0x6B796332  # any constant
log = structlog.get_logger(__name__)


def receive(*, provider: Provider, raw_body: bytes, headers: Mapping[str, str], now: datetime) -> bool:
    """Keeps a webhook as it came, once; False where it came before. Raises protocol.SignatureWrong."""
    event = provider.verify(raw_body, headers)
    with transaction.atomic():
        _, new = ProviderEvent.objects.get_or_create(
            provider=provider.name,
            event_id=event.id,
            defaults={
                "kind": event.kind,
                "reference": event.reference,
                "raw": raw_body,
                "occurred_at": event.occurred_at,
                "received_at": now,
            },
        )
        if new:
            transaction.on_commit(_wake, robust=True)
    return new


def _wake() -> None:
    """The timetable looks too, so a broker that is down costs seconds."""
    current_app.send_task("kyc.ask_providers", retry=False, expires=WAKE_EXPIRES_S)


def run(*, now: datetime) -> int:
    """Takes in what webhooks say, then works on applications that are due until RUN_S are over; how many.

    One run at a time: a provider that hangs holds up one worker and no second one. What is left is the next run's.
    """
    with _alone() as alone:
        if not alone:
            return 0
        take_in(now=now)
        until, done = time.monotonic() + RUN_S, 0
        for application_id in _due(now):
            if time.monotonic() >= until:
                break
            done += _work_on(application_id, now, until)
        return done


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether nobody else is at it. Held by the database session, so it ends with the process. It spares workers; what must be
    exact is claimed row by row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        alone = bool(cursor.fetchone()[0])
    try:
        yield alone
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def take_in(*, now: datetime) -> int:
    """Makes a look due at each application that a webhook names; how many webhooks."""
    taken = 0
    while taken < AT_ONCE * 10:
        with transaction.atomic():
            event = (
                ProviderEvent.objects.select_for_update(skip_locked=True)
                .filter(processed_at=None)
                .order_by("id")
                .first()
            )
            if event is None:
                return taken
            touched = Application.objects.filter(
                provider=event.provider, provider_reference=event.reference, provider_state="sent", state__in=WAITING
            ).update(provider_due_at=now)
            event.processed_at, event.outcome = now, "look_due" if touched else "nothing_waits"
            event.save(update_fields=["processed_at", "outcome"])
            taken += 1
    return taken


def _due(now: datetime) -> list[UUID]:
    rows = Application.objects.filter(provider_due_at__lte=now, state__in=WAITING).order_by("provider_due_at")
    return list(rows.values_list("id", flat=True)[:AT_ONCE])


def _work_on(application_id: UUID, now: datetime, until: float) -> int:
    """1 where it was ours to work on."""
    with transaction.atomic():
        application = (
            Application.objects.select_for_update(of=("self",), skip_locked=True)
            .select_related("level")
            .filter(id=application_id, provider_due_at__lte=now, state__in=WAITING)
            .first()
        )
        if application is None:
            return 0
        _note(application, provider_due_at=now + CLAIMED_FOR)
    provider = providers.by_name(application.provider)
    if provider is None:
        _hand_over(application, "the provider is not set up", now)
        return 1
    try:
        if application.provider_state == "to_send":
            _send(provider, application, now, until)
        else:
            _act(application, provider.fetch(application.provider_reference, level=application.level_id), now)
    except ProviderUnavailable as error:
        _later(application, error, now)
    except ProviderRefused as error:
        log.warning("kyc.provider_refused", application=str(application), status=error.status, error=str(error))
        _hand_over(application, f"the provider refused: {error}", now)
    except Exception as error:  # one that cannot be sent holds up no other; people find it in their queue
        log.exception("kyc.provider_fault", application=str(application))
        _hand_over(application, f"it could not be sent: {type(error).__name__}", now)
    return 1


def _send(provider: Provider, application: Application, now: datetime, until: float) -> None:
    """Each step is noted before the next, so that none is done twice; one that answers slowly is gone on with by the next run."""
    told = sealing.words(application)
    known = {**_identity(application), **told}
    subject = Subject(application_id=application.id, level=application.level_id, told=known)
    if application.provider_reference:
        provider.update_applicant(application.provider_reference, subject)
    else:
        _note(application, provider_reference=provider.create_applicant(subject))
    country = _issuer(application, told)
    for document in application.documents.filter(replaced_at=None, provider_reference="").order_by("uploaded_at"):
        picture = sealing.picture(document.id, user_id=application.user_id)
        name = provider.submit_document(
            application.provider_reference, kind=document.kind, country=country, picture=picture
        )
        Document.objects.filter(id=document.id).update(provider_reference=name)
        if time.monotonic() >= until:
            _note(application, provider_due_at=now, provider_failures=0)
            return
    provider.request_check(application.provider_reference)
    _note(application, provider_state="sent", provider_due_at=now + LOOKED_AGAIN, provider_failures=0)


def _act(application: Application, answer: Answer, now: datetime) -> None:
    """What the provider said when asked, done as far as a machine may: a decline is looked at by a person."""
    kept = {"result": answer.result, "labels": list(answer.labels), "comment": answer.comment, "at": now.isoformat()}
    if answer.result == "pending":
        _note(application, provider_due_at=now + LOOKED_AGAIN, provider_failures=0)
        return
    _note(application, provider_answer=kept)
    try:
        if answer.result == "approved":
            reviewing.approve(application_id=application.id, actor_id=None, seen=application.version, now=now)
        elif answer.result == "retry":
            reviewing.ask_again(
                application_id=application.id,
                actor_id=None,
                seen=application.version,
                items=_items(application, answer),
                reasons=answer.reasons,
                message=answer.comment,
                now=now,
            )
        else:
            _hand_over(application, "the provider declined: a person decides", now)
    except DomainError as refused:
        if refused.code in PASSING:
            _note(application, provider_due_at=now + LOOKED_AGAIN_SOON)
            return
        _hand_over(application, f"the provider said {answer.result}, and: {refused.message}", now)


def _items(application: Application, answer: Answer) -> list[str]:
    """The provider's "document" is whichever one was sent; what this level does not ask for is left out."""
    known = requirements.items(application.level.code, application.document_type)
    documents = [kind for kind in known if kind in requirements.DOCUMENT_KINDS] or [
        kind for kind in known if kind in requirements.KINDS
    ]
    wanted = [each for item in answer.items for each in (documents if item == "document" else [item])]
    return [item for item in known if item in wanted] or documents


def _hand_over(application: Application, why: str, now: datetime) -> None:
    """From here on people alone look at it; they find it in their queue."""
    with transaction.atomic():
        if not _note(application, provider_state="handed_over", provider_due_at=None):
            return
        applications.step(application, "handed_over", actor_id=None, now=now, note=why)


def _later(application: Application, error: ProviderUnavailable, now: datetime) -> None:
    failures = application.provider_failures + 1
    if failures > FAILURES_MAX:
        _hand_over(application, "the provider could not be reached", now)
        return
    pause = min(max(PAUSE_FIRST * 2 ** min(failures - 1, 12), timedelta(seconds=error.wait_s)), PAUSE_MAX)
    _note(application, provider_failures=failures, provider_due_at=now + pause)


def _note(application: Application, **changed: object) -> bool:
    """Its provider's columns alone, and only while the version that was worked on waits: a decision taken meanwhile stands, and
    words handed in meanwhile are still to be sent. False where it was too late."""
    mine = Application.objects.filter(id=application.id, version=application.version, state__in=WAITING)
    noted = mine.update(**changed)
    for name, value in changed.items():
        setattr(application, name, value)
    return bool(noted)


def _identity(application: Application) -> dict[str, str]:
    proved = Application.objects.filter(user_id=application.user_id, level__code="identity", state="approved").first()
    return sealing.words(proved) if proved is not None else {}


def _issuer(application: Application, told: Mapping[str, str]) -> str:
    """The country that a picture is of: who issued the document, or where the customer lives."""
    known = {**_identity(application), **told}
    return known.get("address_country") or known.get("nationality") or known.get("country") or ""
