"""The answers of the invoice room as the API's documentation describes them; shapes.py makes them."""

from __future__ import annotations

from rest_framework import serializers


class InvoicePayment(serializers.Serializer):
    """Coins seen at an invoice's address. `state` is the deposit's."""

    deposit_id = serializers.UUIDField()
    txid = serializers.CharField()
    amount = serializers.CharField(help_text="A decimal number.")
    state = serializers.CharField()
    seen_at = serializers.DateTimeField()


class Invoice(serializers.Serializer):
    """An amount asked of a payer, at an address of its own."""

    id = serializers.UUIDField()
    asset = serializers.CharField()
    network = serializers.CharField()
    amount = serializers.CharField(help_text="A decimal number.")
    address = serializers.CharField()
    uri = serializers.CharField(help_text="For a QR code: BIP-21 or EIP-681.")
    order_reference = serializers.CharField(allow_blank=True)
    state = serializers.CharField(help_text="new, processing, settled; or expired, invalid.")
    exception = serializers.CharField(
        allow_blank=True, help_text="Empty, or paid_partial, paid_over, paid_late, reorganised."
    )
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)
    payments = InvoicePayment(many=True)


class InvoicePage(serializers.Serializer):
    """A page of invoices."""

    data = Invoice(many=True)
    next_cursor = serializers.CharField(allow_null=True)
