"""What a merchant may send. The amount is judged in the domain, which knows the asset."""

from __future__ import annotations

from exchange.accounts.api.serializers import DecimalText, Strict, Text


class NewInvoice(Strict):
    """An invoice to be made."""

    asset = Text(max_length=20)
    network = Text(max_length=20)
    amount = DecimalText()
    order_reference = Text(
        max_length=120,
        required=False,
        default="",
        allow_blank=True,
        help_text="Your own id of the order. Sent again with the same body, the first invoice comes back.",
    )
