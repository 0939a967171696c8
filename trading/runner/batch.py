"""One batch, from commands to a commit: claim the ids, match, lock, judge, write, commit.

Batches overlap: one is in the air, its statements and its COMMIT on their way to the database, while the next one is matched on
credit, judged on what the one before left, see expected.py, and composed. Its statements stand in the same queue behind that
COMMIT, so whatever it claims and locks, it claims and locks after; and nothing of it is written before its claims and locks were
found as expected. Where the one before did not land, neither has happened.
What must never happen here: anything told to anybody (that is release.py, after the commit), a statement composed from a book
that has gone on meanwhile, or a guess about a commit whose outcome is unknown: `Doubt` leaves this module, and the book is
thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import orjson
import psycopg2

from trading import presentation
from trading.engine import batching
from trading.engine.book import Order
from trading.engine.commands import Amend, Cancel, Command, OpenMarket, Place, PlaceOco
from trading.engine.matching import SHARDS_MAX, Engine
from trading.runner import faults, record, statements, store
from trading.runner.accounts import Directory
from trading.runner.courier import Courier
from trading.runner.expected import Expected
from trading.runner.leadership import Doubt, Fenced
from trading.runner.locking import Lock, Session, Taken, looked_up
from trading.runner.markets import Markets
from trading.runner.outcome import Outcome
from trading.runner.store import Claims
from trading.runner.stream import Position
from trading.runner.writing import Sorted, Writing
from trading.wire import Asked

COMMAND_EXPIRED = "command_expired"
ACCOUNT_MISSING = "account_missing"
MARKET_NOT_FOUND = "market_not_found"
COMMAND_AGE_MAX_MS = 60_000
FEW = 64  # commands; a smaller batch is written by the engine's own thread


class Shorter(Exception):
    """Only this many commands fit into one batch."""

    def __init__(self, commands: int) -> None:
        super().__init__(f"{commands} commands")
        self.commands = commands


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the shard stands after its last committed batch."""

    epoch: int
    seq: int
    next_command: int
    position: Position
    market_sequences: Mapping[int, int]
    last_prices: Mapping[int, int]
    at_us: int


@dataclass(frozen=True, slots=True)
class Committed:
    """A batch that is in the database."""

    progress: Progress
    record: dict[str, Any]
    verdicts: Sequence[str]
    trades: int
    markets: Collection[int]  # whose books changed


@dataclass(frozen=True, slots=True)
class Flight:
    """A batch in the air: what it comes to once it has landed, where the shard stood before, where the engine stood after."""

    committed: Committed
    before: Progress
    mark: int
    sealed: Future[None]


class NotLanded(Exception):
    """The batch in the air was rolled back, and it and everything matched after it undone. The cause says why."""

    def __init__(self, flight: Flight, cause: Exception) -> None:
        super().__init__(str(cause))
        self.flight = flight
        self.cause = cause


class Batcher:
    """Makes batches on one database connection and one engine. Both are good only as long as no `Doubt` came out.

    `landed` is told of each batch that is committed, in their order.
    """

    def __init__(
        self, connection: Any, engine: Engine, *, markets: Markets, directory: Directory, landed: Callable[[Flight], None]
    ) -> None:  # fmt: skip
        connection.autocommit = True  # BEGIN goes with a batch's first statement, not on a way of its own
        self._connection = connection
        self._engine = engine
        self._markets = markets
        self._directory = directory
        self._landed = landed
        self._courier = Courier()
        self._writing = Writing(self._courier, engine, markets)
        self._expected = Expected(looked_up)
        self._session = Session(self._courier, markets, self._expected)
        self._flight: Flight | None = None
        self._plans_until = 0  # the next command's number

    @property
    def flying(self) -> bool:
        """Whether a batch is in the air."""
        return self._flight is not None

    def close(self) -> None:
        """End the thread that brings statements to the database."""
        self._courier.close()

    def send(
        self, asked: Sequence[Asked], *, after: Progress, position: Position, published_seq: int, now: datetime,
        also: Collection[int] = (), forced: Mapping[int, str] | None = None,
    ) -> Flight:  # fmt: skip
        """Do these commands, consumed up to `position`; when this returns, the batch before has landed and this one is in the
        air.

        `forced` gives verdicts by place that need no matching. On every exception but Doubt nothing is in the air any more,
        the transaction is rolled back and the engine as before: batching.MoreAccountsNeeded, Shorter, leadership.Fenced,
        psycopg2.Error; and NotLanded, which is about the batch before.
        """
        try:
            cursor = self._connection.cursor()
            self._flight = self._write(cursor, asked, after, position, published_seq, now, also, forced or {})
        except (Doubt, NotLanded):
            raise
        except BaseException as error:
            self._engine.undo(self._flight.mark if self._flight else None)
            self.land()
            self._roll_back(error)
            raise
        return self._flight

    def land(self) -> None:
        """Wait until what is in the air is committed. Raises NotLanded, leadership.Fenced, Doubt."""
        if (flight := self._flight) is None:
            return
        self._flight = None
        try:
            flight.sealed.result()
        except Doubt:
            raise
        except BaseException as error:
            self._roll_back(error)
            if isinstance(error, Exception) and not isinstance(error, Fenced):
                raise NotLanded(flight, error) from error
            raise
        self._engine.settle(flight.mark)
        faults.point(faults.AFTER_COMMIT)
        self._landed(flight)

    def _seal(self, cursor: Any, **shard: Any) -> None:
        """The last of a transaction, on the courier's thread."""
        faults.point(faults.INSIDE_TRANSACTION)
        store.finish(cursor, **shard)
        faults.point(faults.BEFORE_COMMIT)
        try:
            store.commit(cursor)
        except psycopg2.Error as error:
            raise Doubt(f"the outcome of a commit is unknown: {error}") from error

    def _roll_back(self, cause: BaseException) -> None:
        self._courier.abandon()
        self._expected.forget()
        self._writing.buckets.forget()
        self._engine.undo()
        try:
            store.roll_back(self._connection.cursor())
        except psycopg2.Error as error:
            raise Doubt(f"the connection is gone: {error}") from cause

    def _write(
        self, cursor: Any, asked: Sequence[Asked], after: Progress, position: Position, published_seq: int, now: datetime,
        also: Collection[int], forced: Mapping[int, str],
    ) -> Flight:  # fmt: skip
        at_us = max(presentation.microseconds(now), after.at_us + 1)
        verdicts, commands = self._prepared(asked, at_us, forced)
        is_few = not self.flying and len(asked) < FEW
        self._courier.go_oneself(is_few)
        if after.next_command >= self._plans_until:
            self._courier.send(cursor.execute, statements.RENEW)
            self._plans_until = after.next_command + statements.RENEWED_EACH
        ids = [(after.next_command + place) * SHARDS_MAX + self._engine.shard for place in range(len(asked))]
        claim = partial(store.claim, cursor, ids, asked, without_key=set(verdicts))
        lock = Lock(self._session, cursor, claim, behind=self.flying, at_once=is_few)
        claims, places, matched = self._matched(cursor, commands, lock, also)
        if len(matched.events) < len(places):
            raise Shorter(places[len(matched.events)])
        outcome = Outcome(asked, ids, verdicts, claims, places, matched)
        orders = Sorted(self._engine, outcome)
        write = self._writing.few if is_few else self._writing.many
        candles = write(cursor, outcome, orders, after.seq + 1, at_us, now)
        return self._finish(cursor, outcome, orders.all, candles, after, position, published_seq, at_us)

    def _matched(
        self, cursor: Any, commands: Mapping[int, Command], lock: Lock, also: Collection[int]
    ) -> tuple[Claims, list[int], batching.Matched]:
        """Match as if no command came a second time, while the database looks; where one did, match again without it."""
        places = list(commands)
        try:
            matched = batching.match(self._engine, [commands[place] for place in places], lock, also=also)
        except Taken:
            places = [
                place for place in commands if place not in lock.claims.repeated and place not in lock.claims.retried
            ]
            lock = Lock(self._session, cursor, None, claims=lock.claims)
            matched = batching.match(self._engine, [commands[place] for place in places], lock, also=also)
        self._expected.learn(lock.standings, matched.funds)
        return lock.claims, places, matched

    def _prepared(
        self, asked: Sequence[Asked], at_us: int, forced: Mapping[int, str]
    ) -> tuple[dict[int, str], dict[int, Command]]:
        """By place: verdicts that need no matching, and for all the others the command, complete for the core."""
        verdicts, commands = dict(forced), dict[int, Command]()
        strangers: list[int] = []
        for place, each in enumerate(asked):
            if place in verdicts:
                continue
            command = each.command
            kind = type(command)
            if kind in _FRESH and at_us // 1_000 - each.asked_at_ms > COMMAND_AGE_MAX_MS:
                verdicts[place] = COMMAND_EXPIRED
            elif kind is OpenMarket and not self._markets.known(command.market):  # type: ignore[union-attr]
                verdicts[place] = MARKET_NOT_FOUND
            elif (pair := self._pair(command)) is None:
                strangers.append(place)
            else:
                commands[place] = complete(command, pair=pair, at_us=at_us)
        if strangers:
            self._introduce(asked, strangers, verdicts, commands, at_us)
            commands = dict(sorted(commands.items()))
        return verdicts, commands

    def _pair(self, command: Command) -> tuple[int, int] | None:
        """The ledger accounts of an order's owner, as far as they are known; none for what is no order."""
        if type(command) is PlaceOco:
            command = command.limit
        if type(command) is not Place:
            return _NO_ACCOUNTS
        view = self._markets.views.get(command.market_id)
        if view is None:
            return _NO_ACCOUNTS
        return self._directory.pair(command.user_id, view.base_asset_id, view.quote_asset_id)

    def _introduce(
        self, asked: Sequence[Asked], strangers: Sequence[int], verdicts: dict[int, str], commands: dict[int, Command],
        at_us: int,
    ) -> None:  # fmt: skip
        """Ask for the accounts of those seen for the first time, of all of them at once."""
        self._directory.learn({asked[place].user_id for place in strangers})
        for place in strangers:
            command = asked[place].command
            if (pair := self._pair(command)) is None:
                verdicts[place] = ACCOUNT_MISSING
            else:
                commands[place] = complete(command, pair=pair, at_us=at_us)

    def _finish(
        self, cursor: Any, outcome: Outcome, orders: Mapping[int, Order], candles: Sequence[tuple[Any, ...]],
        after: Progress, position: Position, published_seq: int, at_us: int,
    ) -> Flight:  # fmt: skip
        """Compose the record while the database writes; then keep it, and move the shard on."""
        self.land()
        seq, engine = after.seq + 1, self._engine
        levels = record.touched_levels(engine, outcome.events, orders)
        sequences = {**after.market_sequences, **{id: after.market_sequences.get(id, 0) + 1 for id in levels}}
        prices = {**after.last_prices, **{trade.market_id: trade.price for trade in outcome.trades}}
        earlier = outcome.earlier()
        first_results = self._courier.send(store.first_results, cursor, earlier).result() if earlier else {}
        told = record.compose(
            shard=engine.shard,
            seq=seq,
            at_us=at_us,
            replies=outcome.replies(first_results),
            orders=orders.values(),
            trades=outcome.trades,
            depth=record.depth(engine, levels, sequences),
            candles=candles,
            balances=record.balances(outcome.funds, orders.values(), self._markets.views),
            states=outcome.states,
            markets=outcome.markets,
        )
        next_command = after.next_command + len(outcome.asked)
        sealed = self._courier.send(
            self._seal, cursor, shard=engine.shard, epoch=after.epoch, seq=seq, published_seq=published_seq,
            counters=(next_command, engine.next_order, engine.next_trade), position=position,
            market_sequences=sequences, last_prices=prices, record=orjson.dumps(told).decode(), at=store.timestamp(at_us),
        )  # fmt: skip
        progress = Progress(after.epoch, seq, next_command, position, sequences, prices, at_us)
        touched = levels.keys() | outcome.markets.keys()
        committed = Committed(progress, told, outcome.codes(), len(outcome.trades), touched)
        return Flight(committed, after, engine.mark(), sealed)


_FRESH = frozenset({Place, PlaceOco, Amend})  # an old one of these is not what its sender wants by now
_NO_ACCOUNTS = (0, 0)


def complete(command: Command, *, pair: tuple[int, int], at_us: int) -> Command:
    """The command as the core takes it: with its owner's accounts in the market's base and quote asset, and its time."""
    if type(command) is Place:
        return command.stamped(base_account=pair[0], quote_account=pair[1], at=at_us)
    if type(command) is Cancel:
        return Cancel(command.user_id, command.order_id, command.client_order_id, at_us)
    if type(command) is PlaceOco:
        return PlaceOco(
            command.limit.stamped(base_account=pair[0], quote_account=pair[1], at=at_us),
            command.stop.stamped(base_account=pair[0], quote_account=pair[1], at=at_us),
            at_us,
        )
    return command.but(at=at_us)
