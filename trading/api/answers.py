"""The answers of the trading room as the API's documentation describes them. The shapes themselves are made in shapes.py;
a test holds the two together, field by field."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


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
    state = serializers.ChoiceField(choices=["open", "cancel_only", "halted"])
    tick_size = decimal()
    lot_size = decimal()
    price_decimals = serializers.IntegerField()
    quantity_decimals = serializers.IntegerField()
    maker_fee = decimal()
    taker_fee = decimal()


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
    """An order and what became of it."""

    id = serializers.IntegerField()
    client_order_id = serializers.CharField(allow_null=True)
    market = serializers.CharField()
    side = serializers.ChoiceField(choices=["buy", "sell"])
    type = serializers.ChoiceField(choices=["limit", "market"])
    time_in_force = serializers.ChoiceField(choices=["GTC", "IOC"])
    price = decimal(allow_null=True)
    quantity = decimal(allow_null=True)
    quote_amount = decimal(allow_null=True)
    filled_quantity = decimal()
    filled_quote = decimal()
    average_price = decimal(allow_null=True)
    fee = decimal()
    fee_asset = serializers.CharField()
    state = serializers.ChoiceField(choices=["open", "filled", "cancelled"])
    reason = serializers.CharField(
        allow_blank=True, help_text="Why it was cancelled: user, no_liquidity, self_trade, staff."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


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
    fee = decimal()
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
