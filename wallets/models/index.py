"""What we know of the chains: our keys' public halves, our addresses, the blocks we walked, the coins that are ours.

Everything but `Xpub` and `Address` could be scanned again from the nodes. What must never happen here: an address that
is forgotten (each one ever given out is watched for ever), or a coin that two transactions of ours both spend.
"""

from django.db import models
from django.db.models import Q

from exchange.assets.fields import BaseUnits


class Xpub(models.Model):
    """The public half of one account of the keystore. Its row is the lock under which the next index is taken."""

    class Purpose(models.TextChoices):
        DEPOSIT = "deposit", "Deposits of customers"
        HOT = "hot", "The house's hot wallet"

    network_id = models.SmallIntegerField()
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    xpub = models.CharField(max_length=200)
    path = models.CharField(max_length=64)
    next_index = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "wallets_xpub"
        constraints = [
            models.UniqueConstraint(fields=["network_id", "xpub"], name="wallets_xpub_once"),
            models.UniqueConstraint(
                fields=["network_id", "purpose"], condition=Q(retired_at=None), name="wallets_xpub_one_current"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.path}"


class Address(models.Model):
    """An address of ours. Rows are never deleted: whoever once saw the address may pay to it years later."""

    class Purpose(models.TextChoices):
        DEPOSIT = "deposit", "A customer's deposits"
        HOT = "hot", "The house's hot wallet"
        COLD = "cold", "The house's cold wallet"

    network_id = models.SmallIntegerField()
    address = models.CharField(max_length=120)
    # What a block is matched against: the output script of a UTXO chain, the 20 bytes of an EVM account.
    script = models.BinaryField()
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    owner_id = models.BigIntegerField(null=True, blank=True)
    # What it derives from: an account of the keystore, or the descriptor of a cold wallet.
    xpub = models.ForeignKey(Xpub, on_delete=models.PROTECT, null=True, blank=True, related_name="addresses")
    cold = models.ForeignKey(
        "wallets.ColdWallet", on_delete=models.PROTECT, null=True, blank=True, related_name="addresses"
    )
    # The last two steps below the xpub: branch 1 takes our own change, branch 0 everything else.
    branch = models.PositiveSmallIntegerField(default=0)
    index = models.PositiveIntegerField()
    # Whose purpose a fresh address serves ("invoice:…"); empty for the one on the customer's wallet page.
    reference = models.CharField(max_length=120, default="", blank=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "wallets_address"
        verbose_name_plural = "addresses"
        indexes = [
            models.Index(fields=["owner_id"], name="wallets_address_owner"),
            models.Index(fields=["address"], name="wallets_address_text"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["network_id", "address"], name="wallets_address_once"),
            models.UniqueConstraint(fields=["network_id", "script"], name="wallets_address_script_once"),
            models.UniqueConstraint(fields=["xpub", "branch", "index"], name="wallets_address_index_once"),
            models.UniqueConstraint(fields=["cold", "branch", "index"], name="wallets_address_cold_index_once"),
            models.UniqueConstraint(
                fields=["owner_id", "network_id", "reference"],
                condition=Q(purpose="deposit"),
                name="wallets_address_one_a_customer",
            ),
            models.CheckConstraint(
                condition=Q(purpose="deposit", owner_id__isnull=False)
                | Q(purpose__in=["hot", "cold"], owner_id__isnull=True),
                name="wallets_address_has_owner",
            ),
            models.CheckConstraint(
                condition=Q(purpose="cold", cold__isnull=False, xpub__isnull=True)
                | (~Q(purpose="cold") & Q(cold__isnull=True, xpub__isnull=False)),
                name="wallets_address_derives",
            ),
        ]

    def __str__(self) -> str:
        return self.address


class Trace(Address):
    """The door to staff's search, which looks for addresses first: a right of its own to see, and no table."""

    class Meta:
        proxy = True
        verbose_name = "find"
        verbose_name_plural = "find (address, transaction, block, customer)"


class Cursor(models.Model):
    """How far a network is scanned. Its row is the lock under which a block's matches are committed."""

    network_id = models.SmallIntegerField(primary_key=True)
    height = models.PositiveBigIntegerField()
    hash = models.CharField(max_length=66)
    started_height = models.PositiveBigIntegerField()
    updated_at = models.DateTimeField()
    # The highest block that the network itself calls final; null where it does not, or nobody asks for it.
    finalized_height = models.PositiveBigIntegerField(null=True, blank=True)
    # Why the scanner stands still until staff look ("" when it runs), such as a reorganisation beyond the limit.
    halted = models.TextField(default="", blank=True)

    class Meta:
        db_table = "wallets_cursor"

    def __str__(self) -> str:
        return f"{self.network_id} at {self.height}"


class Block(models.Model):
    """A block we walked. An orphaned one stays, marked: it explains why a credit was taken back."""

    network_id = models.SmallIntegerField()
    height = models.PositiveBigIntegerField()
    hash = models.CharField(max_length=66)
    parent = models.CharField(max_length=66)
    time = models.DateTimeField()
    scanned_at = models.DateTimeField()
    orphaned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "wallets_block"
        constraints = [
            models.UniqueConstraint(fields=["network_id", "hash"], name="wallets_block_once"),
            models.UniqueConstraint(
                fields=["network_id", "height"], condition=Q(orphaned_at=None), name="wallets_block_one_a_height"
            ),
        ]
        indexes = [
            models.Index(fields=["hash"], name="wallets_block_hash"),
            models.Index(fields=["network_id", "height"], name="wallets_block_height"),
        ]

    def __str__(self) -> str:
        return f"{self.height} {self.hash}"


class Health(models.Model):
    """What the last look at a network's node found."""

    network_id = models.SmallIntegerField(primary_key=True)
    tip_height = models.PositiveBigIntegerField(null=True)
    tip_hash = models.CharField(max_length=66, default="", blank=True)
    checked_at = models.DateTimeField()
    last_ok_at = models.DateTimeField(null=True)
    last_error = models.TextField(default="", blank=True)
    failing_since = models.DateTimeField(null=True)

    class Meta:
        db_table = "wallets_health"
        verbose_name = "network's health"
        verbose_name_plural = "networks' health"

    def __str__(self) -> str:
        return f"{self.network_id}: {self.last_error or 'ok'}"


class Source(models.Model):
    """One node of a network, and what the last look at it found. A network may have two that are compared."""

    class State(models.TextChoices):
        OK = "ok", "Answers and agrees"
        SLOW = "slow", "Answers, but slowly"
        BEHIND = "behind", "Below what was scanned before"
        STUCK = "stuck", "Its newest block is too old"
        PRUNED = "pruned", "Has thrown away a block that is needed"
        LYING = "lying", "Contradicts itself"
        WRONG_CHAIN = "wrong_chain", "Serves another chain"
        DOWN = "down", "Does not answer"

    network_id = models.SmallIntegerField()
    name = models.CharField(max_length=20)
    state = models.CharField(max_length=12, choices=State.choices, default=State.OK)
    tip_height = models.PositiveBigIntegerField(null=True)
    tip_hash = models.CharField(max_length=66, default="", blank=True)
    checked_at = models.DateTimeField()
    last_ok_at = models.DateTimeField(null=True)
    last_error = models.TextField(default="", blank=True)
    # What it says against the other source; "" while they agree.
    disagrees = models.TextField(default="", blank=True)

    class Meta:
        db_table = "wallets_source"
        constraints = [models.UniqueConstraint(fields=["network_id", "name"], name="wallets_source_once")]

    def __str__(self) -> str:
        return f"{self.network_id} {self.name}: {self.disagrees or self.last_error or 'ok'}"


class Coin(models.Model):
    """An unspent (or spent) output of a UTXO chain that pays to one of our addresses."""

    network_id = models.SmallIntegerField()
    txid = models.CharField(max_length=64)
    vout = models.PositiveIntegerField()
    address = models.ForeignKey(Address, on_delete=models.PROTECT, related_name="coins")
    amount = BaseUnits()
    # Null while no block of the chain we follow holds it.
    block_height = models.PositiveBigIntegerField(null=True)
    # From this scanned height on, we may spend it: a coin that may still be reorganised away is not ours to send.
    mature_height = models.PositiveBigIntegerField(null=True)
    spent_txid = models.CharField(max_length=64, default="", blank=True)
    spent_height = models.PositiveBigIntegerField(null=True)
    # What its own transaction uses up, as "txid:vout"; empty where that was not read.
    spends = models.JSONField(default=list)
    # While no block holds it: the transaction that used one of these up instead, and where. Then it can never be.
    gone_txid = models.CharField(max_length=64, default="", blank=True)
    gone_height = models.PositiveBigIntegerField(null=True)

    class Meta:
        db_table = "wallets_coin"
        constraints = [
            models.UniqueConstraint(fields=["network_id", "txid", "vout"], name="wallets_coin_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="wallets_coin_positive"),
        ]
        indexes = [
            models.Index(
                fields=["network_id", "amount"],
                condition=Q(spent_height=None, block_height__isnull=False),
                name="wallets_coin_unspent",
            ),
            models.Index(fields=["txid"], name="wallets_coin_txid"),
            models.Index(fields=["spent_txid"], condition=~Q(spent_txid=""), name="wallets_coin_spent_txid"),
            # New coins are read in the order in which they were written, by network.
            models.Index(fields=["network_id", "id"], name="wallets_coin_order"),
            models.Index(fields=["network_id"], condition=Q(block_height=None), name="wallets_coin_nowhere"),
        ]

    def __str__(self) -> str:
        return f"{self.txid}:{self.vout}"


class Movement(models.Model):
    """What a mined transaction moved at one of our EVM accounts, signed; the sum of an account's rows is its balance.

    Rows of a reorganised block are deleted: this is an index of the chain, the history is in deposits and payouts.
    """

    network_id = models.SmallIntegerField()
    block_height = models.PositiveBigIntegerField()
    txid = models.CharField(max_length=66)
    position = models.CharField(max_length=40)
    address = models.ForeignKey(Address, on_delete=models.PROTECT, related_name="movements")
    asset_id = models.SmallIntegerField()
    delta = BaseUnits()

    class Meta:
        db_table = "wallets_movement"
        constraints = [
            models.UniqueConstraint(fields=["txid", "position", "address", "asset_id"], name="wallets_movement_once"),
        ]
        indexes = [
            models.Index(fields=["network_id", "block_height"], name="wallets_movement_height"),
            models.Index(fields=["address", "asset_id"], name="wallets_movement_address"),
            models.Index(fields=["txid"], name="wallets_movement_txid"),
        ]

    def __str__(self) -> str:
        return f"{self.txid} {self.position}"
