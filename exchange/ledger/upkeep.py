"""What the book needs from time to time: partitions ahead of its transfers, and an end to keys past their retention.

Both are functions of the owner's that the run-time role may call; it can make and drop nothing by itself.
What must never happen here: a key removed that a retry within 400 days could ask for.
"""

from __future__ import annotations

from django.db import connection

PARTITIONS_AHEAD = 2
EXPIRY_ROUNDS_MAX = 1_000  # of 10,000 keys


def make_partitions() -> int:
    """Make the partitions that are missing ahead of the last transfer; how many."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_make_partitions(%s)", (PARTITIONS_AHEAD,))
        return cursor.fetchone()[0]


def expire_keys() -> int:
    """Remove the keys of transfers older than 400 days; how many."""
    gone = 0
    for _ in range(EXPIRY_ROUNDS_MAX):
        with connection.cursor() as cursor:
            cursor.execute("SELECT ledger_expire_keys()")
            removed = cursor.fetchone()[0]
        gone += removed
        if not removed:
            break
    return gone
