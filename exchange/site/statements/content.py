"""What a statement of account says: of each asset the opening balance, each movement, and the closing balance.

It is read in one snapshot of the ledger and added up while it is read: when the last line is out, the lines must have come to the
totals, and the totals to the balance. What must never happen here: a statement that does not add up, in anybody's hands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from exchange.assets import selectors as assets
from exchange.core import times
from exchange.ledger import selectors as ledger
from exchange.ledger.selectors.periods import Period
from exchange.site.words_of_money import movement


class DoesNotAddUp(Exception):
    """The lines of a statement do not come to its totals."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose statement it is, of when, and what it is of (`asset` None: everything)."""

    user_id: int
    email: str
    since: date
    until: date
    asset: assets.AssetView | None
    language: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """One asset's part."""

    asset: assets.AssetView
    period: Period


@dataclass(frozen=True, slots=True)
class Line:
    """One movement; `balance` is the asset's afterwards."""

    entry_id: int
    at: datetime
    asset: assets.AssetView
    word: str
    amount: int
    balance: int
    reference: str


class Statement:
    """The content, to be read inside one snapshot: `accounts` first, then `lines` once, and `check` at the end."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        known = {each.id: each for each in assets.assets(enabled_only=False)}
        found = ledger.periods.of(owner_id=subject.user_id, since=subject.since, until=subject.until)
        wanted = [each for each in found if subject.asset is None or each.asset_id == subject.asset.id]
        self.accounts = tuple(
            Account(known[each.asset_id], each) for each in wanted if each.entries or each.opening or subject.asset
        )
        self._of = {each.period.account_id: each for each in self.accounts}
        self._balances = {each.period.account_id: each.period.opening for each in self.accounts}
        self._seen = dict.fromkeys(self._balances, 0)

    @property
    def entries(self) -> int:
        return sum(each.period.entries for each in self.accounts)

    def lines(self) -> Iterator[Line]:
        """Each movement of the period in the order of the book, with the balance it led to."""
        periods = [each.period for each in self.accounts]
        first, end = times.begins(self.subject.since), times.ends(self.subject.until)
        for row in ledger.periods.postings(periods, since=first, until=end):
            self._balances[row.account_id] += row.amount
            self._seen[row.account_id] += 1
            yield Line(
                entry_id=row.id,
                at=row.posted_at,
                asset=self._of[row.account_id].asset,
                word=movement(row.kind),
                amount=row.amount,
                balance=self._balances[row.account_id],
                reference=row.reference,
            )

    def check(self) -> None:
        """After the last line: raises DoesNotAddUp, naming the accounts, unless every account came to its closing balance."""
        wrong = [
            account_id
            for account_id, each in self._of.items()
            if (self._balances[account_id], self._seen[account_id]) != (each.period.closing, each.period.entries)
        ]
        if wrong:
            raise DoesNotAddUp(f"accounts {wrong}")
