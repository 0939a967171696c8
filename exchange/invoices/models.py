"""Invoices in crypto, and the payments seen at their addresses.

The money itself is a deposit of the merchant's, credited by wallets like any other: an invoice only watches. What must never
happen here: a second way for money into a balance.
"""

from django.db import models
from django.db.models import F, Q

from exchange.assets.fields import BaseUnits
from exchange.core.ids import uuid7
from exchange.invoices.machine import State


class Invoice(models.Model):
    """An amount asked of somebody, at an address of its own."""

    STATES = [(state.value, state.value.capitalize()) for state in State]

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    merchant_id = models.BigIntegerField()
    asset_id = models.SmallIntegerField()
    asset = models.CharField(max_length=12)
    network = models.CharField(max_length=20)
    decimals = models.PositiveSmallIntegerField()
    amount = BaseUnits(help_text="Base units.")
    address = models.CharField(max_length=120)
    order_reference = models.CharField(max_length=120, blank=True, help_text="The merchant's own id of the order.")
    state = models.CharField(max_length=12, choices=STATES, default=State.NEW.value)
    exception = models.CharField(max_length=20, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="Payments seen before this count.")
    monitored_until = models.DateTimeField(help_text="Payments must be final by then.")
    settled_at = models.DateTimeField(null=True, blank=True, help_text="When the merchant was first told so.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant_id", "order_reference"], condition=~Q(order_reference=""), name="invoices_order_once"
            ),
            models.UniqueConstraint(fields=["network", "address"], name="invoices_address_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="invoices_amount_positive"),
            models.CheckConstraint(
                condition=Q(monitored_until__gte=F("expires_at")) & Q(expires_at__gt=F("created_at")),
                name="invoices_times_in_order",
            ),
        ]
        indexes = [
            models.Index(fields=["merchant_id", "-id"], name="invoices_of_merchant"),
            models.Index(fields=["expires_at"], condition=Q(state="new"), name="invoices_to_expire"),
            models.Index(fields=["monitored_until"], condition=Q(state="processing"), name="invoices_to_give_up"),
        ]

    def __str__(self):
        return f"{self.asset} invoice {self.id}"


class Payment(models.Model):
    """A deposit at an invoice's address, as wallets last told of it."""

    id = models.BigAutoField(primary_key=True)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payments")
    deposit_id = models.UUIDField(unique=True)
    txid = models.CharField(max_length=80)
    amount = BaseUnits(help_text="Base units.")
    state = models.CharField(max_length=20, help_text="The deposit's own state.")
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["invoice"], name="invoices_payments_of")]

    def __str__(self):
        return self.txid
