"""Somebody whose coins came and went, for tests of history and statements."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

from exchange.core.ids import uuid7
from exchange.ledger import selectors as ledger
from exchange.ledger.journal import Entry, Transfer
from exchange.ledger.services import accounts, transfers
from exchange.site.services import statements

BTC, USDT = 1, 4


class Account:
    """Somebody with movements on every day of some weeks, today included."""

    def __init__(self, person: Any, now: datetime, *, length: int = 30, seed: int = 1) -> None:
        self.person, self.now, chance = person, now, random.Random(seed)
        self.own = accounts.open_customer(owner_id=person.user_id, asset_ids=[BTC, USDT], now=now)
        self.outside = {
            each: accounts.open(kind="chain_wallet", asset_id=each, label="test", now=now) for each in self.own
        }
        balances = dict.fromkeys(self.own, 0)
        for back in range(length, -1, -1):
            for asset_id in self.own:
                amount = chance.randrange(1, 10**9)
                if balances[asset_id] > amount and chance.random() < 0.5:
                    amount = -amount
                balances[asset_id] += amount
                self.move(asset_id, amount, at=now - timedelta(days=back))

    def move(self, asset_id: int, amount: int, *, at: datetime, reference: str = "bitcoin:abc:0") -> None:
        entries = (Entry(self.outside[asset_id], -amount), Entry(self.own[asset_id], amount))
        kind = "deposit" if amount > 0 else "withdrawal"
        transfers.post(transfers=[Transfer(uuid7(), kind, entries, reference)], now=at)

    def day(self, back: int) -> date:
        return (self.now - timedelta(days=back)).astimezone(UTC).date()

    def ask(
        self, *, format: str = "csv", asset: str = "", back: tuple[int, int] = (20, 5), language: str = "en"
    ) -> Any:
        return statements.request(
            user_id=self.person.user_id, format=format, asset=asset, since=self.day(back[0]), until=self.day(back[1]),
            language=language, now=self.now,
        )  # fmt: skip

    def file(self, statement_id: int) -> bytes:
        found = statements.open_download(user_id=self.person.user_id, statement_id=statement_id, now=self.now)
        return b"".join(found)

    def balance_before(self, asset_id: int, day: date) -> int:
        """By hand, from every entry of the account."""
        total, before = 0, None
        while page := ledger.history(account_id=self.own[asset_id], before=before, limit=500):
            total += sum(row.amount for row in page if row.posted_at.astimezone(UTC).date() < day)
            before = page[-1].id
        return total
