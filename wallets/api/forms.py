"""What a client may send to the wallet room. Amounts and addresses are judged in the domain, which knows asset and network."""

from __future__ import annotations

from exchange.accounts.api.serializers import DecimalText, Strict, Text


class NewDepositAddress(Strict):
    """An address to be had."""

    asset = Text(max_length=20)
    network = Text(max_length=20)


class RequestWithdrawal(Strict):
    """Coins to be sent out."""

    asset = Text(max_length=20)
    network = Text(max_length=20)
    address = Text(max_length=200, trim_whitespace=False)
    amount = DecimalText(help_text="What is to arrive; the withdrawal fee comes on top.")


class Nothing(Strict):
    """An empty body."""
