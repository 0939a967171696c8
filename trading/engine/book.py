"""Where orders stand: ladders of prices with a first-in-first-out chain of orders at each.

A market has four ladders: bids and asks, and the armed orders that wait for the price to rise or to fall. An order is taken
out of the middle of its chain in constant time, and put back as cheaply by one who remembers its neighbours: undone in
reverse order, every chain is exactly what it was. Prices whose chain ran empty stay until they surface or until `compact`.
What must never happen here: a decision. The book keeps places; who trades with whom is decided in taking.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Final, final

from trading.engine.commands import PLAIN, Terms
from trading.engine.rules import (
    BUY,
    NEVER,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
    Kind,
    Market,
    MarketState,
    Side,
    TimeInForce,
)

STALE_MAX: Final = 1_000

# An order's phase.
DONE: Final = 0  # or not yet in its place
RESTING: Final = 1  # in the book
ARMED: Final = 2  # waits for its trigger
WAITING: Final = 3  # triggered, waits for its turn


@final
class Rates:
    """A customer's own fees."""

    __slots__ = ("maker_ppm", "taker_ppm")

    def __init__(self, maker_ppm: int, taker_ppm: int) -> None:
        self.maker_ppm = maker_ppm
        self.taker_ppm = taker_ppm


@final
class Account:
    """A customer to the shard: the live orders, in a chain of their own and by the customer's ids for them; a tier, if any."""

    __slots__ = ("count", "last", "named", "rates")

    def __init__(self) -> None:
        self.count = 0
        self.last: Order | None = None
        self.named: dict[str, Order] = {}
        self.rates: Rates | None = None

    def add(self, order: Order) -> None:
        """The order lives."""
        order.older, order.newer = self.last, None
        if self.last is not None:
            self.last.newer = order
        self.last = order
        self.count += 1
        if order.client_order_id is not None:
            self.named[order.client_order_id] = order

    def remove(self, order: Order) -> None:
        """The order lives no more."""
        older, newer = order.older, order.newer
        if older is not None:
            older.newer = newer
        if newer is not None:
            newer.older = older
        else:
            self.last = older
        self.count -= 1
        if order.client_order_id is not None:
            del self.named[order.client_order_id]

    def orders(self) -> list[Order]:
        """The live orders, by id: in the chain they stand as they came to their places, or back to them."""
        found: list[Order] = []
        order = self.last
        while order is not None:
            found.append(order)
            order = order.older
        found.sort(key=_id)
        return found

    def would_have_too_many(self, market_id: int, more: int, most: int) -> bool:
        """Whether `more` orders in the market would make more than `most`. Counted only where it may be close."""
        if self.count + more <= most:
            return False
        return sum([order.market_id == market_id for order in self.orders()]) + more > most


def _id(order: Order) -> int:
    return order.id


@final
class Order:
    """An order and its place. `lots` is 0 for an order by quote amount, `quote_units` is 0 for one by quantity.

    `rank` orders those at one price; `shown` is what stands in the book (an iceberg shows less than is open); `held` is what
    it holds of `pay_account` right now. `cap` is the worst price of an armed order that will fill at market, `extreme` the
    best price a trailing stop has seen, `partner` the id of the other leg of an OCO.
    """

    __slots__ = (
        "account", "base_account", "cap", "client_order_id", "created_at", "extreme", "fee", "filled_lots", "filled_quote",
        "following", "held", "id", "kind", "level", "lots", "market_id", "newer", "older", "partner", "pay_account",
        "phase", "preceding", "price", "quote_account", "quote_units", "rank", "reason", "shown", "side", "stop_price",
        "terms", "time_in_force", "updated_at", "user_id",
    )  # fmt: skip

    def __init__(
        self, *, id: int, market_id: int, user_id: int, side: Side, kind: Kind, time_in_force: TimeInForce, price: int,
        lots: int, quote_units: int, base_account: int, quote_account: int, client_order_id: str | None, created_at: int,
        terms: Terms = PLAIN, rank: int = 0, account: Account | None = None,
    ) -> None:  # fmt: skip
        self.id = id
        self.rank = rank
        self.market_id = market_id
        self.user_id = user_id
        self.side = side
        self.kind = kind
        self.time_in_force = time_in_force
        self.price = price
        self.lots = lots
        self.quote_units = quote_units
        self.base_account = base_account
        self.quote_account = quote_account
        self.pay_account = quote_account if side is BUY else base_account
        self.client_order_id = client_order_id
        self.terms = terms
        self.created_at = created_at
        self.updated_at = created_at
        self.phase = DONE
        self.filled_lots = 0
        self.filled_quote = 0
        self.fee = 0
        self.held = 0
        self.shown = 0
        self.stop_price = terms.stop_price
        self.extreme = 0
        self.cap = 0
        self.partner = 0
        self.reason = ""  # why it is done: "filled", "user", …; empty while it lives
        self.account = account if account is not None else NOBODY
        self.level = NOWHERE
        self.preceding: Order | None = None
        self.following: Order | None = None
        self.older: Order | None = None
        self.newer: Order | None = None

    @property
    def live(self) -> bool:
        return self.phase != DONE

    @property
    def resting(self) -> bool:
        return self.phase == RESTING

    @property
    def open_lots(self) -> int:
        return self.lots - self.filled_lots

    @property
    def rises(self) -> bool:
        """Whether its trigger is a price at or above its stop price; otherwise one at or below."""
        return (self.side is BUY) != (self.kind is TAKE_PROFIT or self.kind is TAKE_PROFIT_LIMIT)

    def hold(self, market: Market) -> int:
        """What its open part can cost at worst, in base units of what it pays with."""
        if self.side is not BUY:
            return (self.lots - self.filled_lots) * market.lot_base_units
        if self.quote_units:
            return self.quote_units - self.filled_quote
        return (self.lots - self.filled_lots) * (self.price or self.cap) * market.tick_quote_units


@final
class Level:
    """All orders at one price of one ladder, in rank. `lots` is what they show; the lower the `key`, the better the price."""

    __slots__ = ("head", "key", "lots", "price", "tail")

    def __init__(self, price: int, key: int) -> None:
        self.price = price
        self.key = key
        self.lots = 0
        self.head: Order | None = None
        self.tail: Order | None = None


# What an order has that stands nowhere yet: so that no one has to ask whether it does.
NOBODY: Final = Account()
NOWHERE: Final = Level(0, 0)


@final
class Ladder:
    """Prices, best first. `sign` is −1 where the highest is the best, so that the smallest heap entry always is.

    A price is in `levels` exactly when it has one entry in the heap. `_top` is the best level that has orders, or None when
    that has to be looked up.
    """

    __slots__ = ("_heap", "_top", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.levels: dict[int, Level] = {}
        self._heap: list[int] = []
        self._top: Level | None = None

    def best(self) -> Level | None:
        """The level with the best price that has orders."""
        if self._top is not None:
            return self._top
        heap = self._heap
        while heap:
            level = self.levels[self.sign * heap[0]]
            if level.head is not None:
                self._top = level
                return level
            del self.levels[level.price]
            heappop(heap)
        return None

    def add(self, order: Order, price: int) -> None:
        """Stand the order at the price behind all of lower rank, which nearly always means last."""
        level = self._level(price)
        before, after = level.tail, None
        while before is not None and before.rank > order.rank:
            before, after = before.preceding, before
        self._link(level, before, order, after)

    def restore(self, order: Order, price: int, before: Order | None, after: Order | None) -> None:
        """Undo `remove`: right only when everything done since has been undone before."""
        self._link(self._level(price), before, order, after)

    def _level(self, price: int) -> Level:
        level = self.levels.get(price)
        if level is None:
            level = self.levels[price] = Level(price, self.sign * price)
            heappush(self._heap, level.key)
        return level

    def _link(self, level: Level, before: Order | None, order: Order, after: Order | None) -> None:
        order.level = level
        order.preceding, order.following = before, after
        if before is None:
            level.head = order
        else:
            before.following = order
        if after is None:
            level.tail = order
        else:
            after.preceding = order
        level.lots += order.shown
        top = self._top
        if top is not None and level.key < top.key:
            self._top = level

    def remove(self, order: Order) -> None:
        """Take the order out of its chain; it keeps its neighbours for who wants to restore it."""
        level = order.level
        before, after = order.preceding, order.following
        if before is None:
            level.head = after
        else:
            before.following = after
        if after is None:
            level.tail = before
        else:
            after.preceding = before
        level.lots -= order.shown
        if level.head is None and level is self._top:
            self._top = None

    def compact(self) -> None:
        """Drop the prices that ran empty, once they are many: somebody may place and cancel at ever new prices."""
        if len(self.levels) <= STALE_MAX:
            return
        empty = [price for price, level in self.levels.items() if level.head is None]
        if len(empty) * 2 > len(self.levels):
            for price in empty:
                del self.levels[price]
            self._heap = [self.sign * price for price in self.levels]
            heapify(self._heap)

    def in_priority(self) -> Iterator[Order]:
        """Every order, best price first, lowest rank first at a price."""
        for price in sorted(self.levels, reverse=self.sign < 0):
            order = self.levels[price].head
            while order is not None:
                yield order
                order = order.following

    def depth(self, limit: int) -> list[tuple[int, int]]:
        """(price, lots shown) of the best `limit` prices, best first."""
        found: list[tuple[int, int]] = []
        for price in sorted(self.levels, reverse=self.sign < 0):
            if len(found) == limit:
                break
            if lots := self.levels[price].lots:
                found.append((price, lots))
        return found

    def lots_at(self, price: int) -> int:
        """What is shown at this price."""
        level = self.levels.get(price)
        return level.lots if level is not None else 0


@final
class Book:
    """One market: its rules and state, its ladders, and those that wait for their turn.

    `last_price` is that of the newest trade, 0 before the first. `lowest_high` and `highest_low` bound the extremes of the
    trailing stops: a price beyond neither moves none of them.
    """

    __slots__ = (
        "asks", "bids", "expiries", "expiries_max", "falling", "highest_low", "last_price", "lowest_high", "market",
        "rising", "state", "trailing", "waiting",
    )  # fmt: skip

    def __init__(self, market: Market, state: MarketState, last_price: int = 0) -> None:
        self.market = market
        self.state = state
        self.last_price = last_price
        self.bids = Ladder(-1)
        self.asks = Ladder(1)
        self.rising = Ladder(1)
        self.falling = Ladder(-1)
        self.trailing: dict[int, Order] = {}
        self.lowest_high = NEVER
        self.highest_low = 0
        self.waiting: list[Order] = []  # by rank
        self.expiries: list[tuple[int, int]] = []  # a heap of (time, order id), some of them of orders that are gone
        self.expiries_max = STALE_MAX

    def half(self, side: Side) -> Ladder:
        """The book's side that orders of this side rest in."""
        return self.bids if side is BUY else self.asks

    def opposite(self, side: Side) -> Ladder:
        """The book's side that orders of this side take from."""
        return self.asks if side is BUY else self.bids

    def armed(self, order: Order) -> Ladder:
        """The ladder in which the order waits for its trigger."""
        return self.rising if order.rises else self.falling
