"""The SQL of one batch, from the claim of its ids, which begins the transaction. COPY and arrays; never the ORM, never a commit.

What must never happen here: a row written outside the engine's transaction, or an update whose number of rows nobody checks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from io import StringIO
from typing import Any, NamedTuple

import orjson
from psycopg2.errors import UniqueViolation
from psycopg2.extensions import TRANSACTION_STATUS_INTRANS

from exchange.ledger import bulk
from trading import presentation
from trading.engine.book import Book, Order
from trading.engine.events import FeesSet, Traded
from trading.engine.matching import FILLED, SHARDS_MAX
from trading.runner import buckets, statements, terms
from trading.runner.leadership import Doubt, Fenced
from trading.runner.statements import Prepared
from trading.runner.stream import Position
from trading.wire import Asked

NULL = "\\N"
COPY_CHARACTERS = 1 << 20
COPIED_FROM = 100  # commands; fewer are claimed sooner by one statement
COMMAND_KEYS = "trading_command_key (command_uuid, command_id)"
ORDER_KEYS = "trading_order_key (user_id, client_order_id, command_id)"
COMMANDS = "trading_command (id, seq, user_id, body, verdict, order_id, at)"
ORDERS = (
    "trading_order (id, user_id, market_id, side, kind, time_in_force, price, lots, quote_units, filled_lots, "
    "filled_quote, fee, state, reason, client_order_id, base_account, quote_account, created_at, updated_at, rank, phase, "
    "held, terms)"
)
# Half the time of an f-string with so many parts.
_ORDER_LINE = "%d\t" * 13 + "%s\t%s\t%d\t%d\t%s\t%s\t%d\t%d\t%d\t%s\n"
TRADES = (
    "trading_trade (id, market_id, price, lots, taker_side, maker_order_id, taker_order_id, maker_id, taker_id, "
    "buyer_fee, seller_fee, at)"
)
SESSION = statements.SESSION  # a connection has to be told this before anything here
# The connection is one that begins nothing by itself.
BEGIN, ROLLBACK = "BEGIN", "ROLLBACK"
BATCHES_SWEPT_AT_ONCE = 100
BATCHES_KEPT = 1_000  # told to the world already; kept for whoever wants to look


class Claims(NamedTuple):
    """By place in the batch: commands done before (same UUID) and orders asked for before (same client order id), each
    with the id of the first command. Both empty: every command is new."""

    repeated: dict[int, int]
    retried: dict[int, int]


NOTHING_TAKEN = Claims({}, {})


class First(NamedTuple):
    """The first result of a command that came again."""

    code: str
    order_id: int | None


class _Keys(NamedTuple):
    """The UUIDs of a batch's commands, and the names that clients gave their orders: (place, user, name)."""

    ids: Sequence[int]
    uuids: Sequence[str]
    named: Sequence[tuple[int, int, str]]


def claim(
    cursor: Any, command_ids: Sequence[int], asked: Sequence[Asked], *, without_key: set[int],
    accounts: Collection[int] = (),
) -> tuple[Claims, dict[int, bulk.Locked]]:  # fmt: skip
    """Make the batch's UUIDs and client order ids ours, and lock these accounts behind them; what was taken before comes back,
    and the accounts. `without_key`: places whose client order id is not to be used up. Begins the transaction."""
    named = [
        (place, each.user_id, each.client_order_id)
        for place, each in enumerate(asked)
        if each.client_order_id is not None and place not in without_key
    ]
    keys = _Keys(command_ids, [each.uuid for each in asked], named)
    try:
        locked = (_copied if len(asked) >= COPIED_FROM else _said)(cursor, keys, accounts)
        claims = NOTHING_TAKEN
    except UniqueViolation:
        cursor.execute(f"{ROLLBACK}; {BEGIN}")  # nothing came before
        claims = _claimed_in_part(cursor, keys)
        locked = bulk.lock(cursor, accounts) if accounts else {}
    if cursor.connection.info.transaction_status != TRANSACTION_STATUS_INTRANS:
        raise Doubt("what a batch writes would stand by itself, row by row")
    return claims, locked


def _said(cursor: Any, keys: _Keys, accounts: Collection[int]) -> dict[int, bulk.Locked]:
    """All new, or UniqueViolation; a few, so in one go."""
    said, values = [BEGIN], list[str]()
    if keys.uuids:
        said.append(statements.KEYS.call)
        values += (array(keys.uuids), array(keys.ids))
    if keys.named:
        said.append(statements.ORDER_KEYS.call)
        values += _named(keys)
    if accounts:
        return bulk.lock(cursor, accounts, said="; ".join([*said, statements.LOCK.call]), values=values)
    cursor.execute("; ".join(said), values)
    return {}


def _copied(cursor: Any, keys: _Keys, accounts: Collection[int]) -> dict[int, bulk.Locked]:
    """The same in half the time, where there are many."""
    cursor.execute(BEGIN)
    copy(cursor, COMMAND_KEYS, [f"{uuid}\t{id}\n" for uuid, id in zip(keys.uuids, keys.ids, strict=True)])
    copy(cursor, ORDER_KEYS, [f"{user_id}\t{client}\t{keys.ids[place]}\n" for place, user_id, client in keys.named])
    return bulk.lock(cursor, accounts) if accounts else {}


def _claimed_in_part(cursor: Any, keys: _Keys) -> Claims:
    cursor.execute(statements.CLAIM.call, (array(keys.uuids), array(keys.ids), *_named(keys)))
    if cursor.fetchone() == (len(keys.uuids), len(keys.named)):
        return NOTHING_TAKEN
    return Claims(_repeated(cursor, keys), _retried(cursor, keys))


def _named(keys: _Keys) -> tuple[str, str, str]:
    named = keys.named
    return (
        array(user_id for _, user_id, _ in named), texts(client for _, _, client in named),
        array(keys.ids[place] for place, _, _ in named),
    )  # fmt: skip


def _repeated(cursor: Any, keys: _Keys) -> dict[int, int]:
    cursor.execute(
        "SELECT command_uuid::text, command_id FROM trading_command_key WHERE command_uuid = ANY(%s::uuid[])",
        (array(keys.uuids),),
    )
    first = dict(cursor.fetchall())
    return {place: first[uuid] for place, uuid in enumerate(keys.uuids) if first[uuid] != keys.ids[place]}


def _retried(cursor: Any, keys: _Keys) -> dict[int, int]:
    cursor.execute(
        "SELECT k.user_id, k.client_order_id, k.command_id FROM trading_order_key k "
        "JOIN unnest(%s::bigint[], %s::text[]) AS n (user_id, client_order_id) USING (user_id, client_order_id)",
        _named(keys)[:2],
    )
    first = {(user_id, client): command_id for user_id, client, command_id in cursor.fetchall()}
    return {
        place: first[user_id, client]
        for place, user_id, client in keys.named
        if first[user_id, client] != keys.ids[place]
    }


def first_results(cursor: Any, command_ids: Iterable[int]) -> dict[int, First]:
    """What commands of earlier batches came to."""
    cursor.execute(
        "SELECT id, verdict, order_id FROM trading_command WHERE id = ANY(%s::bigint[])", (array(command_ids),)
    )
    return {id: First(verdict, order_id) for id, verdict, order_id in cursor.fetchall()}


def command_lines(rows: Sequence[tuple[int, Asked, str, int | None]], *, seq: int, at: str) -> list[str]:
    """For COMMANDS: (command id, command, verdict, order id) of each."""
    lines = []
    for id, asked, verdict, order_id in rows:
        order = NULL if order_id is None else order_id
        lines.append(f"{id}\t{seq}\t{asked.user_id}\t{_escaped(asked.body)}\t{verdict}\t{order}\t{at}\n")
    return lines


def order_lines(orders: Sequence[Order], *, at: str) -> list[str]:
    """For ORDERS: those that this batch accepted, as they stand at its end."""
    return [
        _ORDER_LINE
        % (
            o.id, o.user_id, o.market_id, o.side, o.kind, o.time_in_force, o.price, o.lots, o.quote_units, o.filled_lots,
            o.filled_quote, o.fee, state_of(o), o.reason, o.client_order_id or NULL, o.base_account, o.quote_account, at, at,
            o.rank, o.phase, o.held, NULL if terms.plain(o) else terms.text(o) or NULL,
        )
        for o in orders
    ]  # fmt: skip


def trade_lines(trades: Sequence[Traded], *, at: str) -> list[str]:
    """For TRADES."""
    return [
        f"{t.id}\t{t.market_id}\t{t.price}\t{t.lots}\t{t.taker_side:d}\t{t.maker_order_id}\t{t.taker_order_id}\t"
        f"{t.maker_id}\t{t.taker_id}\t{t.buyer_fee}\t{t.seller_fee}\t{at}\n"
        for t in trades
    ]


def copy(cursor: Any, into: str, lines: Sequence[str]) -> None:
    """Write lines of COMMANDS, ORDERS, TRADES or keys. In one piece: each piece would wait for the interpreter anew."""
    if lines:
        cursor.copy_expert(f"COPY {into} FROM STDIN", StringIO("".join(lines)), COPY_CHARACTERS)


class Changes(NamedTuple):
    """Orders of earlier batches as they are to stand: composed when the batch is, for its successor may change them again
    before the database comes to them."""

    update: str
    values: tuple[str, ...]
    orders: int


def changed_orders(orders: Sequence[Order], *, at: str) -> Changes:
    """Those that were filled or taken back: of a plain order no more than that ever changes."""
    return _changes(orders, statements.CHANGES, statements.CHANGED, at)


def remade_orders(orders: Sequence[Order], *, at: str) -> Changes:
    """Those of which more may have changed: their price, size or place, or what their terms keep."""
    return _changes(orders, statements.REMAKES, statements.REMADE, at)


def _changes(orders: Sequence[Order], columns: Iterable[str], update: Prepared, at: str) -> Changes:
    values = ["{" + ",".join(map(_TEXTS[column], orders)) + "}" for column in columns]
    return Changes(update.call, (at, *values), len(orders))


def write_changes(cursor: Any, changes: Changes) -> None:
    """Raises Doubt where the table knows them otherwise."""
    if not changes.orders:
        return
    cursor.execute(changes.update, changes.values)
    if cursor.rowcount != changes.orders:
        raise Doubt(f"{changes.orders} open orders were to change, {cursor.rowcount} did")


def write_candles(cursor: Any, touched: buckets.Touched, told: Collection[tuple[Any, ...]]) -> None:
    """Add to the buckets. Raises expected.Otherwise where one then stands otherwise than is going to be `told`."""
    if touched:
        cursor.execute(statements.CANDLES.call, candle_values(touched))
        buckets.compare(cursor.fetchall(), told)


def look_at_candles(cursor: Any, ids: Iterable[int]) -> list[buckets.Bucket]:
    """Those that are stored."""
    cursor.execute(
        "SELECT market_id, interval, extract(epoch FROM open_time)::bigint, open, high, low, close, lots::text, "
        "quote_units::text FROM trading_candle WHERE id = ANY(%s::bigint[])",
        (array(ids),),
    )
    return [(*row[:7], int(row[7]), int(row[8])) for row in cursor.fetchall()]


def candle_values(touched: buckets.Touched) -> tuple[str, ...]:
    """For statements.CANDLES. By id: [market, interval, open second, open, high, low, close, lots, quote units, trades]."""
    return (array(touched), *map(array, zip(*touched.values(), strict=True)))


def market_rows(books: Iterable[Book]) -> list[tuple[Any, ...]]:
    """State and rules of markets, as the engine now has them, for `write_markets`."""
    return [
        (
            int(book.state), book.market.maker_fee_ppm, book.market.taker_fee_ppm, book.market.min_notional,
            book.market.band_ppm, book.market.slippage_ppm, book.market.max_open_orders, book.market.id,
        )
        for book in books
    ]  # fmt: skip


def write_markets(cursor: Any, rows: Sequence[tuple[Any, ...]]) -> None:
    """The engine has taken each of them up."""
    for row in rows:
        cursor.execute(
            "UPDATE trading_market SET opened = true, state = %s, maker_fee_ppm = %s, taker_fee_ppm = %s, min_notional = %s, "
            "band_ppm = %s, slippage_ppm = %s, max_open_orders = %s WHERE id = %s",
            row,
        )
        if cursor.rowcount != 1:
            raise Doubt(f"there is no market {row[-1]}")


def write_fees(cursor: Any, fees: Collection[FeesSet], *, shard: int) -> None:
    """Customers' own fees."""
    cursor.execute(
        "INSERT INTO trading_account_fee (id, shard_id, user_id, maker_fee_ppm, taker_fee_ppm) "
        "SELECT user_id * %s + %s, %s, user_id, maker, taker "
        "FROM unnest(%s::bigint[], %s::integer[], %s::integer[]) AS n (user_id, maker, taker) "
        "ON CONFLICT (id) DO UPDATE SET maker_fee_ppm = excluded.maker_fee_ppm, taker_fee_ppm = excluded.taker_fee_ppm",
        (
            SHARDS_MAX, shard, shard, array(each.user_id for each in fees), array(each.maker_fee_ppm for each in fees),
            array(each.taker_fee_ppm for each in fees),
        ),
    )  # fmt: skip


def write_countdowns(cursor: Any, countdowns: Mapping[int, int], *, shard: int) -> None:
    """By customer, when the switch goes off; 0: there is none any more."""
    if set_ := {user_id: until for user_id, until in countdowns.items() if until}:
        cursor.execute(
            "INSERT INTO trading_countdown (id, shard_id, user_id, until_us) SELECT user_id * %s + %s, %s, user_id, until_us "
            "FROM unnest(%s::bigint[], %s::bigint[]) AS n (user_id, until_us) "
            "ON CONFLICT (id) DO UPDATE SET until_us = excluded.until_us",
            (SHARDS_MAX, shard, shard, array(set_), array(set_.values())),
        )
    if gone := [user_id * SHARDS_MAX + shard for user_id, until in countdowns.items() if not until]:
        cursor.execute("DELETE FROM trading_countdown WHERE id = ANY(%s::bigint[])", (array(gone),))


def finish(
    cursor: Any, *, shard: int, epoch: int, seq: int, published_seq: int, counters: tuple[int, int, int],
    position: Position, market_sequences: Mapping[int, int], last_prices: Mapping[int, int], record: str, at: str,
) -> None:  # fmt: skip
    """Keep the batch's record and move the shard on by one. Raises Fenced where epoch or sequence is not ours any more."""
    if seq % BATCHES_SWEPT_AT_ONCE == 0:
        cursor.execute(
            "DELETE FROM trading_batch WHERE id < %s AND id %% %s = %s",
            ((published_seq - BATCHES_KEPT) * SHARDS_MAX, SHARDS_MAX, shard),
        )
    sequences, prices = [
        orjson.dumps(each, option=orjson.OPT_NON_STR_KEYS).decode() for each in (market_sequences, last_prices)
    ]
    cursor.execute(
        f"{statements.BATCH.call}; {statements.SHARD.call}",
        (
            seq * SHARDS_MAX + shard, record, at, seq, published_seq, *counters,
            position.generation, position.id, sequences, prices, shard, epoch, seq - 1,
        ),
    )  # fmt: skip
    if cursor.rowcount != 1:
        raise Fenced(f"shard {shard} is not at epoch {epoch}, sequence {seq - 1}")


def commit(cursor: Any) -> None:
    """The end of what `claim` began. Whatever it raises, nobody knows what came of it."""
    cursor.execute("COMMIT")


def roll_back(cursor: Any) -> None:
    """The other end, also where nothing was begun."""
    cursor.execute(ROLLBACK)


def unpublished(cursor: Any, *, shard: int, after: int, up_to: int) -> list[bytes]:
    """Records of committed batches that perhaps were never told."""
    ids = [seq * SHARDS_MAX + shard for seq in range(after + 1, up_to + 1)]
    cursor.execute("SELECT record FROM trading_batch WHERE id = ANY(%s::bigint[]) ORDER BY id", (array(ids),))
    return [record.encode() for (record,) in cursor.fetchall()]


def timestamp(at_us: int) -> str:
    """As PostgreSQL reads it."""
    return presentation.moment(at_us).strftime("%Y-%m-%d %H:%M:%S.%f+00")


def state_of(order: Order) -> int:
    """1 open, 2 filled, 3 cancelled."""
    return 1 if order.phase else 2 if order.reason == FILLED else 3


# Each column of an open order that may change, as an element of an array.
_TEXTS: dict[str, Callable[[Order], str]] = {
    "id": lambda o: f"{o.id}",
    "filled_lots": lambda o: f"{o.filled_lots}",
    "filled_quote": lambda o: f"{o.filled_quote}",
    "fee": lambda o: f"{o.fee}",
    "state": lambda o: f"{state_of(o)}",
    "reason": lambda o: o.reason or '""',
    "phase": lambda o: f"{o.phase}",
    "held": lambda o: f"{o.held}",
    "price": lambda o: f"{o.price}",
    "lots": lambda o: f"{o.lots}",
    "quote_units": lambda o: f"{o.quote_units}",
    "rank": lambda o: f"{o.rank}",
    "terms": lambda o: quoted(terms.text(o)),
}


def _escaped(body: bytes) -> str:
    """Text for COPY. What `wire.decode` took is UTF-8; a NUL cannot be in it, for JSON has none unescaped."""
    text = body.decode()
    if "\\" in text or "\t" in text or "\n" in text or "\r" in text:  # a tenth of the time of a regular expression
        text = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return text


def quoted(json: str | None) -> str:
    """JSON as an element of an array."""
    return "NULL" if json is None else '"' + json.replace("\\", "\\\\").replace('"', '\\"') + '"'


def array(values: Iterable[object]) -> str:
    """A PostgreSQL array as text: the cheapest way through psycopg2 for values that need no quotes."""
    return "{" + ",".join(map(str, values)) + "}"


def texts(values: Iterable[str]) -> str:
    """The same for text without quotes and backslashes in it; quoted, because a bare NULL would be none."""
    return "{" + ",".join([f'"{value}"' for value in values]) + "}"
