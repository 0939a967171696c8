"""How the database carries out a batch's statements: one by one through the index of the ids, at any size of the tables."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.trading.desk import Desk
from trading.runner import statements

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 20_000

OPEN_ORDERS = f"""
INSERT INTO trading_order SELECT i * 1024, 7, 1, 1, 1, 1, 100, 10, 0, 0, 0, 0, 1, '', NULL, 1, 2, now(), now(), i, 1, 0, NULL
FROM generate_series(1, {MANY}) AS i
"""


def plan(cursor: Any, update: statements.Prepared) -> str:
    nothing = ", ".join(["now()", *["'{}'"] * (update.call.count("%s") - 1)])
    cursor.execute(f"EXPLAIN EXECUTE {update.name} ({nothing})")
    return "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.parametrize("update", [statements.CHANGED, statements.REMADE])
def test_orders_are_found_by_their_ids_however_many_are_open(
    desk: Desk, owner_connection: Any, update: statements.Prepared
) -> None:
    cursor = desk.connection.cursor()
    found = [plan(cursor, update)]
    desk.connection.rollback()
    owner = owner_connection.cursor()
    owner.execute(OPEN_ORDERS)
    owner_connection.commit()
    cursor.execute(statements.RENEW)
    found.append(plan(cursor, update))  # nobody has counted them yet
    owner.execute("ANALYZE trading_order")
    owner_connection.commit()
    found.append(plan(cursor, update))
    desk.connection.rollback()
    for each in found:
        assert "Nested Loop" in each and "_pkey on" in each and "Index Cond: (id = n.id)" in each, each
        assert not any(word in each for word in ("Seq Scan", "Bitmap", "Hash", "Materialize", "user_id")), each
