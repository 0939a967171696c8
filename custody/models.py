"""Three append-only tables: what is to be signed, what was signed, what was refused.

The run-time role writes jobs and nothing else; the signer's role writes answers and nothing else; a trigger refuses to change or
delete a row for everybody. What must never happen here: a foreign key into another room, or an answer that can be altered.
"""

from __future__ import annotations

from django.db import models


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
