"""What a line of the book is called, for those whose money it is. The book's own words are for machines and never shown."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

_MOVEMENTS = {
    "deposit": gettext_lazy("Deposit"),
    "bank_deposit": gettext_lazy("Bank transfer"),
    "withdrawal": gettext_lazy("Withdrawal"),
    "withdrawal_fee": gettext_lazy("Fee of a withdrawal"),
    "trade": gettext_lazy("Trade"),
    "reversal": gettext_lazy("Taken back"),
    "repayment": gettext_lazy("Repayment of a debt"),
    "correction": gettext_lazy("Correction"),
    "seizure": gettext_lazy("Seizure"),
    "invoice": gettext_lazy("Invoice"),
    "convert": gettext_lazy("Exchange"),
}


def movement(kind: str) -> str:
    """In the reader's language; a kind that has no word yet is a movement."""
    return str(_MOVEMENTS.get(kind, gettext_lazy("Movement")))
