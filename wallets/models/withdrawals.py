"""What a customer asked us to send, and each step it took.

The signer reads `wallets_withdrawal` (and nothing else of this room) to check the outputs it is asked to sign, so its
columns are a contract. What must never happen here: a row without the ledger hold of the same id.
"""

from django.db import models
from django.db.models import Q

from exchange.assets.fields import BaseUnits
from exchange.core.ids import uuid7
from wallets.lifecycle import STATES


class Withdrawal(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner_id = models.BigIntegerField()
    asset_id = models.SmallIntegerField()
    network_id = models.SmallIntegerField()
    address = models.CharField(max_length=120)
    # What the receiver gets; the customer pays amount + fee, and the hold is of that sum.
    amount = BaseUnits()
    fee = BaseUnits()
    state = models.CharField(max_length=16, choices=[(state, state.capitalize()) for state in STATES])
    # Why staff must look at it, why it was refused, why it failed.
    reason = models.TextField(default="", blank=True)
    # Why it does not go on by itself just now; "" when it does.
    waiting = models.CharField(max_length=40, default="", blank=True)
    idempotency_key = models.CharField(max_length=200)
    account_id = models.BigIntegerField()
    payout = models.ForeignKey(
        "wallets.Payout", on_delete=models.PROTECT, null=True, blank=True, related_name="withdrawals"
    )
    # Its place among the payout's outputs, from zero.
    payout_position = models.PositiveIntegerField(null=True, blank=True)
    requested_at = models.DateTimeField()
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.BigIntegerField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "wallets_withdrawal"
        constraints = [
            models.UniqueConstraint(fields=["owner_id", "idempotency_key"], name="wallets_withdrawal_key_once"),
            models.UniqueConstraint(fields=["payout", "payout_position"], name="wallets_withdrawal_output_once"),
            models.CheckConstraint(condition=Q(amount__gt=0, fee__gte=0), name="wallets_withdrawal_positive"),
            models.CheckConstraint(condition=Q(state__in=STATES), name="wallets_withdrawal_state"),
        ]
        indexes = [
            models.Index(fields=["owner_id", "-id"], name="wallets_withdrawal_owner"),
            models.Index(fields=["id"], condition=Q(closed_at=None), name="wallets_withdrawal_open"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class WithdrawalStep(models.Model):
    """Each state a withdrawal entered, and when; what the customer and staff are shown."""

    withdrawal = models.ForeignKey(Withdrawal, on_delete=models.PROTECT, related_name="steps")
    state = models.CharField(max_length=16)
    at = models.DateTimeField()
    note = models.TextField(default="", blank=True)

    class Meta:
        db_table = "wallets_withdrawal_step"

    def __str__(self) -> str:
        return self.state
