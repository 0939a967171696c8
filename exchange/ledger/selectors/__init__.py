"""What may be read of the book: frozen views, never models, never a write."""

from exchange.ledger.selectors import days, holds, periods, stops
from exchange.ledger.selectors.accounts import (
    Balance,
    Total,
    account_ids,
    account_ids_of,
    balances,
    frozen_among,
    is_frozen,
    labelled,
    owner_of,
    receivables,
    totals,
)
from exchange.ledger.selectors.entries import (
    Line,
    Movement,
    Posting,
    TransferView,
    all_postings,
    history,
    postings,
    transfer,
)

__all__ = [
    "Balance",
    "Line",
    "Movement",
    "Posting",
    "Total",
    "TransferView",
    "account_ids",
    "account_ids_of",
    "all_postings",
    "balances",
    "days",
    "frozen_among",
    "history",
    "holds",
    "is_frozen",
    "labelled",
    "owner_of",
    "periods",
    "postings",
    "receivables",
    "stops",
    "totals",
    "transfer",
]
