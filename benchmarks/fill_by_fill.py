"""The same commands the usual way: a transaction for each command, and one more for each fill, on the same tables.

So do OpenCEX and most open exchanges: lock the rows, insert the trade, update both orders and the balances, commit; then the
next. Money moves through the ledger's same door, orders and trades stand in the engine's own tables, durable as always.
What must never happen here: less than one disk flush a fill, or a step that such an exchange would not need.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg2

from benchmarks.feed import SWEEPS
from benchmarks.matching import Reference

LOT_BASE_UNITS, TICK_QUOTE_UNITS = 10_000, 1
FEE_PPM = {"maker": 1_000, "taker": 2_000}
ORDER = (
    "INSERT INTO trading_order (id, user_id, market_id, side, kind, time_in_force, price, lots, quote_units, filled_lots, "
    "filled_quote, fee, state, reason, base_account, quote_account, created_at, updated_at, rank, phase, held) "
    "VALUES (%s, %s, 1, %s, %s, %s, %s, %s, 0, 0, 0, 0, 1, '', %s, %s, now(), now(), %s, 1, %s)"
)
FILLED = (
    "UPDATE trading_order SET filled_lots = filled_lots + %s, filled_quote = filled_quote + %s, fee = fee + %s, "
    "state = CASE WHEN filled_lots + %s = lots THEN 2 ELSE 1 END, phase = CASE WHEN filled_lots + %s = lots THEN 0 ELSE 1 END, "
    "held = held - %s, updated_at = now() WHERE id = %s"
)
TRADE = (
    "INSERT INTO trading_trade (id, market_id, price, lots, taker_side, maker_order_id, taker_order_id, maker_id, taker_id, "
    "buyer_fee, seller_fee, at) VALUES (%s, 1, %s, %s, %s, %s, %s, %s, %s, %s, %s, now())"
)


class FillByFill:
    """One connection that does one command, or one fill, at a time. Matching itself is the reference book's, in memory."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg2.connect(url)
        self._cursor = self._connection.cursor()
        self._cursor.execute("SELECT owner_id, asset_id, id FROM ledger_account WHERE kind = 'customer'")
        self._accounts = {(owner, asset): id for owner, asset, id in self._cursor.fetchall()}
        self._cursor.execute("SELECT asset_id, id FROM ledger_account WHERE kind = 'house_fees' AND label = 'shard-0'")
        self._fees = dict(self._cursor.fetchall())
        self._connection.commit()
        self._book = Reference()
        self._orders: dict[int, tuple[int, bool, int]] = {}  # number: user, buying, price
        self._trades = 0
        self.transactions = 0

    def place(self, number: int, user: int, buying: bool, price: int, lots: int) -> None:
        """A resting order: its row, and its hold."""
        held = lots * (price * TICK_QUOTE_UNITS if buying else LOT_BASE_UNITS)
        self._book.add(number, buying, price, lots)
        self._insert(number, user, buying, price, lots, held)
        self._move_held(self._pays(user, buying), held)
        self._commit()

    def cancel(self, number: int) -> None:
        """Its row, its hold."""
        user, buying, price = self._orders[number]
        lots = self._book.open[number][2]
        self._book.cancel(number)
        self._cursor.execute("SELECT 1 FROM trading_order WHERE id = %s AND state = 1 FOR UPDATE", (number * 1024,))
        self._cursor.execute(
            "UPDATE trading_order SET state = 3, phase = 0, held = 0, reason = 'user', updated_at = now() WHERE id = %s",
            (number * 1024,),
        )
        self._move_held(self._pays(user, buying), -lots * (price * TICK_QUOTE_UNITS if buying else LOT_BASE_UNITS))
        self._commit()

    def sweep(self, number: int, user: int, buying: bool, lots: int) -> int:
        """A market order: its row, then a transaction for each fill. How many there were."""
        self._insert(number, user, buying, 0, lots, 0)
        self._commit()
        fills = self._book.sweep(number, buying, lots)
        for _, maker, price, part in fills:
            self._fill(maker, number, buying, price, part)
        return len(fills)

    def close(self) -> None:
        self._connection.close()

    def _fill(self, maker: int, taker: int, buying: bool, price: int, lots: int) -> None:
        from exchange.ledger import bulk
        from exchange.ledger.journal import Entry, Transfer

        cursor, base, quote = self._cursor, lots * LOT_BASE_UNITS, lots * price * TICK_QUOTE_UNITS
        maker_user, taker_user = self._orders[maker][0], self._orders[taker][0]
        buyer, seller = (taker_user, maker_user) if buying else (maker_user, taker_user)
        maker_fee = -(-(quote if buying else base) * FEE_PPM["maker"] // 10**6)
        taker_fee = -(-(base if buying else quote) * FEE_PPM["taker"] // 10**6)
        buyer_fee, seller_fee = (taker_fee, maker_fee) if buying else (maker_fee, taker_fee)
        money = {(user, asset): self._accounts[user, asset] for user in (buyer, seller) for asset in (1, 4)}
        bulk.lock(cursor, {*money.values(), *self._fees.values()})
        cursor.execute(
            "SELECT id FROM trading_order WHERE id IN (%s, %s) ORDER BY id FOR UPDATE", (maker * 1024, taker * 1024)
        )
        self._trades += 1
        cursor.execute(TRADE, (
            self._trades * 1024, price, lots, 1 if buying else 2, maker * 1024, taker * 1024, maker_user, taker_user,
            buyer_fee, seller_fee,
        ))  # fmt: skip
        paid = base if buying else quote  # by the maker, out of its hold
        cursor.execute(FILLED, (lots, quote, maker_fee, lots, lots, paid, maker * 1024))
        cursor.execute(FILLED, (lots, quote, taker_fee, lots, lots, 0, taker * 1024))
        entries = (
            Entry(money[buyer, 1], base - buyer_fee), Entry(money[seller, 1], -base), Entry(self._fees[1], buyer_fee),
            Entry(money[seller, 4], quote - seller_fee), Entry(money[buyer, 4], -quote), Entry(self._fees[4], seller_fee),
        )  # fmt: skip
        transfer = Transfer(uuid4(), "trade", entries, f"trade {self._trades}")
        held = {money[maker_user, 1 if buying else 4]: -paid}
        bulk.post(cursor, writer="fill-by-fill", transfers=[transfer], held_deltas=held, now=datetime.now(UTC))
        self._commit()

    def _insert(self, number: int, user: int, buying: bool, price: int, lots: int, held: int) -> None:
        kind, time_in_force = (1, 1) if price else (2, 2)
        self._orders[number] = (user, buying, price)
        accounts = (self._accounts[user, 1], self._accounts[user, 4])
        self._cursor.execute(
            ORDER, (number * 1024, user, 1 if buying else 2, kind, time_in_force, price, lots, *accounts, number, held)
        )

    def _move_held(self, account: int, delta: int) -> None:
        from exchange.ledger import bulk

        bulk.lock(self._cursor, {account})
        bulk.post(
            self._cursor, writer="fill-by-fill", transfers=[], held_deltas={account: delta}, now=datetime.now(UTC)
        )

    def _pays(self, user: int, buying: bool) -> int:
        return self._accounts[user, 4 if buying else 1]

    def _commit(self) -> None:
        self._connection.commit()
        self.transactions += 1


def measure(url: str, users: list[int], *, resting: int, commands: int, rng: random.Random) -> dict[str, Any]:
    """Commands a second in the mix of benchmarks/feed.py, on a book of so many resting orders."""
    usual = FillByFill(url)
    number, live = 0, []

    def placed() -> None:
        nonlocal number
        number, buying = number + 1, rng.random() < 0.5
        price = rng.randint(4_990_00, 4_999_99) if buying else rng.randint(5_000_00, 5_009_99)
        usual.place(number, rng.choice(users[: len(users) // 2]), buying, price, 10)
        live.append(number)

    for _ in range(resting):
        placed()
    before, fills, started = usual.transactions, 0, time.perf_counter()
    for _ in range(commands):
        draw = rng.random()
        if draw < 0.5:
            placed()
        elif draw < 0.9:
            at_random = rng.randrange(len(live))
            live[at_random], live[-1] = live[-1], live[at_random]
            if (gone := live.pop()) in usual._book.open:
                usual.cancel(gone)
        else:
            number += 1
            user = rng.choice(users[len(users) // 2 :])  # never somebody with an order in the book
            fills += usual.sweep(number, user, rng.random() < 0.5, rng.choice(SWEEPS))
    seconds = time.perf_counter() - started
    usual.close()
    return {"commands_per_s": commands / seconds, "fills": fills, "transactions": usual.transactions - before}
