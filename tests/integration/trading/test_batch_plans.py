"""How the database carries out a batch's statements: one by one through the index of the ids, at any size of the tables."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.trading.desk import Desk
from trading.runner import statements

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 20_000

FIRST, SECOND = "trading_order_p0", "trading_order_p1"

OPEN_ORDERS = f"""
INSERT INTO trading_order SELECT i * 1024 + %s, 7, 1, 1, 1, 1, 100, 10, 0, 0, 0, 0, 1, '', NULL, 1, 2, now(), now(), i, 1, 0, NULL
FROM generate_series(1, {MANY}) AS i
"""
FROM_ID = "SELECT (regexp_match(pg_get_expr(relpartbound, oid), '[0-9]+'))[1]::bigint FROM pg_class WHERE relname = %s"


def plan(cursor: Any, update: statements.Prepared) -> str:
    nothing = ", ".join(["now()", *["'{}'"] * (update.call.count("%s") - 1)])
    cursor.execute(f"EXPLAIN EXECUTE {update.name} ({nothing})")
    return "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.parametrize("update", [statements.CHANGED, statements.CHANGED_ALL, statements.REMADE])
def test_orders_are_found_by_their_ids_however_many_are_open(
    desk: Desk, owner_connection: Any, update: statements.Prepared
) -> None:
    cursor, owner = desk.connection.cursor(), owner_connection.cursor()
    found = [plan(cursor, update)]
    for partition in (FIRST, SECOND):
        owner.execute(FROM_ID, (partition,))
        owner.execute(OPEN_ORDERS, owner.fetchone())
        owner_connection.commit()
        cursor.execute(statements.RENEW)
        found.append(plan(cursor, update))  # nobody has counted them yet, or has counted when there was none
        by_key = {line.split("_pkey on ")[1].split()[0] for line in found[-1].splitlines() if "_pkey on " in line}
        assert partition in by_key, found[-1]
        owner.execute("ANALYZE trading_order")
        owner_connection.commit()
        found.append(plan(cursor, update))
        assert f"Index Scan using {partition}_pkey on {partition}" in found[-1]
    for each in found:
        assert "Nested Loop" in each and "_pkey on" in each and "Index Cond: (id = n.id)" in each, each
        assert not any(word in each for word in ("Seq Scan", "Bitmap", "Hash", "Materialize")), each
