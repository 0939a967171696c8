"""Books bank money that arrived: to its customer, or, while a limit keeps it from him, to where held deposits wait.

What must never happen here: money of a customer's that the books do not owe him, or one arrival credited twice (every
transfer's id is the row's own or made from it). Under the row's and the customer's lock, in the caller's transaction.
"""

from __future__ import annotations

from datetime import datetime
from uuid import uuid5

from exchange.assets import selectors as assets
from exchange.core import amounts
from exchange.fiat.models import BankDeposit
from exchange.ledger.journal import Entry, Kind, Transfer
from exchange.ledger.services import accounts, transfers
from exchange.outbox import services as outbox
from kyc import selectors as kyc
from kyc.services import limits
from wallets.books import HELD_DEPOSITS

CURRENCY = "USD"
BANK_LABEL = "main"
LIMIT, PRICE = "limit", "price"


def arrived(row: BankDeposit, *, now: datetime) -> None:
    """Credits it, or holds it where it may not be credited now."""
    assert row.settled is not None
    bank = accounts.open(kind=Kind.BANK, asset_id=row.asset_id, label=BANK_LABEL, now=now)
    held_for = why(row, now=now)
    if held_for:
        row.state, row.held_for, row.held_at = BankDeposit.State.HELD, held_for, now
        kind, receiver = "bank_deposit_held", _waits(row, now=now)
    else:
        row.state, row.settled_at = BankDeposit.State.SETTLED, now
        kind, receiver = "bank_deposit", _customer(row, now=now)
    row.save()
    entries = (Entry(bank, -row.settled), Entry(receiver, row.settled))
    transfers.post(transfers=[Transfer(row.transfer_id, kind, entries, row.reference)], now=now)
    _tell("held" if held_for else "credited", row, now=now)


def release(row: BankDeposit, *, now: datetime) -> None:
    """From where it waits to its customer."""
    assert row.settled is not None
    row.state, row.held_for, row.settled_at = BankDeposit.State.SETTLED, "", now
    row.save()
    entries = (Entry(_waits(row, now=now), -row.settled), Entry(_customer(row, now=now), row.settled))
    transfer = Transfer(uuid5(row.transfer_id, "release"), "bank_deposit", entries, row.reference)
    transfers.post(transfers=[transfer], now=now)
    _tell("credited", row, now=now)


def why(row: BankDeposit, *, now: datetime) -> str:
    """Why it may not be credited now; "" where it may, and then its worth is noted in it."""
    assert row.settled is not None
    try:
        row.worth = limits.check_fiat("in", user_id=row.user_id, asset_id=row.asset_id, amount=row.settled, now=now)
    except limits.LimitExceeded:
        return LIMIT
    except kyc.WorthUnknown:
        return PRICE
    return ""


def _waits(row: BankDeposit, *, now: datetime) -> int:
    return accounts.open(kind=Kind.SUSPENSE, asset_id=row.asset_id, label=HELD_DEPOSITS, now=now)


def _customer(row: BankDeposit, *, now: datetime) -> int:
    return accounts.open_customer(owner_id=row.user_id, asset_ids=[row.asset_id], now=now)[row.asset_id]


def _tell(what: str, row: BankDeposit, *, now: datetime) -> None:
    assert row.settled is not None
    outbox.append(
        topic=f"fiat.deposit_{what}",
        key=f"user:{row.user_id}",
        payload={
            "user_id": row.user_id,
            "deposit_id": row.id,
            "asset": CURRENCY,
            "asset_id": row.asset_id,
            "amount": amounts.format(row.settled, decimals=assets.asset(CURRENCY).decimals),
            "reference": row.reference,
            "held_for": row.held_for,
        },
        now=now,
    )
