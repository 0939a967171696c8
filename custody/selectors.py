"""Reads answers of the signer. Ids and frozen values only; models stay in this room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from custody import models


@dataclass(frozen=True, slots=True)
class Signature:
    """Signed bytes, ready to be verified and broadcast; and which process and database role gave them."""

    job_id: UUID
    raw: bytes
    txid: str
    signed_at: datetime
    signer_pid: int
    database_role: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The signer's final no to one job."""

    job_id: UUID
    code: str
    reason: str
    refused_at: datetime


def signature(*, job_id: UUID) -> Signature | Refusal | None:
    """The signer's answer to a job, None while there is none. One or two queries."""
    signed = models.Signature.objects.filter(pk=job_id).first()
    if signed is not None:
        return Signature(
            job_id=job_id,
            raw=bytes(signed.raw),
            txid=signed.txid,
            signed_at=signed.signed_at,
            signer_pid=signed.signer_pid,
            database_role=signed.database_role,
        )
    refused = models.Refusal.objects.filter(pk=job_id).first()
    return Refusal(job_id, refused.code, refused.reason, refused.refused_at) if refused is not None else None


def jobs_waiting(*, limit: int = 1_000) -> list[UUID]:
    """Jobs without an answer, oldest first."""
    waiting = models.SigningJob.objects.filter(signature=None, refusal=None).order_by("requested_at", "id")
    return list(waiting.values_list("id", flat=True)[:limit])
