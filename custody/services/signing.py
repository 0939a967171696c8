"""Asks for a signature. The message to the signer is a job id and nothing more; what is to be signed stands in the table.

What must never happen here: an import of the signer's side, or one id for two different transactions.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from celery import current_app
from django.db import IntegrityError, transaction

from custody.content import digest
from custody.models import SigningJob
from exchange.core.errors import Conflict, InvalidRequest

KINDS = frozenset({"payout", "sweep", "gas", "consolidation", "cold", "child", "replacement", "cancel"})
TASK = "custody.sign"
QUEUE = "signing"


class SigningJobConflict(Conflict):
    """This id was used for another transaction."""

    code = "signing_job_conflict"


class SigningKindUnknown(InvalidRequest):
    """None of KINDS."""

    code = "signing_kind_unknown"


def request(*, id: UUID, network: str, kind: str, unsigned: dict[str, Any], reference: str, now: datetime) -> UUID:
    """Commits a job with the caller's transaction and then tells the signer. Again with the same content: the same job.

    `reference` comes back in the task that follows the answer. Raises SigningJobConflict.
    """
    if kind not in KINDS:
        raise SigningKindUnknown(f"{kind} is no kind of signing job", param="kind")
    content = digest(network, unsigned)
    job = SigningJob(
        id=id, network=network, kind=kind, unsigned=unsigned, digest=content, reference=reference, requested_at=now
    )
    try:
        with transaction.atomic():
            job.save(force_insert=True)
    except IntegrityError:
        found = SigningJob.objects.filter(pk=id).values_list("digest", "kind", "reference").first()
        if found != (content, kind, reference):
            raise SigningJobConflict(f"the signing job {id} exists with other content", param="id") from None
    # The job is committed whether or not the broker answers; the signer looks for unanswered jobs by itself.
    transaction.on_commit(partial(resend, job_id=id), robust=True)
    return id


def resend(*, job_id: UUID) -> None:
    """Tells the signer of a job once more. Harmless: a job is signed once, and always with the same bytes."""
    current_app.send_task(TASK, args=[str(job_id)], queue=QUEUE, ignore_result=True, retry=False)
