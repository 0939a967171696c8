"""Forgets a customer's documents and words when the law lets us: by destroying his key, and then the files. Copies of his data
that were made for him hold his words, too: they are sealed with the same key and go with it.

The key lies in no backup, so a copy of database and files from before opens to nobody afterwards, the master key in hand or
not. What must never happen here: an erasure while an application is open or a level rests on it, one before its time without
somebody's name and reason, or one that is half done (what a crash leaves over opens nothing, and the sweep removes it).
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Max

from exchange.accounts.services import exporting
from exchange.audit import services as audit
from exchange.core.errors import Conflict, InvalidRequest
from exchange.secrets import subjects
from kyc import sealing
from kyc.models import Application, Document, ProviderEvent
from kyc.models.applications import OPEN, State
from kyc.services import limits

AT_ONCE = 100
log = structlog.get_logger(__name__)


class NotYetErasable(Conflict):
    """An application is open, a level rests on one, or the time of keeping is not over."""

    code = "not_yet_erasable"


class ErasureReasonMissing(InvalidRequest):
    code = "reason_missing"


def due(*, now: datetime) -> list[int]:
    """Customers whose documents have to go now, at most AT_ONCE of them; the longest due first."""
    before = _years_before(now, settings.KYC_RETENTION_YEARS)
    kept = Application.objects.filter(state__in=[*OPEN, State.APPROVED]).values("user_id")
    ended = Application.objects.filter(erased_at=None).exclude(user_id__in=kept).values("user_id")
    rows = ended.annotate(last=Max("ended_at")).filter(last__lte=before).order_by("last")
    return [row["user_id"] for row in rows[:AT_ONCE]]


def erase_due(*, now: datetime) -> int:
    """Erases everybody who is due; how many customers."""
    erased = 0
    for user_id in due(now=now):
        try:
            erase(user_id=user_id, reason="the time of keeping is over", actor_id=None, now=now)
            erased += 1
        except NotYetErasable:  # he applied anew in the meantime
            continue
        except OSError as error:
            log.error("kyc.erasure_left_files", user_id=user_id, error=str(error))
    return erased


def erase(
    *, user_id: int, reason: str, actor_id: int | None, despite_retention: bool = False, origin: str = "", now: datetime
) -> int:
    """Destroys the customer's key, his sealed words, his pictures and the copies of his data; how many pictures. Raises
    NotYetErasable, ErasureReasonMissing."""
    if not reason.strip():
        raise ErasureReasonMissing("Say why; it stands in the audit.", param="reason")
    with transaction.atomic():
        mine = Application.objects.filter(user_id=user_id, erased_at=None).order_by("id")
        rows = list(mine.select_for_update())
        limits.lock(user_id)  # after the applications, as everywhere; a new one waits for it
        ids = [row.id for row in rows]
        if list(mine.values_list("id", flat=True)) != ids:
            raise NotYetErasable("An application was begun at this moment.")
        _check(rows, despite_retention, now)
        pictures: list[UUID] = list(
            Document.objects.filter(application_id__in=ids, erased_at=None).values_list("id", flat=True)
        )
        Document.objects.filter(id__in=pictures).update(erased_at=now, provider_reference="")
        references = [row.provider_reference for row in rows if row.provider_reference]
        ProviderEvent.objects.filter(reference__in=references).update(raw=b"")
        Application.objects.filter(id__in=ids).update(
            sealed=None, message="", provider_answer={}, provider_due_at=None, erased_at=now
        )
        copies = exporting.forget(user_id=user_id)  # before the key: nothing read before is sealed anew
        keys = subjects.destroy(subject=sealing.subject(user_id), now=now)
        audit.record(
            actor_id=actor_id,
            action="kyc.erase",
            subject=f"user:{user_id}",
            after={
                "reason": reason[:300],
                "applications": len(ids),
                "pictures": len(pictures),
                "copies": copies,
                "keys": keys,
            },
            origin=origin,
            now=now,
        )
    for document_id in pictures:
        sealing.remove_picture(document_id)
    return len(pictures)


def _check(rows: list[Application], despite_retention: bool, now: datetime) -> None:
    if any(row.state in OPEN or row.state == State.APPROVED for row in rows):
        raise NotYetErasable("An application is open, or a level rests on one. Turn it down or let it end first.")
    before = _years_before(now, settings.KYC_RETENTION_YEARS)
    late = [row.ended_at for row in rows if row.ended_at is not None and row.ended_at > before]
    if late and not despite_retention:
        raise NotYetErasable(
            f"It has to be kept for {settings.KYC_RETENTION_YEARS} years from {max(late):%Y-%m-%d} on. "
            "Only a duty to erase it earlier goes before that."
        )


def _years_before(now: datetime, years: int) -> datetime:
    try:
        return now.replace(year=now.year - years)
    except ValueError:  # the 29th of February
        return now.replace(year=now.year - years, day=28)
