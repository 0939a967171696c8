"""Events that were committed together with what caused them, and how far each reader has got with them.

An event never changes. A delivery is one reader's business with one event: pending, delivered, or dead after its last
attempt. What must never happen here: an event that exists without its cause, or the other way round.
"""

from django.db import models
from django.db.models import Q


class Event(models.Model):
    """Something that happened. Events of one key that caused each other have rising ids."""

    id = models.BigAutoField(primary_key=True)
    topic = models.CharField(max_length=80)
    key = models.CharField(max_length=120, help_text="Events of one key reach a reader in order.")
    payload = models.JSONField()
    created_at = models.DateTimeField()
    fanned_out_at = models.DateTimeField(null=True, editable=False, help_text="When its deliveries were made.")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["id"], condition=Q(fanned_out_at=None), name="outbox_event_to_fan_out"),
            models.Index(fields=["created_at"], name="outbox_event_created"),
        ]

    def __str__(self):
        return f"{self.topic} {self.key} #{self.id}"


class Delivery(models.Model):
    """One reader and one event."""

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        DELIVERED = "delivered", "Delivered"
        DEAD = "dead", "Dead letter"

    id = models.BigAutoField(primary_key=True)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries")
    reader = models.CharField(max_length=80)
    key = models.CharField(max_length=120)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(help_text="Not tried before.")
    error = models.TextField(blank=True, help_text="What the last attempt ended with.")
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["reader", "event"], name="outbox_delivery_once"),
            models.CheckConstraint(
                condition=Q(state="delivered", delivered_at__isnull=False)
                | (~Q(state="delivered") & Q(delivered_at=None)),
                name="outbox_delivery_time",
            ),
        ]
        indexes = [
            models.Index(fields=["reader", "key", "event"], condition=Q(state="pending"), name="outbox_pending_by_key"),
            models.Index(fields=["due_at"], condition=Q(state="pending"), name="outbox_pending_by_due"),
            models.Index(fields=["id"], condition=Q(state="dead"), name="outbox_dead"),
        ]

    def __str__(self):
        return f"{self.reader} #{self.event_id}: {self.state}"
