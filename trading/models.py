"""Tables of the trading room. The engine's process writes them with COPY and arrays; these classes are for reading and the admin.

Orders, trades, commands and candles are partitioned by their integer id and made in SQL (migrations/_tables.py), so they are
unmanaged here. What must never happen here: a balance. Money stands in the ledger; an order only says what it holds.
"""

from __future__ import annotations

from django.db import models

from trading.models_limits import CountedCustomer as CountedCustomer
from trading.models_limits import Reservation as Reservation


class Market(models.Model):
    """Two assets that trade against each other, in what steps and by what rules. Amount columns are base units.

    The web makes the row; from then on state and rules are the engine's to write, in the batch whose command set them.
    """

    class State(models.IntegerChoices):
        OPEN = 1, "open"
        CANCEL_ONLY = 2, "cancel_only"
        HALTED = 3, "halted"
        POST_ONLY = 4, "post_only"

    id = models.SmallAutoField(primary_key=True)
    symbol = models.CharField(max_length=21, unique=True)
    shard = models.ForeignKey("Shard", on_delete=models.PROTECT, related_name="markets")
    base_asset_id = models.IntegerField()
    quote_asset_id = models.IntegerField()
    base_decimals = models.SmallIntegerField()
    quote_decimals = models.SmallIntegerField()
    price_decimals = models.SmallIntegerField(help_text="A tick is price_step · 10^-price_decimals of the quote asset.")
    price_step = models.IntegerField(default=1)
    quantity_decimals = models.SmallIntegerField(
        help_text="A lot is quantity_step · 10^-quantity_decimals of the base asset."
    )
    quantity_step = models.IntegerField(default=1)
    lot_base_units = models.DecimalField(max_digits=78, decimal_places=0)
    tick_quote_units = models.DecimalField(max_digits=78, decimal_places=0)
    maker_fee_ppm = models.IntegerField(help_text="Below zero: a rebate, what a maker is paid.")
    taker_fee_ppm = models.IntegerField()
    min_notional = models.DecimalField(
        max_digits=78,
        decimal_places=0,
        default=0,
        help_text="An order's least worth, in base units of the quote asset; 0: any.",
    )
    band_ppm = models.IntegerField(default=0, help_text="How far from the last price an order may stand; 0: anywhere.")
    slippage_ppm = models.IntegerField(
        default=100_000, help_text="How far from the best price a market order may fill that says nothing itself."
    )
    max_open_orders = models.IntegerField(default=1_000, help_text="A customer's, in this market; 0: any number.")
    state = models.SmallIntegerField(choices=State.choices, default=State.OPEN)
    opened = models.BooleanField(default=False, help_text="Whether its shard's engine has taken it up.")

    class Meta:
        db_table = "trading_market"
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(base_asset_id=models.F("quote_asset_id")), name="trading_market_two_assets"
            ),
            models.CheckConstraint(
                condition=models.Q(lot_base_units__gte=1) & models.Q(tick_quote_units__gte=1),
                name="trading_market_whole_units",
            ),
            models.CheckConstraint(
                condition=models.Q(maker_fee_ppm__gt=-1_000_000, maker_fee_ppm__lt=1_000_000)
                & models.Q(taker_fee_ppm__gte=0, taker_fee_ppm__lt=1_000_000)
                & models.Q(taker_fee_ppm__gte=0 - models.F("maker_fee_ppm")),
                name="trading_market_fees",
            ),
            models.CheckConstraint(
                condition=models.Q(min_notional__gte=0, band_ppm__gte=0, max_open_orders__gte=0)
                & models.Q(slippage_ppm__gte=1, slippage_ppm__lte=1_000_000),
                name="trading_market_rules",
            ),
        ]

    def __str__(self) -> str:
        return self.symbol


class Shard(models.Model):
    """One engine's share of the markets: who leads it, how far it has come. Each batch changes this row exactly once."""

    id = models.SmallIntegerField(primary_key=True)
    epoch = models.BigIntegerField(
        default=0, help_text="Raised by each leader and each rebuild; a batch of an older epoch is refused."
    )
    seq = models.BigIntegerField(default=0, help_text="Batches committed.")
    published_seq = models.BigIntegerField(
        default=0, help_text="Up to which batch replies and market data were surely released."
    )
    next_command = models.BigIntegerField(default=1)
    next_order = models.BigIntegerField(default=1)
    next_trade = models.BigIntegerField(default=1)
    stream_generation = models.CharField(max_length=36, blank=True, default="")
    stream_id = models.CharField(max_length=41, default="0-0")
    market_sequences = models.JSONField(default=dict, help_text="Market id → last sequence of its public feed.")
    last_prices = models.JSONField(default=dict, help_text="Market id → price of its newest trade.")
    leader_pid = models.IntegerField(null=True, help_text="Process id of the leader's database backend.")
    leader_backend_start = models.DateTimeField(null=True)
    leader_name = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        db_table = "trading_shard"

    def __str__(self) -> str:
        return f"shard {self.id}"


class AccountFee(models.Model):
    """A customer's own fees on a shard. What counts in a fill is the better of these and the market's."""

    id = models.BigIntegerField(primary_key=True, help_text="user · 1024 + shard")
    shard_id = models.SmallIntegerField()
    user_id = models.BigIntegerField()
    maker_fee_ppm = models.IntegerField()
    taker_fee_ppm = models.IntegerField()

    class Meta:
        db_table = "trading_account_fee"

    def __str__(self) -> str:
        return f"fees of customer {self.user_id} on shard {self.shard_id}"


class Countdown(models.Model):
    """A dead man's switch: at `until_us` all the customer's orders on the shard are cancelled."""

    id = models.BigIntegerField(primary_key=True, help_text="user · 1024 + shard")
    shard_id = models.SmallIntegerField()
    user_id = models.BigIntegerField()
    until_us = models.BigIntegerField(help_text="Microseconds since 1970.")

    class Meta:
        db_table = "trading_countdown"

    def __str__(self) -> str:
        return f"countdown of customer {self.user_id} on shard {self.shard_id}"


class Batch(models.Model):
    """What one committed batch has to tell the world; kept until it surely was told, and a while longer."""

    id = models.BigIntegerField(primary_key=True, help_text="seq · 1024 + shard")
    record = models.TextField()
    committed_at = models.DateTimeField()

    class Meta:
        db_table = "trading_batch"

    def __str__(self) -> str:
        return f"batch {self.pk}"


class Command(models.Model):
    """What was asked, when the engine took it, and the verdict: "accepted", or the refusal's code."""

    id = models.BigIntegerField(primary_key=True)
    seq = models.BigIntegerField()
    user_id = models.BigIntegerField()
    body = models.TextField()
    verdict = models.CharField(max_length=40)
    order_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "trading_command"

    def __str__(self) -> str:
        return f"command {self.pk}"


class CommandKey(models.Model):
    """A command's UUID, unique: the same command read twice is done once. Kept 30 days."""

    command_uuid = models.UUIDField(primary_key=True)
    command_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "trading_command_key"

    def __str__(self) -> str:
        return f"command key {self.pk}"


class OrderKey(models.Model):
    """A customer's own id for an order, unique for the customer. Kept 30 days after it was used."""

    client_order_id = models.CharField(max_length=36, primary_key=True)  # with user_id; Django wants one
    user_id = models.BigIntegerField()
    command_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "trading_order_key"

    def __str__(self) -> str:
        return f"order key {self.pk}"


class Order(models.Model):
    """An order as it stands after the last batch that touched it. Prices in ticks, sizes in lots."""

    class State(models.IntegerChoices):
        OPEN = 1, "open"
        FILLED = 2, "filled"
        CANCELLED = 3, "cancelled"

    class Phase(models.IntegerChoices):
        """Where an open order is."""

        DONE = 0, "done"
        RESTING = 1, "in the book"
        ARMED = 2, "waiting for its trigger"
        WAITING = 3, "triggered, about to run"

    class Kind(models.IntegerChoices):
        LIMIT = 1, "limit"
        MARKET = 2, "market"
        STOP = 3, "stop"
        STOP_LIMIT = 4, "stop_limit"
        TAKE_PROFIT = 5, "take_profit"
        TAKE_PROFIT_LIMIT = 6, "take_profit_limit"
        TRAILING_STOP = 7, "trailing_stop"

    class TimeInForce(models.IntegerChoices):
        GTC = 1, "GTC"
        IOC = 2, "IOC"
        FOK = 3, "FOK"
        GTD = 4, "GTD"

    id = models.BigIntegerField(primary_key=True)
    user_id = models.BigIntegerField()
    market_id = models.SmallIntegerField()
    side = models.SmallIntegerField(choices=[(1, "buy"), (2, "sell")])
    kind = models.SmallIntegerField(choices=Kind.choices)
    time_in_force = models.SmallIntegerField(choices=TimeInForce.choices)
    price = models.BigIntegerField(help_text="ticks; 0 for an order that fills at the market's")
    lots = models.BigIntegerField(help_text="0 for an order by quote amount")
    quote_units = models.DecimalField(max_digits=78, decimal_places=0)
    filled_lots = models.BigIntegerField()
    filled_quote = models.DecimalField(max_digits=78, decimal_places=0)
    fee = models.DecimalField(
        max_digits=78, decimal_places=0, help_text="in the asset received; below zero: more was paid back than taken"
    )
    state = models.SmallIntegerField(choices=State.choices)
    reason = models.CharField(max_length=20)
    client_order_id = models.CharField(max_length=36, null=True)  # noqa: DJ001  # absent is not the same as empty here
    base_account = models.BigIntegerField()
    quote_account = models.BigIntegerField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    rank = models.BigIntegerField(help_text="its turn: at one price the lower rank is filled first")
    phase = models.SmallIntegerField(choices=Phase.choices)
    held = models.DecimalField(max_digits=78, decimal_places=0, help_text="of the ledger account it pays from")
    terms = models.JSONField(null=True, help_text="what a plain order has none of; see runner/terms.py")

    class Meta:
        managed = False
        db_table = "trading_order"

    def __str__(self) -> str:
        return f"order {self.id}"


class Trade(models.Model):
    """One fill. `buyer_fee` is in the base asset, `seller_fee` in the quote asset."""

    id = models.BigIntegerField(primary_key=True)
    market_id = models.SmallIntegerField()
    price = models.BigIntegerField()
    lots = models.BigIntegerField()
    taker_side = models.SmallIntegerField(choices=[(1, "buy"), (2, "sell")])
    maker_order_id = models.BigIntegerField()
    taker_order_id = models.BigIntegerField()
    maker_id = models.BigIntegerField()
    taker_id = models.BigIntegerField()
    buyer_fee = models.DecimalField(max_digits=78, decimal_places=0)
    seller_fee = models.DecimalField(max_digits=78, decimal_places=0)
    at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "trading_trade"

    def __str__(self) -> str:
        return f"trade {self.id}"


class Candle(models.Model):
    """What traded in one stretch of time. The id is made of the time, the market and the interval; see runner/candles.py."""

    id = models.BigIntegerField(primary_key=True)
    market_id = models.SmallIntegerField()
    interval = models.SmallIntegerField(help_text="place in candles.INTERVALS")
    open_time = models.DateTimeField()
    open = models.BigIntegerField()
    high = models.BigIntegerField()
    low = models.BigIntegerField()
    close = models.BigIntegerField()
    lots = models.DecimalField(max_digits=78, decimal_places=0)
    quote_units = models.DecimalField(max_digits=78, decimal_places=0)
    trades = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "trading_candle"

    def __str__(self) -> str:
        return f"candle {self.pk}"


class FeeTier(models.Model):
    """What a customer pays from a volume of thirty days on. Changed by services.fees alone, which tells the engine."""

    name = models.CharField(max_length=40, unique=True)
    volume_from = models.DecimalField(
        max_digits=78, decimal_places=0, unique=True, help_text="US cents of thirty days."
    )
    maker_fee_ppm = models.IntegerField(help_text="Below zero: a rebate.")
    taker_fee_ppm = models.IntegerField()

    class Meta:
        db_table = "trading_fee_tier"
        ordering = ["volume_from"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(volume_from__gt=0, maker_fee_ppm__gt=-1_000_000, maker_fee_ppm__lt=1_000_000)
                & models.Q(taker_fee_ppm__gte=0, taker_fee_ppm__lt=1_000_000)
                & models.Q(taker_fee_ppm__gte=-models.F("maker_fee_ppm")),
                name="trading_fee_tier_rates",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Volume(models.Model):
    """What a customer traded in a day, in the base units of an asset of payment, and what that was worth when it was counted."""

    user_id = models.BigIntegerField()
    day = models.DateField(help_text="of UTC")
    asset_id = models.IntegerField()
    units = models.DecimalField(max_digits=78, decimal_places=0)
    valued_units = models.DecimalField(max_digits=78, decimal_places=0, help_text="How much of it has its worth.")
    usd_units = models.DecimalField(max_digits=78, decimal_places=0, help_text="US cents.")

    class Meta:
        db_table = "trading_volume"
        constraints = [
            models.UniqueConstraint(fields=["user_id", "day", "asset_id"], name="trading_volume_once"),
            models.CheckConstraint(
                condition=models.Q(valued_units__gte=0, valued_units__lte=models.F("units"), usd_units__gte=0),
                name="trading_volume_valued",
            ),
        ]
        indexes = [
            models.Index(fields=["day"], name="trading_volume_day"),
            models.Index(
                fields=["asset_id"], condition=models.Q(valued_units__lt=models.F("units")), name="trading_volume_waits"
            ),
        ]

    def __str__(self) -> str:
        return f"volume of customer {self.user_id} on {self.day}"


class VolumeMark(models.Model):
    """How far a shard's trades were counted: the next trade's number."""

    shard_id = models.SmallIntegerField(primary_key=True)
    next_trade = models.BigIntegerField(default=1)

    class Meta:
        db_table = "trading_volume_mark"

    def __str__(self) -> str:
        return f"trades of shard {self.shard_id} counted below {self.next_trade}"
