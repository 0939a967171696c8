"""The proof that a book is what its commands made of it: replay them all, and compare with what the tables give.

The stored commands of a shard, in their order and with their times, go through an empty engine. It must say to each of them what
was said when it came, make the trades that are stored, and end in the state that a start loads from the tables. What the core
does not decide (who can pay, what came too late or twice) comes in as the stored verdict.
What must never happen here: a write, or two looks at a database that moved in between. The caller's transaction is one snapshot.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from trading import wire
from trading.engine.book import Order
from trading.engine.commands import CancelAll, Command, Place, PlaceOco
from trading.engine.events import Accepted, Amended, Closed, Event, Reduced, Refused, Traded
from trading.engine.funds import ACCOUNT_FROZEN, INSUFFICIENT_FUNDS
from trading.engine.matching import SHARDS_MAX, Engine
from trading.runner import batch, loading
from trading.runner.accounts import Directory
from trading.runner.process import ENGINE_ERROR

AT_ONCE = 10_000
SETTLE_EACH = 1_000
DIFFERENCES_MAX = 10
# Said by the process around the core; nothing of the book changed.
NOT_THE_CORES = frozenset(
    {INSUFFICIENT_FUNDS, ACCOUNT_FROZEN, wire.DUPLICATE, batch.COMMAND_EXPIRED, batch.ACCOUNT_MISSING, ENGINE_ERROR}
)
_COMMANDS = (
    "SELECT id, body, verdict, order_id, (extract(epoch FROM at) * 1000000)::bigint FROM trading_command "
    "WHERE id %% %s = %s ORDER BY id"
)
_TRADES = (
    "SELECT id, market_id, price, lots, taker_side, maker_order_id, taker_order_id, maker_id, taker_id, buyer_fee::text, "
    "seller_fee::text FROM trading_trade WHERE id %% %s = %s ORDER BY id"
)
_SHOWN = (
    "market_id", "user_id", "phase", "rank", "price", "lots", "quote_units", "filled_lots", "filled_quote", "fee", "held",
    "shown", "stop_price", "extreme", "cap", "partner", "terms", "client_order_id",
)  # fmt: skip

Progress = Callable[[int, int], None]


class ShardUnknown(LookupError):
    """There is no such shard."""


class TooManyDifferences(Exception):
    """After the first ones, all the others follow from them."""


@dataclass(slots=True)
class Report:
    """What a replay found. `differences` in the order of discovery, the first ones alone."""

    shard: int
    commands: int = 0
    accepted: int = 0
    trades: int = 0
    open_orders: int = 0
    seconds: float = 0.0
    replayed_hash: str = ""
    loaded_hash: str = ""
    differences: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        return not self.differences and self.replayed_hash == self.loaded_hash != ""

    def differ(self, text: str) -> None:
        self.differences.append(text)
        if len(self.differences) >= DIFFERENCES_MAX:
            raise TooManyDifferences


def replay(connection: Any, *, shard: int, progress: Progress = lambda done, total: None) -> Report:
    """Replay and compare. `connection`: psycopg2's own, in REPEATABLE READ, so that all of it is one snapshot; only the
    ledger's account ids, which never change, are asked for elsewhere.

    `progress` is called now and then with commands done and to do. Raises ShardUnknown.
    """
    report, started = Report(shard), time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SELECT next_command - 1 FROM trading_shard WHERE id = %s", (shard,))
        row = cursor.fetchone()
    if row is None:
        raise ShardUnknown(f"There is no shard {shard}.")
    engine = Engine(shard=shard)
    try:
        _Replay(connection, engine, report).run(row[0], progress)
        loaded = loading.load(connection, shard=shard)
        report.replayed_hash, report.loaded_hash = engine.state_hash(), loaded.state_hash()
        report.open_orders = len(loaded.orders)
        if report.replayed_hash != report.loaded_hash:
            _compare(engine, loaded, report)
    except (TooManyDifferences, loading.HoldDiffers) as error:
        if text := str(error):
            report.differences.append(text)
    report.seconds = time.perf_counter() - started
    return report


class _Replay:
    def __init__(self, connection: Any, engine: Engine, report: Report) -> None:
        self._connection = connection
        self._engine = engine
        self._report = report
        self._directory = Directory()
        self._trades = self._rows("replayed_trades", _TRADES)

    def run(self, total: int, progress: Progress) -> None:
        report = self._report
        for id, body, verdict, order_id, at_us in self._rows("replayed_commands", _COMMANDS):
            report.commands += 1
            if report.commands % SETTLE_EACH == 0:
                self._engine.settle()
                progress(report.commands, total)
            if verdict not in NOT_THE_CORES:
                self._one(id, body, (verdict, order_id), at_us)
        self._engine.settle()
        progress(report.commands, total)
        if (left := next(self._trades, None)) is not None:
            report.differ(f"trade {left[0]} is stored, and no command makes it")

    def _rows(self, name: str, statement: str) -> Iterator[tuple[Any, ...]]:
        with self._connection.cursor(name=name) as cursor:
            cursor.itersize = AT_ONCE
            cursor.execute(statement, (SHARDS_MAX, self._report.shard))
            yield from cursor

    def _one(self, id: int, body: str, stored: tuple[str, int | None], at_us: int) -> None:
        command = wire.decode(body.encode()).command
        events = self._engine.apply(batch.complete(command, pair=self._pair(command), at_us=at_us))
        said = _said(command, events)
        if said != stored:
            self._report.differ(f"command {id} was answered {_text(stored)}, and replayed {_text(said)}: {body}")
        if said[0] == wire.ACCEPTED:
            self._report.accepted += 1
        for event in events:
            if type(event) is Traded:
                self._trade(event)

    def _pair(self, command: Command) -> tuple[int, int]:
        """The owner's accounts in the market's assets, as the ledger has them: they never change."""
        order = command.limit if type(command) is PlaceOco else command
        if type(order) is not Place or (book := self._engine.books.get(order.market_id)) is None:
            return 0, 0
        assets = book.market.base_asset_id, book.market.quote_asset_id
        if (pair := self._directory.pair(order.user_id, *assets)) is None:
            self._directory.learn([order.user_id])
            pair = self._directory.pair(order.user_id, *assets)
        return pair or (0, 0)

    def _trade(self, event: Traded) -> None:
        self._report.trades += 1
        made = (
            event.id, event.market_id, event.price, event.lots, int(event.taker_side), event.maker_order_id,
            event.taker_order_id, event.maker_id, event.taker_id, str(event.buyer_fee), str(event.seller_fee),
        )  # fmt: skip
        stored = next(self._trades, None)
        if stored != made:
            self._report.differ(f"trade {made} is replayed, and stored is {stored}")


def _said(command: Command, events: Sequence[Event]) -> tuple[str, int | None]:
    """Verdict and order, as the process around the core reads them out of the events."""
    first = events[0] if events else None
    if type(first) is Refused:
        return first.code, None
    if type(command) is not CancelAll and type(first) in (Accepted, Amended, Reduced, Closed):
        return wire.ACCEPTED, first.order_id  # type: ignore[union-attr]
    return wire.ACCEPTED, None


def _text(result: tuple[str, int | None]) -> str:
    code, order_id = result
    return code if order_id is None else f"{code} (order {order_id})"


def _compare(replayed: Engine, loaded: Engine, report: Report) -> None:
    """Where two books of one shard are not the same, in words."""
    for name in ("next_order", "next_trade"):
        if (mine := getattr(replayed, name)) != (stored := getattr(loaded, name)):
            report.differ(f"{name} is {mine} replayed, {stored} stored")
    for market_id in sorted(replayed.books.keys() | loaded.books.keys()):
        _compare_market(replayed, loaded, market_id, report)
    for id in sorted({*replayed.orders, *loaded.orders}):
        _compare_order(id, replayed.orders.get(id), loaded.orders.get(id), report)
    if not report.differences:
        report.differ("fees, countdowns or the order within a price differ")


def _compare_market(replayed: Engine, loaded: Engine, market_id: int, report: Report) -> None:
    mine, stored = replayed.books.get(market_id), loaded.books.get(market_id)
    if mine is None or stored is None:
        report.differ(f"market {market_id} is open {'in the tables' if mine is None else 'by the commands'} alone")
        return
    for name in ("market", "state", "last_price"):
        if getattr(mine, name) != getattr(stored, name):
            report.differ(
                f"market {market_id}: {name} is {getattr(mine, name)} replayed, {getattr(stored, name)} stored"
            )


def _compare_order(id: int, mine: Order | None, stored: Order | None, report: Report) -> None:
    if mine is None or stored is None:
        report.differ(f"order {id} is open {'in the tables' if mine is None else 'by the commands'} alone")
        return
    found = [
        f"{name} {getattr(mine, name)} replayed, {getattr(stored, name)} stored"
        for name in _SHOWN
        if getattr(mine, name) != getattr(stored, name)
    ]
    if found:
        report.differ(f"order {id}: {'; '.join(found)}")
