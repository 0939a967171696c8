"""The answers of the wallet room as the API's documentation describes them. The shapes themselves are made in shapes.py;
a test holds the two together, field by field."""

from __future__ import annotations

from rest_framework import serializers


def decimal(**options: object) -> serializers.CharField:
    """A decimal number in a string."""
    return serializers.CharField(help_text="A decimal number.", **options)


class AssetNetwork(serializers.Serializer):
    """An asset over one network."""

    network = serializers.CharField()
    contract = serializers.CharField(allow_blank=True, help_text="Empty for the network's own coin.")
    decimals = serializers.IntegerField()
    confirmations = serializers.IntegerField(help_text="Blocks before a deposit is credited.")
    min_deposit = decimal()
    min_withdrawal = decimal()
    withdrawal_fee = decimal()
    enabled = serializers.BooleanField()


class Asset(serializers.Serializer):
    """Something with a balance."""

    code = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=["crypto", "fiat"])
    decimals = serializers.IntegerField()
    display_decimals = serializers.IntegerField()
    networks = AssetNetwork(many=True)


class Price(serializers.Serializer):
    """What one whole unit costs."""

    asset = serializers.CharField()
    currency = serializers.CharField()
    price = decimal()
    as_of = serializers.DateTimeField()
    age_s = serializers.IntegerField()
    source = serializers.CharField()


class Worth(serializers.Serializer):
    """An amount in another currency, and how old the rate is."""

    amount = decimal()
    currency = serializers.CharField()
    as_of = serializers.DateTimeField()
    age_s = serializers.IntegerField()


class Balance(serializers.Serializer):
    """`available` is `balance` less what orders and withdrawals hold."""

    asset = serializers.CharField()
    balance = decimal()
    held = decimal()
    available = decimal()
    worth = Worth(allow_null=True)


class DepositAddress(serializers.Serializer):
    """Where to send coins to."""

    asset = serializers.CharField()
    network = serializers.CharField()
    address = serializers.CharField()
    uri = serializers.CharField(help_text="For a QR code.")
    created_at = serializers.DateTimeField()


class Deposit(serializers.Serializer):
    """Coins that came, or are coming."""

    id = serializers.UUIDField()
    asset = serializers.CharField()
    network = serializers.CharField()
    amount = decimal()
    address = serializers.CharField()
    txid = serializers.CharField()
    state = serializers.ChoiceField(choices=["seen", "confirming", "credited", "below_minimum", "orphaned", "dropped"])
    confirmations = serializers.IntegerField()
    confirmations_required = serializers.IntegerField()
    block_height = serializers.IntegerField(allow_null=True)
    seen_at = serializers.DateTimeField()
    credited_at = serializers.DateTimeField(allow_null=True)
    reversed_at = serializers.DateTimeField(allow_null=True)


class Step(serializers.Serializer):
    """When a withdrawal came to a state."""

    state = serializers.CharField()
    at = serializers.DateTimeField()


class Withdrawal(serializers.Serializer):
    """Coins on their way out. `amount` arrives; `total` = `amount` + `fee` leaves the balance."""

    id = serializers.UUIDField()
    asset = serializers.CharField()
    network = serializers.CharField()
    amount = decimal()
    fee = decimal()
    total = decimal()
    address = serializers.CharField()
    state = serializers.CharField(
        help_text="requested, review, approved, reserved, signing, signed, broadcast, confirmed, final; or cancelled, "
        "rejected, failed."
    )
    reason = serializers.CharField(allow_blank=True)
    waiting = serializers.CharField(allow_blank=True, help_text="Why it does not go on at the moment, or empty.")
    txid = serializers.CharField(allow_null=True)
    confirmations = serializers.IntegerField()
    confirmations_required = serializers.IntegerField()
    cancellable = serializers.BooleanField()
    requested_at = serializers.DateTimeField()
    steps = Step(many=True)


class Assets(serializers.Serializer):
    """Every asset."""

    data = Asset(many=True)


class Prices(serializers.Serializer):
    """Every price."""

    data = Price(many=True)


class Balances(serializers.Serializer):
    """Every balance."""

    data = Balance(many=True)


class DepositAddresses(serializers.Serializer):
    """The customer's addresses."""

    data = DepositAddress(many=True)


class DepositPage(serializers.Serializer):
    """A page of deposits."""

    data = Deposit(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class WithdrawalPage(serializers.Serializer):
    """A page of withdrawals."""

    data = Withdrawal(many=True)
    next_cursor = serializers.CharField(allow_null=True)
