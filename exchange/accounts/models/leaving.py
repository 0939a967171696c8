"""A customer who leaves, and what he takes with him: closures and exports of his data.

What must never happen here: a customer's row deleted (the books keep the id), or an export in the clear.
"""

from django.db import models
from django.db.models import Q


class Closure(models.Model):
    """An account that its customer closed; staff may open it again."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    closed_at = models.DateTimeField()
    reopened_at = models.DateTimeField(null=True, blank=True)
    reopened_by = models.BigIntegerField(null=True, blank=True)
    reopen_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["user_id"], condition=Q(reopened_at=None), name="accounts_one_open_closure")
        ]

    def __str__(self):
        return f"closure of user:{self.user_id}"


class Export(models.Model):
    """Everything of one customer, as a zip in sealed pieces; a worker makes it."""

    class State(models.TextChoices):
        REQUESTED = "requested", "Requested"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"
        EXPIRED = "expired", "Expired"

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=200, blank=True)
    requested_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    downloaded_at = models.DateTimeField(null=True, blank=True)
    size = models.BigIntegerField(default=0, help_text="Bytes of the zip.")
    pieces = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user_id", "-id"], name="accounts_export_of"),
            models.Index(fields=["id"], condition=Q(state="requested"), name="accounts_export_waiting"),
            models.Index(fields=["expires_at"], condition=Q(state="ready"), name="accounts_export_expiring"),
        ]

    def __str__(self):
        return f"export {self.id} of user:{self.user_id}"


class ExportPiece(models.Model):
    """A piece of the zip, sealed for its place: it opens at no other, and not as the last where it is not."""

    id = models.BigAutoField(primary_key=True)
    export = models.ForeignKey(Export, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()
    sealed = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["export", "number"], name="accounts_export_piece_once")]

    def __str__(self):
        return f"piece {self.number} of export {self.export_id}"
