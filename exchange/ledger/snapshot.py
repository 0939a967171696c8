"""One view of the whole book for those who check it: every query inside sees the same committed state, and locks nothing.

What must never happen here: a check that compares a number of one moment with a number of another.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction


@contextmanager
def snapshot() -> Iterator[Any]:
    """A cursor in a REPEATABLE READ transaction. Inside a transaction already, that one's own view has to do."""
    nested = connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if not nested:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield cursor
