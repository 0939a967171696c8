"""One batch, from commands to a commit: claim the ids, match, lock, judge, write, commit.

What must never happen here: anything told to anybody (that is release.py, after the commit), or a guess about a commit whose
outcome is unknown: `Doubt` leaves this module, and the book is thrown away.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg2

from exchange.ledger import bulk
from exchange.ledger.journal import Entry, Transfer
from trading import presentation, wire
from trading.engine import batching
from trading.engine.book import Order
from trading.engine.commands import Cancel, Command, Place
from trading.engine.events import Accepted, Closed, Event, MarketStateSet, Refused, Rested, Traded
from trading.engine.funds import Standing
from trading.engine.matching import SHARDS_MAX, Engine
from trading.presentation import MarketView
from trading.runner import faults, record, store
from trading.runner.accounts import Directory
from trading.runner.courier import Courier
from trading.runner.leadership import Doubt
from trading.runner.store import Claims, First
from trading.runner.stream import Position
from trading.wire import Asked

COMMAND_EXPIRED = "command_expired"
ACCOUNT_MISSING = "account_missing"
COMMAND_AGE_MAX_MS = 60_000
# A UUID of our own making (version 8): "bourse" and "trade" in its upper half, the trade's id in its lower.
_TRADE_UUID = 0x626F757273658001 << 64 | 0b10 << 62


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
    at_us: int


@dataclass(frozen=True, slots=True)
class Committed:
    """A batch that is in the database."""

    progress: Progress
    record: dict[str, Any]
    verdicts: Sequence[str]
    trades: int
    markets: Collection[int]  # whose books changed


class Batcher:
    """Makes batches on one database connection and one engine. Both are good only as long as no `Doubt` came out."""

    def __init__(
        self, connection: Any, engine: Engine, *, views: Mapping[int, MarketView], fee_accounts: Mapping[int, int],
        directory: Directory,
    ) -> None:  # fmt: skip
        self._connection = connection
        self._engine = engine
        self._views = views
        self._fee_accounts = fee_accounts  # by asset
        self._directory = directory
        self._writer = f"shard-{engine.shard}"
        self._courier = Courier()

    def close(self) -> None:
        """End the thread that brings statements to the database."""
        self._courier.close()

    def commit(
        self, asked: Sequence[Asked], *, after: Progress, position: Position, published_seq: int, now: datetime,
        also: Collection[int] = (), forced: Mapping[int, str] | None = None,
    ) -> Committed:  # fmt: skip
        """Do these commands and commit them, consumed up to `position`.

        `forced` gives verdicts by place that need no matching. On every exception but Doubt the transaction is rolled back
        and the engine is as before: batching.MoreAccountsNeeded, Shorter, leadership.Fenced, psycopg2.Error.
        """
        try:
            cursor = self._connection.cursor()
            done = self._write(cursor, asked, after, position, published_seq, now, also, forced or {})
            faults.point(faults.BEFORE_COMMIT)
            self._commit()
        except Doubt:
            raise
        except BaseException as error:
            self._roll_back(error)
            raise
        self._engine.settle()
        faults.point(faults.AFTER_COMMIT)
        return done

    def _commit(self) -> None:
        try:
            self._connection.commit()
        except psycopg2.Error as error:
            raise Doubt(f"the outcome of a commit is unknown: {error}") from error

    def _roll_back(self, cause: BaseException) -> None:
        self._courier.abandon()
        self._engine.undo()
        try:
            self._connection.rollback()
        except psycopg2.Error as error:
            raise Doubt(f"the connection is gone: {error}") from cause

    def _write(
        self, cursor: Any, asked: Sequence[Asked], after: Progress, position: Position, published_seq: int, now: datetime,
        also: Collection[int], forced: Mapping[int, str],
    ) -> Committed:  # fmt: skip
        at_us = max(presentation.microseconds(now), after.at_us + 1)
        verdicts, commands = self._prepared(asked, at_us, forced)
        ids = [(after.next_command + place) * SHARDS_MAX + self._engine.shard for place in range(len(asked))]
        claimed = self._courier.send(store.claim, cursor, ids, asked, without_key=set(verdicts))
        claims, places, matched = self._matched(cursor, commands, claimed, also)
        if len(matched.events) < len(places):
            raise Shorter(places[len(matched.events)])
        batch = _Batch(asked, ids, verdicts, claims, places, matched)
        candles = self._courier.send(store.write_candles, cursor, record.touched_candles(batch.trades, at_us=at_us))
        self._write_trading(cursor, batch, seq=after.seq + 1, at_us=at_us)
        self._write_ledger(cursor, batch, now=now)
        return self._finish(cursor, batch, candles, after, position, published_seq, at_us)

    def _matched(
        self, cursor: Any, commands: Mapping[int, Command], claimed: Future[Claims], also: Collection[int]
    ) -> tuple[Claims, list[int], batching.Matched]:
        """Match as if no command came a second time, while the database looks; where one did, match again without it."""
        try:
            places = list(commands)
            lock = self._lock(cursor, claimed)
            matched = batching.match(self._engine, [commands[place] for place in places], lock, also=also)
            return claimed.result(), places, matched
        except _Taken:
            claims = claimed.result()
            places = [place for place in commands if place not in claims.repeated and place not in claims.retried]
            lock = self._lock(cursor, None)
            return claims, places, batching.match(self._engine, [commands[place] for place in places], lock, also=also)

    def _prepared(
        self, asked: Sequence[Asked], at_us: int, forced: Mapping[int, str]
    ) -> tuple[dict[int, str], dict[int, Command]]:
        """By place: verdicts that need no matching, and for all the others the command, complete for the core."""
        verdicts, commands = dict(forced), dict[int, Command]()
        for place, each in enumerate(asked):
            if place in verdicts:
                continue
            command = each.command
            if type(command) is Cancel:
                commands[place] = Cancel(command.user_id, command.order_id, command.client_order_id, at_us)
                continue
            if type(command) is not Place:
                commands[place] = command.but(at=at_us)
                continue
            if at_us // 1_000 - each.asked_at_ms > COMMAND_AGE_MAX_MS:
                verdicts[place] = COMMAND_EXPIRED
                continue
            view = self._views.get(command.market_id)
            pair = self._directory.pair(command.user_id, view.base_asset_id, view.quote_asset_id) if view else (0, 0)
            if pair is None:
                verdicts[place] = ACCOUNT_MISSING
                continue
            commands[place] = command.stamped(base_account=pair[0], quote_account=pair[1], at=at_us)
        return verdicts, commands

    def _lock(self, cursor: Any, claimed: Future[Claims] | None) -> batching.Lock:
        """Locks what a match has touched; before that, raises _Taken where the match rests on a claim that failed."""

        def lock(accounts: Collection[int]) -> dict[int, Standing]:
            if claimed is not None and any(claimed.result()):
                raise _Taken
            if not accounts:
                return {}
            locked = self._courier.send(bulk.lock, cursor, {*accounts, *self._fee_accounts.values()}).result()
            return {id: Standing(row.balance, row.held, row.frozen) for id, row in locked.items()}

        return lock

    def _write_trading(self, cursor: Any, batch: _Batch, *, seq: int, at_us: int) -> None:
        at, send = _timestamp(at_us), self._courier.send
        batch.orders = {id: self._engine.orders[id] for id in batch.order_ids()}
        new = {event.order_id for event in batch.events if type(event) is Accepted}
        send(store.copy, cursor, store.COMMANDS, store.command_lines(batch.command_rows(), seq=seq, at=at))
        accepted, changed = list[Order](), list[Order]()
        for id, order in batch.orders.items():
            (accepted if id in new else changed).append(order)
        send(store.copy, cursor, store.ORDERS, store.order_lines(accepted, held=self._held(accepted), at=at))
        send(store.write_changed_orders, cursor, changed, held=self._held(changed), at=at)
        send(store.copy, cursor, store.TRADES, store.trade_lines(batch.trades, at=at))
        send(store.write_market_states, cursor, {state.market_id: int(state.state) for state in batch.states})

    def _held(self, orders: Sequence[Order]) -> list[int]:
        return [o.hold(self._engine.books[o.market_id].market) if o.resting else 0 for o in orders]

    def _write_ledger(self, cursor: Any, batch: _Batch, *, now: datetime) -> None:
        held = {account: delta for account, delta in batch.matched.funds.held_deltas.items() if delta}
        if batch.trades or held:
            transfers = [self._transfer(trade) for trade in batch.trades]
            send = self._courier.send
            send(bulk.post, cursor, writer=self._writer, transfers=transfers, held_deltas=held, now=now)

    def _transfer(self, trade: Traded) -> Transfer:
        """One fill: base from seller to buyer, quote from buyer to seller, a fee out of what each receives."""
        view = self._views[trade.market_id]
        base, quote, buyer_fee, seller_fee = trade.base_units, trade.quote_units, trade.buyer_fee, trade.seller_fee
        entries = [
            Entry(trade.buyer_base_account, base - buyer_fee),
            Entry(trade.seller_base_account, -base),
            Entry(trade.seller_quote_account, quote - seller_fee),
            Entry(trade.buyer_quote_account, -quote),
            Entry(self._fee_accounts[view.base_asset_id], buyer_fee),
            Entry(self._fee_accounts[view.quote_asset_id], seller_fee),
        ]
        lines = tuple([entry for entry in entries if entry.amount])
        return Transfer(UUID(int=_TRADE_UUID | trade.id), "trade", lines, f"trade {trade.id}")

    def _finish(
        self, cursor: Any, batch: _Batch, candles: Future[list[tuple[Any, ...]]], after: Progress, position: Position,
        published_seq: int, at_us: int,
    ) -> Committed:  # fmt: skip
        """Compose the record while the database writes; then keep it, and move the shard on."""
        seq, engine = after.seq + 1, self._engine
        levels = record.touched_levels(engine, batch.events, batch.orders)
        sequences = {**after.market_sequences, **{id: after.market_sequences.get(id, 0) + 1 for id in levels}}
        earlier = batch.earlier()
        told = record.compose(
            shard=engine.shard,
            seq=seq,
            at_us=at_us,
            replies=batch.replies(self._courier.send(store.first_results, cursor, earlier).result() if earlier else {}),
            orders=batch.orders.values(),
            trades=batch.trades,
            depth=record.depth(engine, levels, sequences),
            candles=candles.result(),
            balances=record.balances(batch.matched.funds, batch.orders.values(), self._views),
            states=batch.states,
        )
        next_command = after.next_command + len(batch.asked)
        kept = orjson.dumps(told).decode()
        self._courier.wait()
        faults.point(faults.INSIDE_TRANSACTION)
        store.finish(
            cursor, shard=engine.shard, epoch=after.epoch, seq=seq, published_seq=published_seq,
            counters=(next_command, engine.next_order, engine.next_trade), position=position,
            market_sequences=sequences, record=kept, at=_timestamp(at_us),
        )  # fmt: skip
        progress = Progress(after.epoch, seq, next_command, position, sequences, at_us)
        return Committed(progress, told, batch.codes(), len(batch.trades), levels.keys())


class _Taken(Exception):
    """Some of the commands were matched though they came before."""


class _Batch:
    """The commands of a batch beside what came of them."""

    def __init__(
        self, asked: Sequence[Asked], ids: Sequence[int], verdicts: dict[int, str], claims: Claims, places: Sequence[int],
        matched: batching.Matched,
    ) -> None:  # fmt: skip
        self.asked = asked
        self.ids = ids
        self.claims = claims
        self.matched = matched
        self.orders: dict[int, Order] = {}
        self.events: list[Event] = [event for events in matched.events for event in events]
        self.trades = [event for event in self.events if type(event) is Traded]
        self.states = [event for event in self.events if type(event) is MarketStateSet]
        self._results: dict[int, First] = {place: First(code, None) for place, code in verdicts.items()}
        for place, events in zip(places, matched.events, strict=True):
            self._results[place] = _result(asked[place], events)
        for place in claims.retried:
            self._results[place] = First(wire.DUPLICATE, None)

    def order_ids(self) -> list[int]:
        """Every order that this batch made or changed, each once, in the order of first touch."""
        found: dict[int, None] = {}
        for event in self.events:
            if type(event) is Traded:
                found[event.maker_order_id] = found[event.taker_order_id] = None
            elif type(event) is Accepted or type(event) is Closed or type(event) is Rested:
                found[event.order_id] = None
        return list(found)

    def command_rows(self) -> list[tuple[int, Asked, str, int | None]]:
        """Every command but those that were done in an earlier batch."""
        return [
            (self.ids[place], each, *self._results[place])
            for place, each in enumerate(self.asked)
            if place not in self.claims.repeated
        ]

    def earlier(self) -> set[int]:
        """Commands of earlier batches whose results are asked for again."""
        return {*self.claims.repeated.values(), *self.claims.retried.values()} - set(self.ids)

    def codes(self) -> list[str]:
        return [self._results[place].code for place in range(len(self.asked)) if place not in self.claims.repeated]

    def replies(self, earlier: Mapping[int, First]) -> list[record.Reply]:
        in_batch = {self.ids[place]: result for place, result in self._results.items()}
        known = {**in_batch, **earlier}
        replies = []
        for place, each in enumerate(self.asked):
            if place in self.claims.repeated:
                first = known[self.claims.repeated[place]]
                replies.append(record.reply(each, first.code, first.order_id, here=False))
            elif place in self.claims.retried:
                first = known[self.claims.retried[place]]
                replies.append(record.reply(each, wire.DUPLICATE, first.order_id, here=False, first=first))
            else:
                code, order_id = self._results[place]
                replies.append(record.reply(each, code, order_id, here=order_id is not None))
        return replies


def _result(asked: Asked, events: Sequence[Event]) -> First:
    first = events[0]
    if type(first) is Refused:
        return First(first.code, None)
    if type(first) is Accepted or (type(first) is Closed and type(asked.command) is Cancel):
        return First(wire.ACCEPTED, first.order_id)
    return First(wire.ACCEPTED, None)


def _timestamp(at_us: int) -> str:
    return presentation.moment(at_us).strftime("%Y-%m-%d %H:%M:%S.%f+00")
