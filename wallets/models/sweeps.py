"""Coins on their way from a deposit address to the hot wallet, with the gas that a token needs first.

A row is one intention: at most one gas payout and one sweep follow from it, each named here in the transaction that makes it.
What must never happen here: two open rows for one address and asset, or gas sent twice for one of them.
"""

from django.db import models
from django.db.models import Q

from exchange.core.ids import uuid7

from .index import Address
from .payouts import Payout


class Sweep(models.Model):
    class Outcome(models.TextChoices):
        OPEN = "", "Under way"
        DONE = "done", "Done"
        REFUSED = "refused", "The signer refused it"
        FAILED = "failed", "It was mined and reverted"
        NEEDLESS = "needless", "Nothing is left to sweep"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    network_id = models.SmallIntegerField()
    asset_id = models.SmallIntegerField()
    address = models.ForeignKey(Address, on_delete=models.PROTECT, related_name="sweeps")
    # The payout that brings the gas; null where what is there suffices.
    gas = models.OneToOneField(Payout, on_delete=models.PROTECT, null=True, blank=True, related_name="gas_of")
    payout = models.OneToOneField(Payout, on_delete=models.PROTECT, null=True, blank=True, related_name="sweep")
    # Why it does not go on just now; "" when it does.
    waiting = models.CharField(max_length=40, default="", blank=True)
    outcome = models.CharField(max_length=16, choices=Outcome.choices, default=Outcome.OPEN, blank=True)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "wallets_sweep"
        constraints = [
            models.UniqueConstraint(
                fields=["address", "asset_id"], condition=Q(closed_at=None), name="wallets_sweep_one_open"
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None, outcome="") | (Q(closed_at__isnull=False) & ~Q(outcome="")),
                name="wallets_sweep_closed_with_outcome",
            ),
        ]
        indexes = [
            models.Index(fields=["network_id"], condition=Q(closed_at=None), name="wallets_sweep_open"),
        ]

    def __str__(self) -> str:
        return str(self.id)
