"""Bank money that customers announce and staff match, and what the bank's statements say.

What must never happen here: one bank transaction credited twice (its reference is unique), a settled deposit that changes, or
money at the bank of which no row says whose it is because a limit kept it from being credited (it is held).
"""

from django.db import models
from django.db.models import Q

from exchange.assets.fields import BaseUnits


class BankDeposit(models.Model):
    """A transfer that a customer said would come, under a reference code that tells us whose it is."""

    class State(models.TextChoices):
        ANNOUNCED = "announced", "Announced"
        HELD = "held", "Arrived and held: not credited yet"
        SETTLED = "settled", "Settled"
        CANCELLED = "cancelled", "Cancelled"

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    asset_id = models.SmallIntegerField()
    reference = models.CharField(max_length=20, unique=True)
    announced = BaseUnits(help_text="Base units the customer means to send.")
    state = models.CharField(max_length=10, choices=State, default=State.ANNOUNCED)
    settled = BaseUnits(null=True, blank=True, help_text="Base units that arrived.")
    bank_reference = models.CharField(
        max_length=64, null=True, blank=True, unique=True, help_text="The bank's own id of the transaction."
    )
    worth = BaseUnits(null=True, blank=True, help_text="In the reference currency, when it was credited.")
    settled_by = models.BigIntegerField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True, help_text="When it was credited.")
    # Why it is held: "limit" or "price"; "" while it is not.
    held_for = models.CharField(max_length=12, default="", blank=True)
    held_at = models.DateTimeField(null=True, blank=True, help_text="When it was booked, where it was held first.")
    # When it was last looked at whether it may be credited; whoever was looked at stands at the end of the line.
    tried_at = models.DateTimeField(null=True, blank=True)
    transfer_id = models.UUIDField(unique=True, editable=False, help_text="The transfer in the ledger that it came by.")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "fiat_bank_deposit"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(announced__gt=0), name="fiat_announced_positive"),
            models.CheckConstraint(
                condition=Q(state="settled", settled__gt=0, bank_reference__isnull=False, settled_at__isnull=False)
                | Q(state="held", settled__gt=0, bank_reference__isnull=False, held_at__isnull=False, settled_at=None)
                | (~Q(state__in=["settled", "held"]) & Q(settled=None, bank_reference=None, settled_at=None)),
                name="fiat_settled_whole_or_not",
            ),
            models.CheckConstraint(
                condition=(Q(state="held") & ~Q(held_for="")) | (~Q(state="held") & Q(held_for="")),
                name="fiat_held_for",
            ),
        ]
        indexes = [
            models.Index(fields=["user_id", "-id"], name="fiat_deposits_of"),
            models.Index(fields=["user_id", "settled_at"], condition=Q(state="settled"), name="fiat_settled_of"),
            models.Index(fields=["id"], condition=Q(state="held"), name="fiat_held"),
        ]

    def __str__(self):
        return self.reference


class BankStatement(models.Model):
    """The balance of our account as the bank stated it: what reconciliation holds the books against."""

    id = models.BigAutoField(primary_key=True)
    asset_id = models.SmallIntegerField()
    balance = BaseUnits(help_text="Base units.")
    as_of = models.DateTimeField(help_text="The moment the bank states it for.")
    recorded_by = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "fiat_bank_statement"
        ordering = ["-as_of"]
        constraints = [models.CheckConstraint(condition=Q(balance__gte=0), name="fiat_statement_not_negative")]

    def __str__(self):
        return f"statement of {self.as_of:%Y-%m-%d %H:%M}"
