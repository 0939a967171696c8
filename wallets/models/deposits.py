"""Coins that arrived at one of our addresses, from the first sight to the credit.

What must never happen here: a row credited twice without a reversal between (state and `credits` change in the
transaction that posts to the ledger), or an arrival of a customer's that is booked to the house.
"""

from django.db import models
from django.db.models import Q

from exchange.assets.fields import BaseUnits
from exchange.core.ids import uuid7

from .index import Address


class Deposit(models.Model):
    """One arrival: an output of a UTXO transaction, the value or a token log of an EVM transaction."""

    class State(models.TextChoices):
        SEEN = "seen", "Seen, in no block yet"
        CONFIRMING = "confirming", "In a block, waiting for confirmations"
        CREDITED = "credited", "Credited"
        HELD = "held", "Confirmed and held: not credited yet"
        BELOW_MINIMUM = "below_minimum", "Below the minimum: not credited"
        ORPHANED = "orphaned", "Its block was reorganised away"
        DROPPED = "dropped", "Left the mempool without a block"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    network_id = models.SmallIntegerField()
    asset_id = models.SmallIntegerField()
    address = models.ForeignKey(Address, on_delete=models.PROTECT, related_name="deposits")
    # Whose it is; null for coins that arrived at the house's hot wallet.
    owner_id = models.BigIntegerField(null=True, blank=True)
    txid = models.CharField(max_length=66)
    # Which part of the transaction: an output's number, "value", or "log:" and the log's place within the transaction.
    position = models.CharField(max_length=40)
    amount = BaseUnits()
    state = models.CharField(max_length=16, choices=State.choices)
    confirmations_required = models.PositiveIntegerField()
    block_height = models.PositiveBigIntegerField(null=True, blank=True)
    block_hash = models.CharField(max_length=66, default="", blank=True)
    seen_at = models.DateTimeField()
    credited_at = models.DateTimeField(null=True, blank=True)
    # Its block is gone and the credit is not taken back yet: the scanner does nothing else until it is.
    reversal_due = models.BooleanField(default=False)
    reversed_at = models.DateTimeField(null=True, blank=True)
    # How often it was booked: 2 after a reorganisation took the first booking back and it was mined again.
    credits = models.PositiveIntegerField(default=0)
    transfer_id = models.UUIDField(null=True, blank=True)
    reversal_id = models.UUIDField(null=True, blank=True)
    # Why it is held: "limit", "price", or a word of whoever holds it; "" while it is not.
    held_for = models.CharField(max_length=12, default="", blank=True)
    held_at = models.DateTimeField(null=True, blank=True)
    # When it was last looked at whether it may go by now; whoever was looked at stands at the end of the line.
    tried_at = models.DateTimeField(null=True, blank=True)
    # The transfer that brought it from where held deposits wait to its owner's account.
    release_id = models.UUIDField(null=True, blank=True)
    # In the reference currency when it was credited; null where no limit asked for it.
    worth = BaseUnits(null=True, blank=True)
    # While it waits for a block: the inputs (or the nonce) it uses, and whether its sender may still pay otherwise.
    spends = models.JSONField(default=list, blank=True)
    replaceable = models.BooleanField(default=False)
    # Who paid, as far as its block shows it, by the keys that their addresses stand for: what screening looks at.
    payers = models.JSONField(default=list, blank=True)
    # The outputs it spent whose payers its block does not show: until the node was asked for them it is not credited.
    unshown = models.JSONField(default=list, blank=True)
    # The transaction that took its inputs before a block held it: its sender paid otherwise (state "dropped").
    replaced_by = models.CharField(max_length=66, default="", blank=True)

    class Meta:
        db_table = "wallets_deposit"
        constraints = [
            models.UniqueConstraint(fields=["network_id", "txid", "position"], name="wallets_deposit_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="wallets_deposit_positive"),
            models.CheckConstraint(
                condition=~Q(state__in=["confirming", "credited", "held", "below_minimum"])
                | Q(block_height__isnull=False),
                name="wallets_deposit_has_block",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["credited", "held", "below_minimum"]) | Q(transfer_id__isnull=False),
                name="wallets_deposit_has_transfer",
            ),
            models.CheckConstraint(
                condition=(Q(state="held") & ~Q(held_for="")) | (~Q(state="held") & Q(held_for="")),
                name="wallets_deposit_held_for",
            ),
        ]
        indexes = [
            models.Index(fields=["owner_id", "-id"], name="wallets_deposit_owner"),
            models.Index(fields=["txid"], name="wallets_deposit_txid"),
            models.Index(fields=["network_id", "block_height"], name="wallets_deposit_height"),
            models.Index(fields=["network_id"], condition=Q(reversal_due=True), name="wallets_deposit_reversal_due"),
            models.Index(fields=["owner_id"], condition=Q(state="held"), name="wallets_deposit_held"),
            models.Index(
                fields=["owner_id", "credited_at"], condition=Q(state="credited"), name="wallets_deposit_credited"
            ),
            models.Index(
                fields=["network_id"], condition=Q(state__in=["seen", "confirming"]), name="wallets_deposit_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.txid}:{self.position}"
