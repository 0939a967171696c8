"""What a client may send to the trading room. Amounts are judged in the domain, which knows the market."""

from __future__ import annotations

from rest_framework import serializers

from exchange.accounts.api.serializers import DecimalText, Strict, Text


class PlaceOrder(Strict):
    """An order to be placed."""

    market = Text(max_length=20, help_text='The market\'s symbol, such as "BTC-USDT".')
    side = serializers.ChoiceField(choices=["buy", "sell"])
    type = serializers.ChoiceField(choices=["limit", "market"])
    price = DecimalText(required=False, help_text="Of one unit of base, in quote. Limit orders only.")
    quantity = DecimalText(required=False, help_text="In base.")
    quote_amount = DecimalText(
        required=False, help_text="Market orders only, in place of quantity: quote to spend or receive."
    )
    time_in_force = serializers.ChoiceField(choices=["GTC", "IOC"], required=False)
    client_order_id = Text(
        required=False, max_length=36, help_text="Your own id, used once: a retry with it gives the first result back."
    )
