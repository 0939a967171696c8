"""The state machine: everything that affects the engine's state lives here and in book.py.

`Engine.apply` takes one command and returns its events. Each change is noted in an undo log, so that one command, or a
whole batch of them, can be taken back until `settle` makes it final. Price-time priority: the best price first, the oldest
order first at a price, always at the resting order's price.

Self-trade prevention is "cancel newest": an incoming order that would meet its owner's own keeps the fills it has, and its
rest is cancelled. What must never happen here: a clock, randomness, an exception half-way through a command.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from trading.engine.book import Book, Half, Level, Order
from trading.engine.commands import Cancel, Command, Place, SetMarketState
from trading.engine.events import Accepted, Closed, Event, MarketStateSet, Refused, Rested, Traded
from trading.engine.rules import BUY, FILLS_PER_COMMAND_MAX, PPM, Kind, Market, MarketState, TimeInForce

SHARDS_MAX = 1_024

FILLED = "filled"
BY_USER = "user"
NO_LIQUIDITY = "no_liquidity"
TOO_SMALL = "too_small"
SELF_TRADE = "self_trade"
TOO_MANY_FILLS = "too_many_fills"

# What the undo log's entries mean; see `_take_back`.
_NUMBERS, _REMEMBERED, _NAMED, _UNNAMED, _RESTED, _REMOVED, _FILLED, _CLOSED, _MARKET_STATE = range(9)


class Engine:
    """One shard's books. Order and trade ids are counter·1024 + shard, so shards never give the same one."""

    def __init__(self, *, shard: int, next_order: int = 1, next_trade: int = 1) -> None:
        if not 0 <= shard < SHARDS_MAX:
            raise ValueError(f"a shard is between 0 and {SHARDS_MAX - 1}")
        self.shard = shard
        self.next_order = next_order
        self.next_trade = next_trade
        self.books: dict[int, Book] = {}
        self.orders: dict[int, Order] = {}  # open ones, and those closed since the last settle
        self._named: dict[tuple[int, str], int] = {}  # (user, client order id) of open orders
        self._closed: list[Order] = []
        self._undo: list[tuple[Any, ...]] = []

    # --- What the process around the core calls ---------------------------------------------------------------------

    def add_market(self, market: Market, state: MarketState) -> None:
        """A market to trade in; before any command names it."""
        if market.id in self.books:
            raise ValueError(f"market {market.id} is here already")
        self.books[market.id] = Book(market, state)

    def load(self, order: Order) -> None:
        """Put an open order back in its place at start-up. Orders must come in the order of their ids, oldest first."""
        order.resting = True
        self.orders[order.id] = order
        if order.client_order_id is not None:
            self._named[order.user_id, order.client_order_id] = order.id
        self.books[order.market_id].half(order.side).append(order)

    def apply(self, command: Command) -> list[Event]:
        """Do one command. A refused one leaves no trace."""
        if type(command) is Place:
            return self._place(command)
        if type(command) is Cancel:
            return self._cancel(command)
        if type(command) is SetMarketState:
            return self._set_market_state(command)
        raise TypeError(f"not a command: {command!r}")

    def mark(self) -> int:
        """A point to go back to with `undo`; void after `settle`."""
        return len(self._undo)

    def undo(self, mark: int) -> None:
        """Take back everything since the mark, newest first."""
        log = self._undo
        while len(log) > mark:
            self._take_back(log.pop())

    def settle(self) -> None:
        """Make everything final: it was committed."""
        self._undo.clear()
        for order in self._closed:
            del self.orders[order.id]
        self._closed.clear()
        for book in self.books.values():
            book.bids.compact()
            book.asks.compact()

    def state_hash(self) -> str:
        """SHA-256 over everything that can change what a later command does. The same state has the same hash."""
        digest = hashlib.sha256(f"{self.shard} {self.next_order} {self.next_trade}\n".encode())
        for market_id in sorted(self.books):
            book = self.books[market_id]
            digest.update(f"market {market_id} {int(book.state)}\n".encode())
            for half in (book.bids, book.asks):
                digest.update(f"side {half.sign}\n".encode())
                digest.update(_lines(half.in_priority()))
        return digest.hexdigest()

    # --- Commands ---------------------------------------------------------------------------------------------------

    def _place(self, command: Place) -> list[Event]:
        book = self.books.get(command.market_id)
        if book is None:
            return [Refused("market_not_found")]
        if book.state != MarketState.OPEN:
            return [Refused("market_closed")]
        if command.client_order_id is not None and (command.user_id, command.client_order_id) in self._named:
            return [Refused("client_order_id_taken")]
        order = self._accept(command)
        events: list[Event] = [Accepted(order.id, order.user_id, order.pay_account)]
        stopped = self._match(book, order, events)
        if stopped == FILLED:
            self._close(order, FILLED, events, released=0)
        elif stopped == "" and order.time_in_force == TimeInForce.GTC:
            self._rest(book, order, events)
        else:
            self._close(order, stopped or NO_LIQUIDITY, events, released=0)
        return events

    def _cancel(self, command: Cancel) -> list[Event]:
        order_id = command.order_id
        if not order_id and command.client_order_id is not None:
            order_id = self._named.get((command.user_id, command.client_order_id), 0)
        order = self.orders.get(order_id)
        if order is None or order.user_id != command.user_id or not order.resting:
            return [Refused("order_not_found")]
        book = self.books[order.market_id]
        if book.state == MarketState.HALTED:
            return [Refused("market_closed")]
        self._undo.append((_CLOSED, order, order.updated_at))
        order.updated_at = command.at
        released = order.hold(book.market)
        self._leave(book.half(order.side), order)
        order.reason = BY_USER
        self._closed.append(order)
        return [Closed(order.id, order.pay_account, order.price, released, BY_USER)]

    def _set_market_state(self, command: SetMarketState) -> list[Event]:
        book = self.books.get(command.market_id)
        if book is None:
            return [Refused("market_not_found")]
        self._undo.append((_MARKET_STATE, book, book.state))
        book.state = command.state
        return [MarketStateSet(command.market_id, command.state)]

    # --- Matching ---------------------------------------------------------------------------------------------------

    def _accept(self, command: Place) -> Order:
        self._undo.append((_NUMBERS, self.next_order, self.next_trade))
        order = Order(
            id=self.next_order * SHARDS_MAX + self.shard,
            market_id=command.market_id,
            user_id=command.user_id,
            side=command.side,
            kind=command.kind,
            time_in_force=command.time_in_force,
            price=command.price,
            lots=command.lots,
            quote_units=command.quote_units,
            base_account=command.base_account,
            quote_account=command.quote_account,
            client_order_id=command.client_order_id,
            created_at=command.at,
        )
        self.next_order += 1
        self.orders[order.id] = order
        self._undo.append((_REMEMBERED, order))
        return order

    def _match(self, book: Book, taker: Order, events: list[Event]) -> str:
        """Fill the taker from the other side of the book; the answer says why it stopped, "" where the book ran dry for it."""
        buying = taker.side == BUY
        limited = taker.kind == Kind.LIMIT
        opposite = book.asks if buying else book.bids
        for _ in range(FILLS_PER_COMMAND_MAX):
            level = opposite.best()
            if level is None or (limited and (level.price > taker.price if buying else level.price < taker.price)):
                return ""
            maker = level.head
            assert maker is not None, "best() gives levels with orders only"
            if maker.user_id == taker.user_id:
                return SELF_TRADE
            lots = self._affordable(book.market, taker, level.price)
            if lots == 0:
                return FILLED if taker.filled_lots else TOO_SMALL
            self._fill(book, opposite, level, maker, taker, min(lots, maker.lots - maker.filled_lots), events)
            if taker.filled_lots == taker.lots or taker.filled_quote == taker.quote_units:
                return FILLED
        return TOO_MANY_FILLS

    @staticmethod
    def _affordable(market: Market, taker: Order, price: int) -> int:
        """How many lots the taker still wants at this price: what is left of its quantity, or of its quote amount."""
        if taker.lots:
            return taker.lots - taker.filled_lots
        return (taker.quote_units - taker.filled_quote) // (price * market.tick_quote_units)

    def _fill(
        self, book: Book, half: Half, level: Level, maker: Order, taker: Order, lots: int, events: list[Event]
    ) -> None:
        market, price = book.market, level.price
        base, quote = lots * market.lot_base_units, price * lots * market.tick_quote_units
        # Inline, because it runs for every fill: fees.fee is the same rule, and tests hold the two together.
        maker_gets, taker_gets = (quote, base) if taker.side == BUY else (base, quote)
        maker_fee = -(-maker_gets * market.maker_fee_ppm // PPM)
        taker_fee = -(-taker_gets * market.taker_fee_ppm // PPM)
        self._undo.append((_FILLED, half, maker, taker, lots, quote, maker_fee, taker_fee, maker.updated_at))
        level.lots -= lots
        for order, order_fee in ((maker, maker_fee), (taker, taker_fee)):
            order.filled_lots += lots
            order.filled_quote += quote
            order.fee += order_fee
        maker.updated_at = taker.created_at
        buyer, seller = (taker, maker) if taker.side == BUY else (maker, taker)
        buyer_fee, seller_fee = (taker_fee, maker_fee) if buyer is taker else (maker_fee, taker_fee)
        trade_id = self.next_trade * SHARDS_MAX + self.shard
        self.next_trade += 1
        events.append(
            Traded(
                trade_id, market.id, price, lots, base, quote, taker.side, maker.id, taker.id, maker.user_id, taker.user_id,
                buyer_fee, seller_fee, buyer.base_account, buyer.quote_account, seller.base_account, seller.quote_account,
            )
        )  # fmt: skip
        if maker.filled_lots == maker.lots:
            self._undo.append((_CLOSED, maker, maker.updated_at))
            self._leave(half, maker)
            maker.reason = FILLED
            self._closed.append(maker)
            events.append(Closed(maker.id, maker.pay_account, price, 0, FILLED))

    def _rest(self, book: Book, order: Order, events: list[Event]) -> None:
        book.half(order.side).append(order)
        order.resting = True
        self._undo.append((_RESTED, order))
        if order.client_order_id is not None:
            self._named[order.user_id, order.client_order_id] = order.id
            self._undo.append((_NAMED, order))
        events.append(Rested(order.id, order.pay_account, order.open_lots, order.hold(book.market)))

    def _leave(self, half: Half, order: Order) -> None:
        half.remove(order)
        order.resting = False
        self._undo.append((_REMOVED, order))
        if order.client_order_id is not None and self._named.pop((order.user_id, order.client_order_id), 0):
            self._undo.append((_UNNAMED, order))

    def _close(self, order: Order, reason: str, events: list[Event], *, released: int) -> None:
        self._undo.append((_CLOSED, order, order.updated_at))
        order.reason = reason
        self._closed.append(order)
        events.append(Closed(order.id, order.pay_account, 0, released, reason))

    # --- Undo -------------------------------------------------------------------------------------------------------

    def _take_back(self, entry: tuple[Any, ...]) -> None:
        kind = entry[0]
        if kind == _NUMBERS:
            _, self.next_order, self.next_trade = entry
        elif kind == _REMEMBERED:
            del self.orders[entry[1].id]
        elif kind == _FILLED:
            _unfill(entry)
        elif kind == _CLOSED:
            _, order, order.updated_at = entry
            order.reason = ""
            self._closed.pop()
        elif kind == _MARKET_STATE:
            _, book, book.state = entry
        else:
            self._take_back_place(kind, entry[1])

    def _take_back_place(self, kind: int, order: Order) -> None:
        half = self.books[order.market_id].half(order.side)
        if kind == _RESTED:
            half.remove(order)
            order.resting = False
        elif kind == _REMOVED:
            half.restore(order)
            order.resting = True
        elif kind == _NAMED:
            del self._named[order.user_id, order.client_order_id or ""]
        else:
            self._named[order.user_id, order.client_order_id or ""] = order.id


def _unfill(entry: tuple[Any, ...]) -> None:
    _, half, maker, taker, lots, quote, maker_fee, taker_fee, maker.updated_at = entry
    half.levels[maker.price].lots += lots  # the level of now: the one that was filled may have been dropped empty
    for order, order_fee in ((maker, maker_fee), (taker, taker_fee)):
        order.filled_lots -= lots
        order.filled_quote -= quote
        order.fee -= order_fee


def _lines(orders: Iterable[Order]) -> bytes:
    return "".join(
        f"{o.id} {o.user_id} {o.price} {o.lots} {o.filled_lots} {o.filled_quote} {o.fee} {o.time_in_force:d} "
        f"{o.base_account} {o.quote_account} {o.client_order_id or ''}\n"
        for o in orders
    ).encode()
