"""A customer's accounts over some days (UTC): what was there, what came and went, what was left, and each entry in between.

The sums come from the days that are kept, and each account is held against its balance before anything is said of it: opening,
credits and debits of a period are given away only where they lead to the balance that the book has. All of it is read inside one
snapshot. What must never happen here: a sum that its entries do not come to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.db import connection

from exchange.ledger.selectors import entries
from exchange.ledger.selectors.days import NO_END


class DaysDisagree(Exception):
    """The days kept of these accounts do not come to their balances: they have to be mended first."""

    def __init__(self, account_ids: Sequence[int]) -> None:
        super().__init__(f"daily sums of accounts {list(account_ids)} do not come to their balances")
        self.account_ids = tuple(account_ids)


@dataclass(frozen=True, slots=True)
class Day:
    """One day of one account; `balance` is what was there at its end."""

    day: date
    entries: int
    credits: int
    debits: int
    balance: int


@dataclass(frozen=True, slots=True)
class Period:
    """One account. closing = opening + credits − debits; the entries in between stand above one id and below another."""

    account_id: int
    asset_id: int
    opening: int
    credits: int
    debits: int
    entries: int
    above: int
    below: int
    days: tuple[Day, ...]

    @property
    def closing(self) -> int:
        return self.opening + self.credits - self.debits


_ACCOUNTS = """
SELECT a.id, a.asset_id, a.balance::text, coalesce((SELECT max(d.last_entry_id) FROM ledger_day d WHERE d.account_id = a.id), 0)
FROM ledger_account a WHERE a.owner_id = %(owner)s AND a.kind = 'customer' AND a.label = '' ORDER BY a.asset_id
"""
_DAYS = """
SELECT account_id, day, entries, credits::text, debits::text, first_entry_id, last_entry_id
FROM ledger_day WHERE account_id = ANY(%(accounts)s) ORDER BY account_id, day
"""


def of(*, owner_id: int, since: date, until: date) -> list[Period]:
    """Every account of the customer's that ever moved, by asset, over these days (both included). Raises DaysDisagree.

    Call it, and read `postings` of it, inside one snapshot, after the days were gathered.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ACCOUNTS, {"owner": owner_id})
        accounts = {row[0]: (row[1], int(row[2]), row[3]) for row in cursor.fetchall()}
        cursor.execute(_DAYS, {"accounts": list(accounts)})
        rows: dict[int, list[Row]] = {account_id: [] for account_id in accounts}
        for account_id, day, count, credits, debits, first, last in cursor.fetchall():
            rows[account_id].append(Row(day, count, int(credits), int(debits), first, last))
    # What was posted since the days were gathered: little, and read one by one.
    for fresh in entries.all_postings(between={each: (last, NO_END) for each, (_, _, last) in accounts.items()}):
        credit, debit = max(fresh.amount, 0), max(-fresh.amount, 0)
        day = fresh.posted_at.astimezone(UTC).date()
        rows[fresh.account_id].append(Row(day, 1, credit, debit, fresh.id, fresh.id))
    check({each: balance for each, (_, balance, _) in accounts.items()}, rows)
    return [_period(each, accounts[each][0], rows[each], since, until) for each in accounts if rows[each]]


def check(balances: Mapping[int, int], rows: Mapping[int, Sequence[Row]]) -> None:
    """Raises DaysDisagree, naming the accounts whose days do not come to what the book says is there."""
    wrong = [
        each for each, balance in balances.items() if sum(row.credits - row.debits for row in rows[each]) != balance
    ]
    if wrong:
        raise DaysDisagree(wrong)


def postings(periods: Sequence[Period], *, since: datetime, until: datetime) -> Iterator[entries.Posting]:
    """Each entry of these periods, oldest first: posted at `since` or later and before `until`."""
    between = {each.account_id: (each.above, each.below) for each in periods if each.entries}
    for each in entries.all_postings(between=between) if between else ():
        if since <= each.posted_at < until:
            yield each


@dataclass(frozen=True, slots=True)
class Row:
    """A day that is kept, or one entry that is not gathered yet."""

    day: date
    entries: int
    credits: int
    debits: int
    first: int
    last: int


def _period(account_id: int, asset_id: int, rows: list[Row], since: date, until: date) -> Period:
    opening = sum(row.credits - row.debits for row in rows if row.day < since)
    inside = sorted((row for row in rows if since <= row.day <= until), key=lambda row: (row.day, row.first))
    days: dict[date, Day] = {}
    balance = opening
    for row in inside:
        balance += row.credits - row.debits
        before = days.get(row.day, Day(row.day, 0, 0, 0, balance))
        days[row.day] = Day(
            row.day, before.entries + row.entries, before.credits + row.credits, before.debits + row.debits, balance
        )
    return Period(
        account_id=account_id,
        asset_id=asset_id,
        opening=opening,
        credits=sum(row.credits for row in inside),
        debits=sum(row.debits for row in inside),
        entries=sum(row.entries for row in inside),
        above=min((row.first for row in inside), default=1) - 1,
        below=max((row.last for row in inside), default=0) + 1,
        days=tuple(days.values()),
    )
