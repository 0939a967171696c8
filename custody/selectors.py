"""Reads answers of the signer, decisions of the policy and its edits. Ids and frozen values only; models stay in this room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import models as db_models

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


@dataclass(frozen=True, slots=True)
class DecisionView:
    """What the policy said of one request. `version` is the edit whose rules were in force."""

    id: UUID
    subject: str
    effect: str
    rule: str
    code: str
    explanation: str
    approvers: int
    at: datetime
    version: int


def decision_view(row: models.PolicyDecision) -> DecisionView:
    """The row as a value."""
    return DecisionView(
        id=row.id,
        subject=row.subject,
        effect=row.effect,
        rule=row.rule,
        code=row.code,
        explanation=row.explanation,
        approvers=row.approvers,
        at=row.decided_at,
        version=row.edit_id,
    )


def decision(decision_id: UUID | None) -> DecisionView | None:
    """One stored decision."""
    row = models.PolicyDecision.objects.filter(pk=decision_id).first() if decision_id else None
    return decision_view(row) if row is not None else None


def decisions(subject: str, *, limit: int = 50) -> list[DecisionView]:
    """Every decision on one subject ("withdrawal:…"), oldest first."""
    rows = models.PolicyDecision.objects.filter(subject=subject).order_by("id")[:limit]
    return [decision_view(row) for row in rows]


def edit_state(edit: models.PolicyEdit, *, now: datetime) -> str:
    """ "proposed", "waiting" (approved, for its time), "in force" (now or once), "cancelled". Reads approval and cancellation."""
    if hasattr(edit, "cancellation"):
        return "cancelled"
    if not hasattr(edit, "approval"):
        return "proposed"
    return "waiting" if edit.approval.in_force_at > now else "in force"


def open_edit(*, now: datetime) -> int | None:
    """The edit that is proposed or waits for its time; there is one at most."""
    undecided = db_models.Q(approval=None) | db_models.Q(approval__in_force_at__gt=now)
    return models.PolicyEdit.objects.filter(undecided, cancellation=None).values_list("id", flat=True).first()
