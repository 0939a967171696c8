"""A small book for the tests: customers with money in asset 1, the chain it came from, and the fees."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from exchange.ledger.journal import Entry, Kind, Transfer
from exchange.ledger.services import accounts, transfers

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BTC, USDT = 1, 4
ALICE, BOB = 11, 12


class Book:
    """Accounts by name, and the two or three sentences that most tests begin with."""

    now = NOW

    def __init__(self) -> None:
        self.wallet = accounts.open(kind=Kind.CHAIN_WALLET, asset_id=BTC, label="hot", now=NOW)
        self.fees = accounts.open(kind=Kind.HOUSE_FEES, asset_id=BTC, label="shard-0", now=NOW)
        self.alice = accounts.open(kind=Kind.CUSTOMER, asset_id=BTC, owner_id=ALICE, now=NOW)
        self.bob = accounts.open(kind=Kind.CUSTOMER, asset_id=BTC, owner_id=BOB, now=NOW)

    def deposit(self, account_id: int, amount: int) -> Transfer:
        return self.post(self.transfer(self.wallet, account_id, amount, kind="deposit"))

    def post(self, transfer: Transfer) -> Transfer:
        transfers.post(transfers=[transfer], now=NOW)
        return transfer

    @staticmethod
    def transfer(source: int, target: int, amount: int, *, kind: str = "payment", reference: str = "") -> Transfer:
        return Transfer(uuid4(), kind, (Entry(source, -amount), Entry(target, amount)), reference)

    @staticmethod
    def row(account_id: int) -> tuple[int, int]:
        """Balance and held as they stand in the table."""
        from exchange.ledger.models import Account

        account = Account.objects.get(id=account_id)
        return account.balance, account.held


@pytest.fixture
def book() -> Book:
    return Book()
