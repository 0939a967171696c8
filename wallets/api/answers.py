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
    network_name = serializers.CharField()
    standard = serializers.CharField(allow_blank=True, help_text="A token's standard there (ERC20, BEP20), or empty.")
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
    state = serializers.ChoiceField(
        choices=["seen", "confirming", "credited", "held", "below_minimum", "orphaned", "dropped"]
    )
    held_for = serializers.CharField(
        allow_null=True,
        help_text="Why a confirmed deposit is `held` and not credited yet: `limit` (more than your deposit limit has room for; "
        "credited by itself when there is room), `price` (no price to count it by at the moment), or another word.",
    )
    confirmations = serializers.IntegerField()
    confirmations_required = serializers.IntegerField()
    waits_for = serializers.ChoiceField(
        choices=["confirmations", "finality"],
        help_text="`finality` where the network itself says when a block is final; no confirmations are counted there.",
    )
    block_height = serializers.IntegerField(allow_null=True)
    replaceable = serializers.BooleanField(help_text="In no block yet, and its sender may still pay otherwise.")
    replaced_by = serializers.CharField(allow_null=True, help_text="The transaction that took its place.")
    explorer = serializers.CharField(allow_null=True, help_text="A page about the transaction.")
    seen_at = serializers.DateTimeField()
    credited_at = serializers.DateTimeField(allow_null=True)
    reversed_at = serializers.DateTimeField(allow_null=True)


class Step(serializers.Serializer):
    """When a withdrawal came to a state."""

    state = serializers.CharField()
    at = serializers.DateTimeField()
    txid = serializers.CharField(allow_null=True)


class WithdrawalTransaction(serializers.Serializer):
    """A signed version of the transaction; at most one of them is ever mined."""

    txid = serializers.CharField()
    kind = serializers.ChoiceField(
        choices=["first", "bump", "cancel"],
        help_text="`bump`: sent again at a higher fee of ours. `cancel`: gives the coins back.",
    )
    at = serializers.DateTimeField()
    explorer = serializers.CharField(allow_null=True)


class Confirmation(serializers.Serializer):
    """The link in the e-mail. `state`: `waiting` (for the customer to follow it, until `expires_at`), `confirmed`, or
    `not_needed`."""

    state = serializers.ChoiceField(choices=["waiting", "confirmed", "not_needed"])
    expires_at = serializers.DateTimeField(allow_null=True)
    confirmed_at = serializers.DateTimeField(allow_null=True)


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
    reason = serializers.CharField(allow_blank=True, help_text="Why it ended without arriving, or empty.")
    waiting = serializers.CharField(allow_blank=True, help_text="Why it does not go on at the moment, or empty.")
    confirmation = Confirmation()
    destination_class = serializers.ChoiceField(choices=["listed", "one_time"])
    txid = serializers.CharField(allow_null=True)
    explorer = serializers.CharField(allow_null=True, help_text="A page about the transaction.")
    confirmations = serializers.IntegerField()
    confirmations_required = serializers.IntegerField()
    cancellable = serializers.BooleanField()
    requested_at = serializers.DateTimeField()
    steps = Step(many=True)
    transactions = WithdrawalTransaction(many=True)


class WithdrawalQuote(serializers.Serializer):
    """What a withdrawal would do now; nothing is held. Send `fee` along with the request: another fee by then is refused."""

    asset = serializers.CharField()
    network = serializers.CharField()
    address = serializers.CharField(allow_null=True, help_text="In its canonical form.")
    destination_class = serializers.ChoiceField(choices=["listed", "one_time"], allow_null=True)
    amount = decimal()
    fee = decimal()
    total = decimal()
    left = serializers.CharField(help_text="What stays available, a decimal number.")
    confirmations = serializers.IntegerField()
    usual_s = serializers.IntegerField(help_text="Seconds from its approval until it is final, as it usually takes.")
    email_confirmation = serializers.BooleanField(help_text="Whether a link in an e-mail has to be followed.")


class WithdrawalAddress(serializers.Serializer):
    """An entry of the address book."""

    id = serializers.IntegerField()
    network = serializers.CharField()
    address = serializers.CharField()
    label = serializers.CharField()
    created_at = serializers.DateTimeField()
    usable_at = serializers.DateTimeField()
    usable = serializers.BooleanField()


class WithdrawalAddresses(serializers.Serializer):
    """The address book."""

    data = WithdrawalAddress(many=True)


class WithdrawalMode(serializers.Serializer):
    """Whether coins leave to addresses of the book alone; `loosens_at` is when that ends by itself."""

    allow_list_only = serializers.BooleanField()
    loosens_at = serializers.DateTimeField(allow_null=True)


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
