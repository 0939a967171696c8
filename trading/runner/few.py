"""The rows of a batch of few commands, said in one breath: where each statement takes little, the way to the database and back
is what the batch waits for.

The same rows as COPY writes for a large one, see store.py. What must never happen here: a row that a large batch would write
otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg2.errors import DivisionByZero

from exchange.ledger import bulk
from exchange.ledger.journal import Transfer
from trading.engine.book import Order
from trading.engine.events import Traded
from trading.runner import statements, store, terms
from trading.runner.buckets import Touched, compare
from trading.runner.leadership import Doubt
from trading.runner.store import array, quoted, state_of, texts
from trading.wire import Asked


class Said(NamedTuple):
    """A statement and its parameters."""

    sql: str
    values: tuple[Any, ...]


def commands(rows: Sequence[tuple[int, Asked, str, int | None]], *, seq: int, at: str) -> Said | None:
    """The rows of store.command_lines."""
    if not rows:
        return None
    return Said(
        statements.COMMANDS.call,
        (
            seq, at, array(row[0] for row in rows), array(row[1].user_id for row in rows),
            statements.SEPARATOR.join([row[1].body.decode() for row in rows]), texts(row[2] for row in rows),
            array("NULL" if row[3] is None else row[3] for row in rows),
        ),
    )  # fmt: skip


def orders(made: Sequence[Order], *, at: str) -> Said | None:
    """The rows of store.order_lines."""
    if not made:
        return None
    columns = zip(
        *[
            (
                o.id, o.user_id, o.market_id, o.side + 0, o.kind + 0, o.time_in_force + 0, o.price, o.lots, o.quote_units,
                o.filled_lots, o.filled_quote, o.fee, state_of(o), o.reason or '""', _text(o.client_order_id),
                o.base_account, o.quote_account, o.rank, o.phase, o.held, "NULL" if terms.plain(o) else quoted(terms.text(o)),
            )
            for o in made
        ],
        strict=True,
    )  # fmt: skip
    return Said(statements.ORDERS.call, (at, *map(array, columns)))


def trades(made: Sequence[Traded], *, at: str) -> Said | None:
    """The rows of store.trade_lines."""
    if not made:
        return None
    columns = zip(
        *[
            (
                t.id, t.market_id, t.price, t.lots, t.taker_side + 0, t.maker_order_id, t.taker_order_id, t.maker_id,
                t.taker_id, t.buyer_fee, t.seller_fee,
            )
            for t in made
        ],
        strict=True,
    )  # fmt: skip
    return Said(statements.TRADES.call, (at, *map(array, columns)))


def posting(*, writer: str, transfers: Sequence[Transfer], held_deltas: Mapping[int, int], now: datetime) -> Said:
    """What bulk.post says."""
    return Said(bulk.POST, bulk.parameters(writer=writer, transfers=transfers, held_deltas=held_deltas, now=now))


def changes(changed: Sequence[Order], *, at: str) -> Said | None:
    """What store.write_changes says; the database itself counts the rows."""
    if not changed:
        return None
    said = store.changed_orders(changed, at=at)
    return Said(statements.CHANGED_ALL.call, said.values)


def candles(touched: Touched) -> Said | None:
    """What store.write_candles says."""
    return Said(statements.CANDLES.call, store.candle_values(touched)) if touched else None


def write(cursor: Any, said: Sequence[Said | None], told: Collection[tuple[Any, ...]]) -> None:
    """All of it in one go, the candles last, for only the last one's rows come back. Raises Doubt as store.write_changes does,
    expected.Otherwise as store.write_candles."""
    together = [each for each in said if each is not None]
    if not together:
        return
    try:
        cursor.execute(
            "; ".join([each.sql for each in together]), [value for each in together for value in each.values]
        )
    except DivisionByZero as error:  # the one division there is stands in CHANGED_ALL
        raise Doubt("not all the open orders that were to change did") from error
    if told:
        compare(cursor.fetchall(), told)


def _text(value: str | None) -> str:
    """An element of an array; a client may call his order NULL."""
    return "NULL" if value is None else f'"{value}"'
