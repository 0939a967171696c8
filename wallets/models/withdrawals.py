"""What a customer asked us to send, and each step it took.

The signer reads `wallets_withdrawal` (and nothing else of this room) to check the outputs it is asked to sign, so its
columns are a contract. What must never happen here: a row without the ledger hold of the same id.
"""

from django.db import models
from django.db.models import F, Q

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
    # What the amount was worth in the reference currency when it was asked for; null where no limit asked and no price was known.
    worth = BaseUnits(null=True, blank=True)
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
    # At most so many may share its next transaction: halved each time the signer refuses one as a whole. Null: as many as fit.
    company_max = models.PositiveSmallIntegerField(null=True, blank=True)
    # When it was last in turn and could not leave: it stands behind those who wait since then. And how often the network's node
    # said that the payment itself would fail; too often, and staff look at it.
    tried_at = models.DateTimeField(null=True, blank=True)
    refusals = models.PositiveSmallIntegerField(default=0)
    # Whether it goes to an address of the house, of the customer's address book, or to any other.
    destination_class = models.CharField(
        max_length=8, choices=[("own", "Own"), ("listed", "Listed"), ("one_time", "One-time")], default="one_time"
    )
    # How many members of staff must agree, and the stored decision that says so.
    approvals_needed = models.PositiveSmallIntegerField(default=0)
    decision_id = models.UUIDField(null=True, blank=True)
    requested_at = models.DateTimeField()
    # When, and by what, it was confirmed that the customer wants this: "email" for the mailed link, "" while nobody did or
    # where no confirmation is asked for. Another way to confirm is another word here.
    confirmed_at = models.DateTimeField(null=True, blank=True)
    confirmed_by = models.CharField(max_length=40, default="", blank=True)
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
            models.Index(fields=["address"], name="wallets_withdrawal_address"),
            models.Index(fields=["closed_at"], condition=Q(state="failed"), name="wallets_withdrawal_failed"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class WithdrawalApproval(models.Model):
    """One member of staff who agreed. Two rows are two people."""

    withdrawal = models.ForeignKey(Withdrawal, on_delete=models.PROTECT, related_name="approvals")
    actor_id = models.BigIntegerField()
    at = models.DateTimeField()
    note = models.TextField(default="", blank=True)

    class Meta:
        db_table = "wallets_withdrawal_approval"
        constraints = [
            models.UniqueConstraint(fields=["withdrawal", "actor_id"], name="wallets_approval_once_a_person"),
        ]

    def __str__(self) -> str:
        return f"{self.withdrawal_id} by {self.actor_id}"


class WithdrawalConfirmation(models.Model):
    """The link that is mailed. Only the token's hash is kept: whoever reads this table can confirm nothing.

    The token is made when the mail is sent, so hash and time of sending are empty until then.
    """

    withdrawal = models.OneToOneField(
        Withdrawal, on_delete=models.PROTECT, primary_key=True, related_name="confirmation"
    )
    token_hash = models.CharField(max_length=64, unique=True, null=True)  # noqa: DJ001 - two empty texts would be no two hashes
    sent_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "wallets_withdrawal_confirmation"
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(confirmed_at=None), name="wallets_confirmation_open"),
        ]

    def __str__(self) -> str:
        return str(self.withdrawal_id)


class ListedAddress(models.Model):
    """An entry of a customer's address book. A removed one stays as history."""

    owner_id = models.BigIntegerField()
    network_id = models.SmallIntegerField()
    address = models.CharField(max_length=120)
    label = models.CharField(max_length=60)
    created_at = models.DateTimeField()
    usable_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "wallets_listed_address"
        constraints = [
            models.UniqueConstraint(
                fields=["owner_id", "network_id", "address"],
                condition=Q(removed_at=None),
                name="wallets_listed_once",
            ),
            models.CheckConstraint(condition=Q(usable_at__gte=F("created_at")), name="wallets_listed_cool_down"),
        ]

    def __str__(self) -> str:
        return f"{self.label}: {self.address}"


class Preference(models.Model):
    """Whether a customer's coins may go to listed addresses only. Tightening is at once, loosening takes its time."""

    owner_id = models.BigIntegerField(primary_key=True)
    allow_list_only = models.BooleanField(default=False)
    # From here on the list is no longer asked for; null while nobody asked to loosen it.
    loosened_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField()

    class Meta:
        db_table = "wallets_preference"

    def __str__(self) -> str:
        return str(self.owner_id)


class WithdrawalStep(models.Model):
    """Each state a withdrawal entered, and when; what the customer and staff are shown."""

    withdrawal = models.ForeignKey(Withdrawal, on_delete=models.PROTECT, related_name="steps")
    state = models.CharField(max_length=16)
    at = models.DateTimeField()
    # The transaction that this step is about, where there is one.
    txid = models.CharField(max_length=66, default="", blank=True)
    note = models.TextField(default="", blank=True)

    class Meta:
        db_table = "wallets_withdrawal_step"

    def __str__(self) -> str:
        return self.state
