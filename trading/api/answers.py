"""The answers of the trading room as the API's documentation describes them. The shapes themselves are made in shapes.py;
a test holds the two together, field by field."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from trading.api import forms


def decimal(**options: object) -> serializers.CharField:
    """A decimal number in a string."""
    return serializers.CharField(help_text="A decimal number.", **options)


@extend_schema_field(
    {"type": "array", "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}}
)
class Levels(serializers.ListField):
    """Pairs of price and quantity, best first."""


class Market(serializers.Serializer):
    """A market and its rules."""

    symbol = serializers.CharField()
    base = serializers.CharField()
    quote = serializers.CharField()
    state = serializers.ChoiceField(
        choices=["open", "post_only", "cancel_only", "halted"],
        help_text="post_only: what would match at once is refused.",
    )
    tick_size = decimal()
    lot_size = decimal()
    price_decimals = serializers.IntegerField()
    quantity_decimals = serializers.IntegerField()
    maker_fee = serializers.CharField(help_text="A fraction of what is received; negative: a rebate.")
    taker_fee = decimal()
    min_notional = serializers.CharField(help_text="The least that price × quantity may be, in quote.")
    price_band = serializers.CharField(
        allow_null=True, help_text="How far from the last price a price may be, in percent; null: as far as you like."
    )
    slippage = serializers.CharField(
        help_text="How far from the best price a market order trades, in percent, unless it says so itself."
    )
    max_open_orders = serializers.IntegerField(
        allow_null=True, help_text="How many orders a customer may have open here; null: no limit."
    )


class Book(serializers.Serializer):
    """Both sides of a market."""

    market = serializers.CharField()
    u = serializers.IntegerField()
    bids = Levels()
    asks = Levels()


class Trade(serializers.Serializer):
    """One trade; `side` is the taker's."""

    id = serializers.IntegerField()
    price = decimal()
    quantity = decimal()
    side = serializers.ChoiceField(choices=["buy", "sell"])
    time = serializers.DateTimeField()


class Candle(serializers.Serializer):
    """Prices and volumes of one interval; `time` is its beginning."""

    time = serializers.DateTimeField()
    open = decimal()
    high = decimal()
    low = decimal()
    close = decimal()
    volume = decimal()
    quote_volume = decimal()


class Ticker(serializers.Serializer):
    """The last 24 hours; what is not known is null."""

    market = serializers.CharField()
    last = decimal(allow_null=True)
    bid = decimal(allow_null=True)
    ask = decimal(allow_null=True)
    open = decimal(allow_null=True)
    high = decimal(allow_null=True)
    low = decimal(allow_null=True)
    volume = decimal(allow_null=True)
    quote_volume = decimal(allow_null=True)
    change = decimal(allow_null=True)
    time = serializers.DateTimeField()


class Order(serializers.Serializer):
    """An order and what became of it. What does not apply is null."""

    id = serializers.IntegerField()
    client_order_id = serializers.CharField(allow_null=True)
    market = serializers.CharField()
    side = serializers.ChoiceField(choices=list(forms.SIDES))
    type = serializers.ChoiceField(choices=list(forms.TYPES))
    time_in_force = serializers.ChoiceField(choices=list(forms.TIMES_IN_FORCE))
    price = decimal(allow_null=True)
    quantity = decimal(allow_null=True)
    quote_amount = decimal(allow_null=True)
    filled_quantity = decimal()
    filled_quote = decimal()
    average_price = decimal(allow_null=True)
    fee = serializers.CharField(help_text="What was paid so far, in fee_asset; negative: a rebate.")
    fee_asset = serializers.CharField()
    stop_price = serializers.CharField(allow_null=True, help_text="Of a trailing stop: where it is now.")
    trail = decimal(allow_null=True)
    trail_percent = decimal(allow_null=True)
    display_quantity = decimal(allow_null=True)
    post_only = serializers.BooleanField()
    self_trade = serializers.ChoiceField(choices=list(forms.SELF_TRADE))
    slippage = decimal(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    oco_order_id = serializers.IntegerField(allow_null=True, help_text="The other order of a pair.")
    state = serializers.ChoiceField(
        choices=["open", "pending", "filled", "cancelled", "expired"], help_text="pending: it waits for its price."
    )
    reason = serializers.CharField(
        allow_blank=True,
        help_text="Why it ended: user, staff, disconnect, expired, oco, self_trade, slippage, no_liquidity, too_small, "
        "too_many_fills, not_fillable.",
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class Pair(serializers.Serializer):
    """Two orders of which one cancels the other."""

    limit = Order()
    stop = Order()


class Cancelled(serializers.Serializer):
    """How many orders were cancelled."""

    cancelled = serializers.IntegerField()


class Countdown(serializers.Serializer):
    """When all orders will be cancelled unless the countdown is renewed; null: never."""

    cancel_at = serializers.DateTimeField(allow_null=True)


class Failed(serializers.Serializer):
    """The one error shape's inside."""

    type = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()
    param = serializers.CharField(allow_null=True)


class Outcome(serializers.Serializer):
    """What became of one command of a batch: one of the two."""

    order = Order(required=False)
    error = Failed(required=False)


class Outcomes(serializers.Serializer):
    """What became of each command, in their order."""

    data = Outcome(many=True)


class MarketFees(serializers.Serializer):
    """The fees that hold for you in one market."""

    market = serializers.CharField()
    maker_fee = serializers.CharField()
    taker_fee = serializers.CharField()


class Fees(serializers.Serializer):
    """A tier, the volume it comes from, and what it means in each market."""

    tier = serializers.CharField(allow_null=True)
    volume = serializers.CharField(help_text="Of the last 30 days, in `currency`.")
    currency = serializers.CharField()
    maker_fee = serializers.CharField(allow_null=True, help_text="Of the tier; the lower of it and the market's holds.")
    taker_fee = serializers.CharField(allow_null=True)
    next_tier = serializers.CharField(allow_null=True)
    next_volume = serializers.CharField(allow_null=True)
    markets = MarketFees(many=True)


class Fill(serializers.Serializer):
    """A trade of one's own; `id` is the trade's."""

    id = serializers.IntegerField()
    order_id = serializers.IntegerField()
    market = serializers.CharField()
    side = serializers.ChoiceField(choices=["buy", "sell"])
    role = serializers.ChoiceField(choices=["maker", "taker"])
    price = decimal()
    quantity = decimal()
    quote_amount = decimal()
    fee = serializers.CharField(help_text="In fee_asset; negative: a rebate.")
    fee_asset = serializers.CharField()
    time = serializers.DateTimeField()


class Markets(serializers.Serializer):
    """Every market."""

    data = Market(many=True)


class Tickers(serializers.Serializer):
    """Every market's ticker."""

    data = Ticker(many=True)


class Candles(serializers.Serializer):
    """Candles, oldest first."""

    data = Candle(many=True)


class Orders(serializers.Serializer):
    """Open orders."""

    data = Order(many=True)


class TradePage(serializers.Serializer):
    """A page of trades."""

    data = Trade(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class OrderPage(serializers.Serializer):
    """A page of orders."""

    data = Order(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class FillPage(serializers.Serializer):
    """A page of fills."""

    data = Fill(many=True)
    next_cursor = serializers.CharField(allow_null=True)
