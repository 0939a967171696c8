"""Statements that every batch needs, planned once a connection: with a few commands in a batch, planning would be half the work.

What must never happen here: a plan remembered for a connection that does not have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

_names: WeakKeyDictionary[Any, dict[str, str]] = WeakKeyDictionary()


def execute(cursor: Any, statement: str, values: Sequence[Any]) -> None:
    """As `cursor.execute`, for a statement whose text is always the same; `%s` stands for values only, whose types it tells."""
    known = _names.setdefault(cursor.connection, {})
    if (call := known.get(statement)) is None:
        name = f"plan_{len(known)}"
        cursor.execute(f"PREPARE {name} AS {_numbered(statement)}")
        # Remembered only now: PREPARE is no part of the transaction, but one that failed prepared nothing.
        call = known[statement] = f"EXECUTE {name} ({', '.join(['%s'] * statement.count('%s'))})"
    cursor.execute(call, values)


def _numbered(statement: str) -> str:
    """PostgreSQL's own places for values."""
    parts = statement.split("%s")
    return parts[0] + "".join(f"${number}{part}" for number, part in enumerate(parts[1:], start=1))
