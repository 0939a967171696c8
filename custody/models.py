"""Append-only tables: what is to be signed, what was signed or refused; the policy's edits and every decision it took.

Of the first three the run-time role writes jobs and nothing else, the signer's role answers and nothing else; the policy's tables
belong to the run-time role alone. A trigger refuses to change or delete a row for everybody. What must never happen here: a
foreign key into another room, an answer or a decision that can be altered, or an edit in force that one person made alone.
"""

from __future__ import annotations

from django.db import models

from exchange.assets.fields import BaseUnits
from exchange.core.ids import uuid7


class SigningJob(models.Model):
    """One transaction to be signed. `digest` names network and content, so that an id cannot be used for two."""

    id = models.UUIDField(primary_key=True)
    network = models.CharField(max_length=40)
    kind = models.CharField(max_length=20)
    unsigned = models.JSONField()
    digest = models.CharField(max_length=64)
    reference = models.CharField(max_length=200)
    requested_at = models.DateTimeField()

    class Meta:
        db_table = "custody_signing_job"

    def __str__(self) -> str:
        return f"{self.kind} on {self.network} {self.id}"


class Signature(models.Model):
    """The signed bytes of a job, with the process and database role that wrote them. The database fills in the role by itself."""

    job = models.OneToOneField(SigningJob, primary_key=True, on_delete=models.PROTECT, related_name="signature")
    raw = models.BinaryField()
    txid = models.CharField(max_length=80)
    signed_at = models.DateTimeField()
    signer_pid = models.IntegerField()
    database_role = models.TextField()

    class Meta:
        db_table = "custody_signature"

    def __str__(self) -> str:
        return self.txid


class Refusal(models.Model):
    """Why a job will not be signed. Final for that job."""

    job = models.OneToOneField(SigningJob, primary_key=True, on_delete=models.PROTECT, related_name="refusal")
    code = models.CharField(max_length=40)
    reason = models.TextField()
    refused_at = models.DateTimeField()
    signer_pid = models.IntegerField()
    database_role = models.TextField()

    class Meta:
        db_table = "custody_refusal"

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}"


class PolicyEdit(models.Model):
    """A whole set of rules that somebody proposed; in force once another approved it and the delay is over.

    `base` is the edit that was in force when this one was made. The first of all came with the house: nobody proposed it.
    """

    id = models.BigAutoField(primary_key=True)
    base = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    rules = models.JSONField()
    digest = models.CharField(max_length=64)
    note = models.CharField(max_length=400)
    proposed_by = models.BigIntegerField(null=True, blank=True)
    proposed_at = models.DateTimeField()

    class Meta:
        db_table = "custody_policy_edit"
        verbose_name = "edit of the policy"
        verbose_name_plural = "withdrawal policy"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(base=None, proposed_by=None)
                | models.Q(base__isnull=False, proposed_by__isnull=False),
                name="custody_policy_edit_by_somebody",
            )
        ]

    def __str__(self) -> str:
        return f"edit {self.pk}"


class PolicyApproval(models.Model):
    """The second person's yes, and from when on the rules are in force."""

    edit = models.OneToOneField(PolicyEdit, primary_key=True, on_delete=models.PROTECT, related_name="approval")
    approved_by = models.BigIntegerField(null=True, blank=True)
    approved_at = models.DateTimeField()
    in_force_at = models.DateTimeField()

    class Meta:
        db_table = "custody_policy_approval"

    def __str__(self) -> str:
        return f"approval of edit {self.edit_id}"


class PolicyCancellation(models.Model):
    """An edit that will never be in force."""

    edit = models.OneToOneField(PolicyEdit, primary_key=True, on_delete=models.PROTECT, related_name="cancellation")
    cancelled_by = models.BigIntegerField()
    cancelled_at = models.DateTimeField()
    reason = models.CharField(max_length=400)

    class Meta:
        db_table = "custody_policy_cancellation"

    def __str__(self) -> str:
        return f"edit {self.edit_id} cancelled"


class PolicyDecision(models.Model):
    """What the policy said of one request, by which edit's rules, with everything it looked at."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.CharField(max_length=200)
    edit = models.ForeignKey(PolicyEdit, on_delete=models.PROTECT, related_name="+")
    owner_id = models.BigIntegerField(null=True, blank=True)
    asset = models.CharField(max_length=12)
    network = models.CharField(max_length=20)
    amount = BaseUnits()
    destination = models.CharField(max_length=8)
    initiator = models.CharField(max_length=8)
    # {"customer:3600": "digits of base units"}: what was moved before, as the caller measured it.
    spent = models.JSONField()
    effect = models.CharField(max_length=8)
    rule = models.CharField(max_length=80, blank=True)
    code = models.CharField(max_length=40, blank=True)
    explanation = models.TextField()
    approvers = models.PositiveSmallIntegerField(default=0)
    decided_at = models.DateTimeField()

    class Meta:
        db_table = "custody_decision"
        verbose_name = "decision of the policy"
        verbose_name_plural = "decisions of the policy"
        indexes = [
            models.Index(fields=["subject"], name="custody_decision_subject"),
            models.Index(fields=["owner_id", "-id"], name="custody_decision_owner"),
        ]

    def __str__(self) -> str:
        return self.explanation
