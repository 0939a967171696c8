"""A customer's accounts by day (UTC), read without a look at the entries: how a page shows a year of a busy account at once.

What must never happen here: a figure that money is decided by; these rows follow the book by up to a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db import connection


@dataclass(frozen=True, slots=True)
class Change:
    """What an account gained (below zero: lost) on a day; on the day before the period, all that was before."""

    asset_id: int
    day: date
    amount: int


@dataclass(frozen=True, slots=True)
class Span:
    """Between which entries those of some days stand, and how many there are."""

    first_entry_id: int
    last_entry_id: int
    entries: int


_OWN = "FROM ledger_account a JOIN ledger_day d ON d.account_id = a.id WHERE a.owner_id = %(owner)s AND a.kind = 'customer'"
_CHANGES = f"""
SELECT a.asset_id, greatest(d.day, %(since)s::date - 1) AS counted, sum(d.credits - d.debits)::text
{_OWN} AND a.label = '' GROUP BY 1, 2 ORDER BY 2, 1
"""
_FIRST = f"SELECT min(d.day) {_OWN} AND a.label = ''"
_SPANS = f"""
SELECT d.account_id, min(d.first_entry_id), max(d.last_entry_id), sum(d.entries)
{_OWN} AND a.label = '' AND d.day BETWEEN %(since)s AND %(until)s GROUP BY 1
"""


def changes(*, owner_id: int, since: date) -> list[Change]:
    """What moved on each day from `since` on, by day and asset; what was before is one change, of the day before. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_CHANGES, {"owner": owner_id, "since": since})
        return [Change(asset_id, day, int(amount)) for asset_id, day, amount in cursor.fetchall()]


def first_day(*, owner_id: int) -> date | None:
    """The day of the customer's first entry, as far as is gathered; None before there is one."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST, {"owner": owner_id})
        return cursor.fetchone()[0]


def spans(*, owner_id: int, since: date, until: date) -> dict[int, Span]:
    """By account: where the entries of these days stand (both included), as far as is gathered. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_SPANS, {"owner": owner_id, "since": since, "until": until})
        return {row[0]: Span(row[1], row[2], int(row[3])) for row in cursor.fetchall()}
