"""What a client may send to the wallet room. Amounts and addresses are judged in the domain, which knows asset and network."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from exchange.accounts.api.serializers import DecimalText, Strict, Text


class Flag(serializers.BooleanField):
    """JSON's true or false and nothing else: "no" must not be read as a yes."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


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
    fee = DecimalText(
        required=False,
        help_text="The fee you agree to, as a quote gave it; refused with `fee_changed` when it is another by now.",
    )


class QuoteWithdrawal(Strict):
    """What would a withdrawal do."""

    asset = Text(max_length=20)
    network = Text(max_length=20)
    amount = DecimalText(help_text="What is to arrive.")
    address = Text(max_length=200, trim_whitespace=False, required=False, help_text="Judged, too, where it is given.")


class NewWithdrawalAddress(Strict):
    """An address for the book."""

    network = Text(max_length=20)
    address = Text(max_length=200, trim_whitespace=False)
    label = Text(max_length=200)


class Relabel(Strict):
    """Another name."""

    label = Text(max_length=200)


class WithdrawalMode(Strict):
    """Whether coins leave to the book's addresses alone."""

    allow_list_only = Flag()


class Nothing(Strict):
    """An empty body."""
