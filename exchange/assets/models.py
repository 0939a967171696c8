"""What can be held, over which chains it moves, and what one unit of it is worth.

The ledger knows an asset by its id alone, so an id never changes its meaning: rows here are switched off, never
deleted, and the decimals of an asset never change. A rate is a fact about the world, not money: a decimal, and never
a float.
"""

from django.db import models
from django.db.models import F, Q

from exchange.assets.fields import BaseUnits


class Asset(models.Model):
    """Something with a balance: a coin, a token or a national currency."""

    class Kind(models.TextChoices):
        CRYPTO = "crypto", "Crypto"
        FIAT = "fiat", "Fiat"

    id = models.SmallIntegerField(primary_key=True)
    code = models.CharField(max_length=12, unique=True)
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=8, choices=Kind)
    decimals = models.PositiveSmallIntegerField(help_text="Digits of the ledger's base unit; fixed for ever.")
    display_decimals = models.PositiveSmallIntegerField(help_text="Digits a page shows where space is short.")
    position = models.PositiveSmallIntegerField(default=100, help_text="Order in lists.")
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(id__gt=0), name="assets_asset_id_positive"),
            models.CheckConstraint(condition=Q(decimals__lte=30), name="assets_asset_decimals"),
            models.CheckConstraint(condition=Q(display_decimals__lte=F("decimals")), name="assets_asset_display"),
        ]

    def __str__(self):
        return self.code


class Network(models.Model):
    """A chain that we read blocks of."""

    class Family(models.TextChoices):
        UTXO = "utxo", "UTXO"
        EVM = "evm", "EVM"

    id = models.SmallIntegerField(primary_key=True)
    code = models.SlugField(max_length=20, unique=True)
    name = models.CharField(max_length=60)
    family = models.CharField(max_length=8, choices=Family)
    block_seconds = models.PositiveIntegerField(help_text="Seconds between blocks, as the network intends.")
    own_coin = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", help_text="The coin in which it takes its fees."
    )
    standard = models.CharField(
        max_length=24,
        blank=True,
        default="",
        help_text="What its tokens are called: ERC20, BEP20; empty where it has none.",
    )
    finalized = models.BooleanField(
        default=False,
        help_text="Credit a deposit when the network calls its block final, whatever the number of confirmations.",
    )
    explorer = models.CharField(
        max_length=200, blank=True, default="", help_text="Where a transaction is shown; {txid} is replaced."
    )
    explorer_address = models.CharField(
        max_length=200, blank=True, default="", help_text="Where an address is shown; {address} is replaced."
    )
    explorer_block = models.CharField(
        max_length=200, blank=True, default="", help_text="Where a block is shown; {block}, its height, is replaced."
    )

    class Meta:
        ordering = ["id"]
        constraints = [models.CheckConstraint(condition=Q(id__gt=0), name="assets_network_id_positive")]

    def __str__(self):
        return self.name


class AssetNetwork(models.Model):
    """An asset as it moves over one chain: its contract, how deep is final, the least that is worth moving."""

    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="networks")
    network = models.ForeignKey(Network, on_delete=models.PROTECT, related_name="assets")
    contract = models.CharField(max_length=64, blank=True, help_text="Token contract, EIP-55; empty for its coin.")
    decimals = models.PositiveSmallIntegerField(
        help_text="Digits on the chain; amounts here are in the asset's own base units."
    )
    confirmations = models.PositiveIntegerField(help_text="Blocks before a deposit is credited.")
    min_deposit = BaseUnits(help_text="Base units; less than this is not credited.")
    min_withdrawal = BaseUnits(help_text="Base units.")
    withdrawal_fee = BaseUnits(help_text="Base units, taken beside the amount sent.")
    sweep_minimum = BaseUnits(
        null=True,
        blank=True,
        help_text="Base units; a deposit address that holds less is not swept. Empty: never swept.",
    )
    fee_on_transfer = models.BooleanField(
        default=False,
        help_text="The token keeps a part of what is sent: a deposit is counted by what the balance gained.",
    )
    enabled = models.BooleanField(default=True)

    class Meta:
        db_table = "assets_asset_network"
        ordering = ["asset__position", "network_id"]
        constraints = [
            models.UniqueConstraint(fields=["asset", "network"], name="assets_asset_network_once"),
            models.UniqueConstraint(
                fields=["network", "contract"], condition=~Q(contract=""), name="assets_contract_once_a_network"
            ),
            models.CheckConstraint(condition=Q(confirmations__gt=0), name="assets_confirmations_positive"),
            models.CheckConstraint(
                condition=Q(min_deposit__gte=0) & Q(min_withdrawal__gt=0) & Q(withdrawal_fee__gte=0),
                name="assets_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(sweep_minimum__isnull=True) | Q(sweep_minimum__gt=0), name="assets_sweep_minimum_positive"
            ),
        ]

    def __str__(self):
        return f"{self.asset_id} over {self.network_id}"


class ConfirmationTier(models.Model):
    """From this amount on, a deposit waits for this many blocks. Without a tier the link's own number holds."""

    asset_network = models.ForeignKey(AssetNetwork, on_delete=models.CASCADE, related_name="tiers")
    from_amount = BaseUnits(help_text="Base units; deposits of this much and more.")
    confirmations = models.PositiveIntegerField(help_text="Blocks before such a deposit is credited.")

    class Meta:
        db_table = "assets_confirmation_tier"
        ordering = ["from_amount"]
        constraints = [
            models.UniqueConstraint(fields=["asset_network", "from_amount"], name="assets_tier_once"),
            models.CheckConstraint(condition=Q(from_amount__gt=0), name="assets_tier_amount_positive"),
            models.CheckConstraint(condition=Q(confirmations__gt=0), name="assets_tier_confirmations_positive"),
        ]

    def __str__(self):
        return f"from {self.from_amount}: {self.confirmations}"


class Rate(models.Model):
    """The last known price of one whole unit in US dollars; `as_of` is when it was true at its source."""

    asset = models.OneToOneField(Asset, on_delete=models.PROTECT, primary_key=True, related_name="rate")
    price = models.DecimalField(max_digits=38, decimal_places=18)
    as_of = models.DateTimeField()
    fetched_at = models.DateTimeField()
    source = models.CharField(max_length=30)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(price__gt=0), name="assets_rate_positive")]

    def __str__(self):
        return f"{self.asset_id}: {self.price} USD"


class RateHistory(models.Model):
    """Every rate that was ever in force, for charts and for the worth of something in the past."""

    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    price = models.DecimalField(max_digits=38, decimal_places=18)
    as_of = models.DateTimeField()
    source = models.CharField(max_length=30)

    class Meta:
        db_table = "assets_rate_history"
        constraints = [
            models.UniqueConstraint(fields=["asset", "as_of", "source"], name="assets_rate_history_once"),
            models.CheckConstraint(condition=Q(price__gt=0), name="assets_rate_history_positive"),
        ]

    def __str__(self):
        return f"{self.asset_id} at {self.as_of}"


class RateDay(models.Model):
    """The last rate of each day (UTC): what a year of worth is drawn from, without a look at a year of minutes."""

    id = models.BigAutoField(primary_key=True)
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    day = models.DateField()
    price = models.DecimalField(max_digits=38, decimal_places=18)
    as_of = models.DateTimeField()

    class Meta:
        db_table = "assets_rate_day"
        constraints = [
            models.UniqueConstraint(fields=["asset", "day"], name="assets_rate_day_once"),
            models.CheckConstraint(condition=Q(price__gt=0), name="assets_rate_day_positive"),
        ]

    def __str__(self):
        return f"{self.asset_id} on {self.day}"
