# ruff: noqa: S608 - nothing is put into this SQL but the names that stand in this file
"""The statements of a batch, prepared once a session: of what a small batch takes, the most was parsing and planning.

A kept plan is the general one, and it is good for tables of any size, because the session leaves the planner no other way
than from the batch's own rows, one by one, through the index that the ids are the key of. Two more things see to it: no
condition here is that of a partial index, which would else be read from end to end while it seems small; and plans are made
anew after RENEWED_EACH commands, so that whatever they took for small is looked at again.
What must never happen here: a plan whose cost grows with the table.
"""

from __future__ import annotations

from typing import NamedTuple

from exchange.ledger import bulk

RENEWED_EACH = 10_000  # commands
RENEW = "DISCARD PLANS"  # those of the database's own functions, too


class Prepared(NamedTuple):
    """A statement by name; `call` is how psycopg2 says it, with as many parameters as it has."""

    name: str
    sql: str  # parameters are $1, $2, …
    call: str


def _prepared(name: str, sql: str) -> Prepared:
    count = max(number for number in range(1, 64) if f"${number}:" in sql)
    return Prepared(name, sql, f"EXECUTE {name} ({', '.join(['%s'] * count)})")


def _unnest(first: int, *types: str) -> str:
    """The arrays from parameter `first` on, side by side."""
    return "unnest(" + ", ".join(f"${first + place}::{type}[]" for place, type in enumerate(types)) + ")"


KEYS = _prepared("keys", f"INSERT INTO trading_command_key SELECT * FROM {_unnest(1, 'uuid', 'bigint')}")
ORDER_KEYS = _prepared(
    "order_keys", f"INSERT INTO trading_order_key SELECT * FROM {_unnest(1, 'bigint', 'text', 'bigint')}"
)
LOCK = _prepared("lock", bulk.LOCK.replace("%s", "$1"))
# Those that are new, where not all are; how many of both were.
CLAIM = _prepared(
    "claim",
    f"WITH c AS (INSERT INTO trading_command_key SELECT * FROM {_unnest(1, 'uuid', 'bigint')} "
    "ON CONFLICT DO NOTHING RETURNING 1), "
    f"o AS (INSERT INTO trading_order_key SELECT * FROM {_unnest(3, 'bigint', 'text', 'bigint')} "
    "ON CONFLICT DO NOTHING RETURNING 1) SELECT (SELECT count(*) FROM c), (SELECT count(*) FROM o)",
)
# Bodies come as one text: between them stands what no JSON can hold.
SEPARATOR = "\x1f"
COMMANDS = _prepared(
    "commands",
    "INSERT INTO trading_command (id, seq, user_id, body, verdict, order_id, at) "
    "SELECT id, $1::bigint, user_id, body, verdict, order_id, $2::timestamptz "
    "FROM unnest($3::bigint[], $4::bigint[], string_to_array($5::text, chr(31)), $6::text[], $7::bigint[]) "
    "AS n (id, user_id, body, verdict, order_id)",
)
ORDERS = _prepared(
    "orders",
    "INSERT INTO trading_order (id, user_id, market_id, side, kind, time_in_force, price, lots, quote_units, filled_lots, "
    "filled_quote, fee, state, reason, client_order_id, base_account, quote_account, rank, phase, held, terms, created_at, "
    "updated_at) SELECT n.*, $1::timestamptz, $1::timestamptz FROM "
    + _unnest(
        2, "bigint", "bigint", "smallint", "smallint", "smallint", "smallint", "bigint", "bigint", "numeric", "bigint",
        "numeric", "numeric", "smallint", "text", "text", "bigint", "bigint", "bigint", "smallint", "numeric", "jsonb",
    )
    + " AS n",
)  # fmt: skip
TRADES = _prepared(
    "trades",
    "INSERT INTO trading_trade (id, market_id, price, lots, taker_side, maker_order_id, taker_order_id, maker_id, taker_id, "
    "buyer_fee, seller_fee, at) SELECT n.*, $1::timestamptz FROM "
    + _unnest(
        2, "bigint", "smallint", "bigint", "bigint", "smallint", "bigint", "bigint", "bigint", "bigint", "numeric",
        "numeric",
    )
    + " AS n",
)  # fmt: skip
CANDLES = _prepared(
    "candles",
    "INSERT INTO trading_candle AS c (id, market_id, interval, open_time, open, high, low, close, lots, quote_units, trades) "
    "SELECT id, market_id, interval, to_timestamp(second), open, high, low, close, lots, quote_units, trades FROM "
    + _unnest(
        1, "bigint", "smallint", "smallint", "bigint", "bigint", "bigint", "bigint", "bigint", "numeric", "numeric",
        "bigint",
    )
    + " AS n (id, market_id, interval, second, open, high, low, close, lots, quote_units, trades) "
    "ON CONFLICT (id) DO UPDATE SET high = greatest(c.high, excluded.high), low = least(c.low, excluded.low), "
    "close = excluded.close, lots = c.lots + excluded.lots, quote_units = c.quote_units + excluded.quote_units, "
    "trades = c.trades + excluded.trades "
    "RETURNING market_id, interval, extract(epoch FROM open_time)::bigint, open, high, low, close, lots::text, "
    "quote_units::text",
)  # fmt: skip
BATCH = _prepared(
    "batch", "INSERT INTO trading_batch (id, record, committed_at) VALUES ($1::bigint, $2::text, $3::timestamptz)"
)
SHARD = _prepared(
    "shard",
    "UPDATE trading_shard SET seq = $1::bigint, published_seq = $2::bigint, next_command = $3::bigint, "
    "next_order = $4::bigint, next_trade = $5::bigint, stream_generation = $6::text, stream_id = $7::text, "
    "market_sequences = $8::jsonb, last_prices = $9::jsonb "
    "WHERE id = $10::smallint AND epoch = $11::bigint AND seq = $12::bigint",
)

# Of a plain order no more than this ever changes.
CHANGES = {
    "id": "bigint", "filled_lots": "bigint", "filled_quote": "numeric", "fee": "numeric", "state": "smallint",
    "reason": "text", "phase": "smallint", "held": "numeric",
}  # fmt: skip
REMAKES = {
    **CHANGES, "price": "bigint", "lots": "bigint", "quote_units": "numeric", "rank": "bigint", "terms": "jsonb",
}  # fmt: skip


def _update(name: str, columns: dict[str, str]) -> Prepared:
    """The statement that writes these columns of orders that are open. That is what their phase says, too, see the table's
    CHECK; their state is the condition of an index of all open orders, which is not the way to a few of them."""
    changes = ", ".join(f"{name} = n.{name}" for name in columns if name != "id")
    return _prepared(
        name,
        f"UPDATE trading_order o SET updated_at = $1::timestamptz, {changes} "
        f"FROM {_unnest(2, *columns.values())} AS n ({', '.join(columns)}) WHERE o.id = n.id AND o.phase > 0",
    )


CHANGED = _update("changed", CHANGES)
REMADE = _update("remade", REMAKES)
# The same where more statements follow: it fails unless every one of these orders changed.
CHANGED_ALL = _prepared(
    "changed_all",
    f"WITH c AS ({CHANGED.sql} RETURNING 1) SELECT 1 / (count(*) = cardinality($2::bigint[]))::integer FROM c",
)

# A lock that is not had in two seconds is a known abort: undo, and try again.
_SETTINGS = (
    "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off; SET enable_bitmapscan = off; "
    "SET enable_material = off; SET plan_cache_mode = 'force_generic_plan'; SET jit = off; SET lock_timeout = '2s'; "
    "SET idle_in_transaction_session_timeout = '30s'; SET timezone = 'UTC'; "
)
SESSION = _SETTINGS + "; ".join(
    f"PREPARE {each.name} AS {each.sql}"
    for each in (
        KEYS,
        ORDER_KEYS,
        LOCK,
        CLAIM,
        COMMANDS,
        ORDERS,
        TRADES,
        CANDLES,
        CHANGED,
        CHANGED_ALL,
        REMADE,
        BATCH,
        SHARD,
    )
)
