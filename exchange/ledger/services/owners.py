"""One lock for each owner, so that an account opened while its owner is being frozen cannot slip past the freeze.

Taken before any row of the ledger, and held to the end of the transaction.
What must never happen here: a lock taken after accounts were locked, which could deadlock with one taken in order.
"""

from __future__ import annotations

from django.db import connection

_NAME = "ledger owner {}"


def lock(*, owner_id: int) -> None:
    """Wait until nobody opens accounts for this owner or freezes them, and keep others waiting."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (_NAME.format(owner_id),))


def share(*, owner_id: int) -> None:
    """Wait until nobody freezes this owner; others may open accounts at the same time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", (_NAME.format(owner_id),))
