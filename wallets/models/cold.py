"""The house's cold wallets, and the proposals that staff carry to them.

Public keys only: what can sign lies in a drawer. What must never happen here: a private key, a wallet that one person
alone made current, or a proposal whose transaction differs from its payout's.
"""

from django.db import models
from django.db.models import F, Q

from .payouts import Payout


class ColdWallet(models.Model):
    """Where the surplus goes: a descriptor of public keys (utxo) or one account (evm)."""

    class Kind(models.TextChoices):
        SINGLE = "single", "One key"
        MULTISIG = "multisig", "n of m keys"
        ACCOUNT = "account", "One account"

    network_id = models.SmallIntegerField()
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    # BIP380 text with its checksum; for an account its address.
    descriptor = models.TextField()
    # How many signatures a spend needs.
    threshold = models.PositiveSmallIntegerField(default=1)
    next_index = models.PositiveIntegerField(default=0)
    change_index = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    created_by = models.BigIntegerField()
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.BigIntegerField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "wallets_cold_wallet"
        constraints = [
            models.UniqueConstraint(fields=["network_id", "descriptor"], name="wallets_cold_wallet_once"),
            models.UniqueConstraint(
                fields=["network_id"],
                condition=Q(approved_at__isnull=False, retired_at=None),
                name="wallets_cold_wallet_one_current",
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("created_by")), name="wallets_cold_wallet_four_eyes"
            ),
            models.CheckConstraint(condition=Q(threshold__gte=1), name="wallets_cold_wallet_threshold"),
        ]

    def __str__(self) -> str:
        return self.name


class ColdProposal(models.Model):
    """A way back from cold: made by one member of staff, approved by another, signed outside, then sent like any payout."""

    payout = models.OneToOneField(Payout, on_delete=models.PROTECT, primary_key=True, related_name="proposal")
    cold = models.ForeignKey(ColdWallet, on_delete=models.PROTECT, related_name="proposals")
    created_by = models.BigIntegerField()
    created_at = models.DateTimeField()
    approved_by = models.BigIntegerField(null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    # The newest PSBT in base64, with the signatures that came back so far; empty for an account.
    psbt = models.TextField(default="", blank=True)
    exported_at = models.DateTimeField(null=True, blank=True)
    signed_at = models.DateTimeField(null=True, blank=True)
    signed_by = models.BigIntegerField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "wallets_cold_proposal"
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("created_by")), name="wallets_proposal_four_eyes"
            ),
        ]

    def __str__(self) -> str:
        return str(self.payout_id)
