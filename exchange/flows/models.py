"""Jobs that need trading and wallets at once: each row is one job, visible to staff, that survives any crash.

A job's state says what is done for good; the step after it may have been tried and is safe to try again. What must never
happen here: a job that forgets what it was doing.
"""

from django.db import models
from django.db.models import Q


class Freeze(models.Model):
    """Freezes a customer, cancels the open orders, and pays debts from what that set free."""

    class State(models.TextChoices):
        REQUESTED = "requested", "Requested"
        FROZEN = "frozen", "Frozen: orders to be cancelled"
        CANCELLED = "cancelled", "Orders cancelled: debts to be paid"
        DONE = "done", "Done"

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    reason = models.CharField(max_length=500)
    actor_id = models.BigIntegerField(null=True, blank=True, help_text="The member of staff; empty: the house itself.")
    source = models.CharField(max_length=40, help_text="What froze the customer in the ledger.")
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    orders_cancelled = models.PositiveIntegerField(
        default=0, help_text="By the attempt that finished; others not counted."
    )
    attempts = models.PositiveIntegerField(default=0, help_text="Failed attempts of the step it is at.")
    error = models.CharField(max_length=500, blank=True)
    due_at = models.DateTimeField()
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user_id", "source"], condition=~Q(state="done"), name="flows_one_freeze_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(state="done", finished_at__isnull=False) | (~Q(state="done") & Q(finished_at=None)),
                name="flows_freeze_finished",
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=~Q(state="done"), name="flows_freeze_due")]

    def __str__(self):
        return f"freeze {self.id} of user:{self.user_id}"
