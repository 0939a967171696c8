"""Transactions of ours: a payout holds its inputs or its nonce for good, and has one or more signed versions.

A replacement is another version of the same payout, so it can only spend the same inputs or the same nonce: at most one
of them is ever mined. What must never happen here: a live input or nonce with two payouts (unique in the database), or
a version broadcast before its bytes and txid are committed.
"""

from django.db import models
from django.db.models import Q

from exchange.assets.fields import BaseUnits
from exchange.core.ids import uuid7

from .index import Address, Coin


class Payout(models.Model):
    """One transaction of ours. Only the first kind serves withdrawals; the others move coins between our own addresses."""

    class Kind(models.TextChoices):
        PAYOUT = "payout", "Pays withdrawals"
        SWEEP = "sweep", "Deposit address to hot wallet"
        GAS = "gas", "Gas for a deposit address"
        CONSOLIDATION = "consolidation", "Many small coins into one"
        COLD = "cold", "Hot wallet to cold wallet"
        RETURN = "return", "Cold wallet to hot wallet"
        CHILD = "child", "Pays for the transaction it spends from"

    class State(models.TextChoices):
        RESERVED = "reserved", "Inputs or nonce reserved"
        SIGNING = "signing", "With the signer"
        SIGNED = "signed", "Signed bytes kept, not yet sent"
        BROADCAST = "broadcast", "Sent to the network"
        CONFIRMED = "confirmed", "In a block"
        FINAL = "final", "Final"
        RELEASED = "released", "Never signed; inputs or nonce free again"
        LOST = "lost", "Signed, and made impossible for good by a transaction of others"

    # What was promised to these is free again.
    GIVEN_UP = (State.RELEASED, State.LOST)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    network_id = models.SmallIntegerField()
    asset_id = models.SmallIntegerField()
    state = models.CharField(max_length=16, choices=State.choices)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.PAYOUT)
    # What a kind without withdrawals moves, in base units of the asset, and where to.
    amount = BaseUnits(null=True, blank=True)
    destination = models.CharField(max_length=120, default="", blank=True)
    # The transaction that this one pays for (a child), or whose gas it waits for (a sweep).
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")
    # The member of staff who asked for it; null when the house did by itself.
    requested_by = models.BigIntegerField(null=True, blank=True)
    # It takes the change of a UTXO transaction, and sends an EVM one: the hot address, or the address that is swept.
    address = models.ForeignKey(Address, on_delete=models.PROTECT, related_name="payouts")
    confirmations_required = models.PositiveIntegerField()
    created_at = models.DateTimeField()
    txid = models.CharField(max_length=66, default="", blank=True)
    block_height = models.PositiveBigIntegerField(null=True, blank=True)
    block_hash = models.CharField(max_length=66, default="", blank=True)
    # What the network took, known once it is mined; always in the chain's own coin.
    network_fee = BaseUnits(null=True, blank=True)
    # The fee that the ledger carries, once final; a later reorganisation may mine it again at another price.
    booked_fee = BaseUnits(null=True, blank=True)
    # False when an EVM transaction was mined and reverted: the fee is gone, the coins are not.
    succeeded = models.BooleanField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "wallets_payout"
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="confirmed") | Q(block_height__isnull=False),
                name="wallets_payout_confirmed_in_block",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["confirmed", "final"]) | Q(network_fee__isnull=False, succeeded__isnull=False),
                name="wallets_payout_mined",
            ),
            models.CheckConstraint(
                condition=Q(kind="payout", amount=None) | (~Q(kind="payout") & Q(amount__isnull=False)),
                name="wallets_payout_amount",
            ),
        ]
        indexes = [
            models.Index(fields=["network_id"], condition=Q(closed_at=None), name="wallets_payout_open"),
            models.Index(fields=["network_id", "block_height"], name="wallets_payout_height"),
            models.Index(fields=["txid"], name="wallets_payout_txid"),
            models.Index(fields=["destination"], condition=~Q(destination=""), name="wallets_payout_destination"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class PayoutVersion(models.Model):
    """One set of bytes for a payout. The id is the signing job's id too."""

    class Kind(models.TextChoices):
        FIRST = "first", "As first built"
        BUMP = "bump", "The same at a higher fee"
        CANCEL = "cancel", "Pays nobody: takes the inputs or the nonce back"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(default=1)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.FIRST)
    # The most it can cost, in base units of the chain's own coin.
    fee = BaseUnits(null=True, blank=True)
    requested_by = models.BigIntegerField(null=True, blank=True)
    unsigned = models.JSONField()
    txid = models.CharField(max_length=66, default="", blank=True)
    raw = models.BinaryField(null=True)
    refusal = models.TextField(default="", blank=True)
    created_at = models.DateTimeField()
    signed_at = models.DateTimeField(null=True)
    first_broadcast_at = models.DateTimeField(null=True)
    # How far we had scanned then: it tells how many blocks passed it by.
    sent_height = models.PositiveBigIntegerField(null=True)
    last_broadcast_at = models.DateTimeField(null=True)
    last_error = models.TextField(default="", blank=True)

    class Meta:
        db_table = "wallets_payout_version"
        constraints = [
            models.UniqueConstraint(fields=["payout", "number"], name="wallets_version_number_once"),
            models.UniqueConstraint(fields=["txid"], condition=~Q(txid=""), name="wallets_version_txid_once"),
            models.CheckConstraint(
                condition=Q(first_broadcast_at=None) | (Q(raw__isnull=False) & ~Q(txid="")),
                name="wallets_version_kept_before_sent",
            ),
        ]

    def __str__(self) -> str:
        return self.txid or str(self.id)


class CancelAgreement(models.Model):
    """One member of staff who wants a waiting transaction taken back. Two rows are two people."""

    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="cancel_agreements")
    actor_id = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        db_table = "wallets_cancel_agreement"
        constraints = [
            models.UniqueConstraint(fields=["payout", "actor_id"], name="wallets_cancel_agreement_once_a_person"),
        ]

    def __str__(self) -> str:
        return f"{self.payout_id} by {self.actor_id}"


class Reservation(models.Model):
    """A coin promised to a payout. Live rows are unique by coin; a released row stays as history."""

    coin = models.ForeignKey(Coin, on_delete=models.PROTECT, related_name="reservations")
    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="reservations")
    reserved_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "wallets_reservation"
        constraints = [
            models.UniqueConstraint(
                fields=["coin"], condition=Q(released_at=None), name="wallets_reservation_one_live"
            ),
        ]

    def __str__(self) -> str:
        return f"coin {self.coin_id} for {self.payout_id}"


class Nonce(models.Model):
    """A nonce of a hot account, promised to a payout."""

    address = models.ForeignKey(Address, on_delete=models.PROTECT, related_name="nonces")
    nonce = models.PositiveBigIntegerField()
    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="nonces")
    reserved_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "wallets_nonce"
        constraints = [
            models.UniqueConstraint(
                fields=["address", "nonce"], condition=Q(released_at=None), name="wallets_nonce_one_live"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.nonce}"
