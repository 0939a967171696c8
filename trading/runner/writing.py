"""Sends the rows of a batch to the database: of a large one piece by piece, of a small one all at once.

What must never happen here: a row composed after its batch is in the air, for the book has gone on by then.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection as django_connection

from exchange.ledger import bulk
from exchange.ledger.journal import Entry, Transfer
from trading.engine.book import Order
from trading.engine.events import Traded
from trading.engine.matching import SHARDS_MAX, Engine
from trading.runner import few, record, store, terms
from trading.runner.buckets import Bucket, Buckets
from trading.runner.courier import Courier
from trading.runner.markets import Markets
from trading.runner.outcome import Outcome

# A UUID of our own making (version 8): "bourse" and "trade" in its upper half, the trade's id in its lower.
Told = list[tuple[Any, ...]]  # each touched bucket as it will stand
_TRADE_UUID = 0x626F757273658001 << 64 | 0b10 << 62


class Sorted:
    """The orders that a batch made or changed, as they stand at its end."""

    def __init__(self, engine: Engine, outcome: Outcome) -> None:
        self.all = {id: engine.orders[id // SHARDS_MAX] for id in outcome.orders_touched}
        self.accepted, self.changed, self.remade = list[Order](), list[Order](), list[Order]()
        for id, order in self.all.items():
            if id in outcome.orders_new:
                self.accepted.append(order)
            else:
                plain = terms.plain(order) and id not in outcome.orders_remade
                (self.changed if plain else self.remade).append(order)


class Writing:
    """Writes batches of one shard through one courier."""

    def __init__(self, courier: Courier, engine: Engine, markets: Markets) -> None:
        self._courier = courier
        self._engine = engine
        self._markets = markets
        self._writer = f"shard-{engine.shard}"
        self.buckets = Buckets(_stored_candles)

    def many(self, cursor: Any, outcome: Outcome, orders: Sorted, seq: int, at_us: int, now: datetime) -> Told:
        """Composed piece by piece, while the database writes the piece before."""
        send, at = self._courier.send, store.timestamp(at_us)
        send(store.copy, cursor, store.COMMANDS, store.command_lines(outcome.command_rows(), seq=seq, at=at))
        send(store.copy, cursor, store.ORDERS, store.order_lines(orders.accepted, at=at))
        send(store.write_changes, cursor, store.changed_orders(orders.changed, at=at))
        send(store.copy, cursor, store.TRADES, store.trade_lines(outcome.trades, at=at))
        self._rare(cursor, outcome, orders, at)
        touched = record.touched_candles(outcome.trades, at_us=at_us)
        told = self.buckets.after(touched)
        send(store.write_candles, cursor, touched, told)
        if posting := self._posting(outcome, now):
            send(bulk.post, cursor, **posting)
        return told

    def few(self, cursor: Any, outcome: Outcome, orders: Sorted, seq: int, at_us: int, now: datetime) -> Told:
        """All in one go."""
        at = store.timestamp(at_us)
        self._rare(cursor, outcome, orders, at)
        posting = self._posting(outcome, now)
        touched = record.touched_candles(outcome.trades, at_us=at_us)
        told = self.buckets.after(touched)
        rows = [
            few.commands(outcome.command_rows(), seq=seq, at=at),
            few.orders(orders.accepted, at=at),
            few.trades(outcome.trades, at=at),
            few.posting(**posting) if posting else None,
            few.changes(orders.changed, at=at),
            few.candles(touched),
        ]
        self._courier.send(few.write, cursor, rows, told)
        return told

    def _rare(self, cursor: Any, outcome: Outcome, orders: Sorted, at: str) -> None:
        """What most batches have none of."""
        send, engine = self._courier.send, self._engine
        if orders.remade:
            send(store.write_changes, cursor, store.remade_orders(orders.remade, at=at))
        if outcome.markets:
            send(store.write_markets, cursor, store.market_rows([engine.books[id] for id in outcome.markets]))
        if outcome.fees:
            send(store.write_fees, cursor, outcome.fees.values(), shard=engine.shard)
        if outcome.countdowns:
            send(store.write_countdowns, cursor, outcome.countdowns, shard=engine.shard)

    def _posting(self, outcome: Outcome, now: datetime) -> dict[str, Any]:
        """What the ledger is to post; empty where nothing moves."""
        held = {account: delta for account, delta in outcome.funds.held_deltas.items() if delta}
        if not outcome.trades and not held:
            return {}
        transfers = [self._transfer(trade) for trade in outcome.trades]
        return {"writer": self._writer, "transfers": transfers, "held_deltas": held, "now": now}

    def _transfer(self, trade: Traded) -> Transfer:
        """One fill: base from seller to buyer, quote from buyer to seller, a fee out of what each receives, or a rebate to it."""
        view = self._markets.views[trade.market_id]
        base, quote, buyer_fee, seller_fee = trade.base_units, trade.quote_units, trade.buyer_fee, trade.seller_fee
        entries = [
            Entry(trade.buyer_base_account, base - buyer_fee),
            Entry(trade.seller_base_account, -base),
            Entry(trade.seller_quote_account, quote - seller_fee),
            Entry(trade.buyer_quote_account, -quote),
            Entry((self._markets.fees if buyer_fee > 0 else self._markets.rebates)[view.base_asset_id], buyer_fee),
            Entry((self._markets.fees if seller_fee > 0 else self._markets.rebates)[view.quote_asset_id], seller_fee),
        ]
        lines = tuple([entry for entry in entries if entry.amount])
        return Transfer(UUID(int=_TRADE_UUID | trade.id), "trade", lines, f"trade {trade.id}")


def _stored_candles(ids: Collection[int]) -> list[Bucket]:
    """On the connection beside the engine's own, which is busy with the batch before."""
    with django_connection.cursor() as cursor:
        return store.look_at_candles(cursor, ids)
