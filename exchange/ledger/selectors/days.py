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
class Bounds:
    """The entries of an account above one id and below another; `entries` is how many are known to be of the days asked for."""

    account_id: int
    above: int
    below: int
    entries: int

    @property
    def pair(self) -> tuple[int, int]:
        return self.above, self.below


NO_END = 2**63 - 1

_OWN = "FROM ledger_account a JOIN ledger_day d ON d.account_id = a.id WHERE a.owner_id = %(owner)s AND a.kind = 'customer'"
_CHANGES = f"""
SELECT a.asset_id, greatest(d.day, %(since)s::date - 1) AS counted, sum(d.credits - d.debits)::text
{_OWN} AND a.label = '' GROUP BY 1, 2 ORDER BY 2, 1
"""
_FIRST = f"SELECT min(d.day) {_OWN} AND a.label = ''"
_BOUNDS = """
SELECT a.asset_id, a.id, coalesce(inside.first - 1, before.last, 0), greatest(inside.last + 1, after.first), inside.entries,
  after.first IS NULL
FROM ledger_account a
CROSS JOIN LATERAL (SELECT min(d.first_entry_id) AS first, max(d.last_entry_id) AS last, coalesce(sum(d.entries), 0) AS entries
  FROM ledger_day d WHERE d.account_id = a.id AND d.day BETWEEN %(since)s AND %(until)s) AS inside
CROSS JOIN LATERAL (SELECT max(d.last_entry_id) AS last
  FROM ledger_day d WHERE d.account_id = a.id AND d.day < %(since)s) AS before
CROSS JOIN LATERAL (SELECT min(d.first_entry_id) AS first
  FROM ledger_day d WHERE d.account_id = a.id AND d.day > %(until)s) AS after
WHERE a.owner_id = %(owner)s AND a.kind = 'customer' AND a.label = ''
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


def bounds(*, owner_id: int, since: date, until: date) -> dict[int, Bounds]:
    """By asset: between which entries all of those of these days stand (both included). One query.

    A few others may stand between them, so the time of each still has to be looked at. Without a later day that is gathered there
    is no end: what was not gathered yet comes last.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BOUNDS, {"owner": owner_id, "since": since, "until": until})
        return {
            asset_id: Bounds(account_id, above, NO_END if below is None or ungathered else below, int(entries))
            for asset_id, account_id, above, below, entries, ungathered in cursor.fetchall()
        }
