"""The resting orders of one market: a heap of prices on each side, a first-in-first-out chain of orders at each price.

An order is taken out of the middle of its chain in constant time and keeps its two neighbours, so that putting it back is
as cheap: undone in reverse order, every chain is exactly what it was. Prices whose chain ran empty stay in the heap until
they surface or until `compact` sweeps them.
What must never happen here: a decision. The book keeps places; who trades with whom is decided in matching.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from trading.engine.rules import BUY, Kind, Market, MarketState, Side, TimeInForce

STALE_PRICES_MAX = 1_000


class Order:
    """An order and its place. `lots` is 0 for an order by quote amount, `quote_units` is 0 for one by quantity."""

    __slots__ = (
        "base_account",
        "client_order_id",
        "created_at",
        "fee",
        "filled_lots",
        "filled_quote",
        "following",
        "id",
        "kind",
        "lots",
        "market_id",
        "preceding",
        "price",
        "quote_account",
        "quote_units",
        "reason",
        "resting",
        "side",
        "time_in_force",
        "updated_at",
        "user_id",
    )

    def __init__(
        self,
        *,
        id: int,
        market_id: int,
        user_id: int,
        side: Side,
        kind: Kind,
        time_in_force: TimeInForce,
        price: int,
        lots: int,
        quote_units: int,
        base_account: int,
        quote_account: int,
        client_order_id: str | None,
        created_at: int,
    ) -> None:
        self.id = id
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
        self.client_order_id = client_order_id
        self.created_at = created_at
        self.updated_at = created_at
        self.filled_lots = 0
        self.filled_quote = 0
        self.fee = 0
        self.resting = False
        self.reason = ""  # why it is done: "filled", "user", …; empty while it lives
        self.preceding: Order | None = None
        self.following: Order | None = None

    @property
    def open_lots(self) -> int:
        return self.lots - self.filled_lots

    @property
    def pay_account(self) -> int:
        return self.quote_account if self.side == BUY else self.base_account

    def hold(self, market: Market) -> int:
        """What its open part can cost at worst, in base units of what it pays with."""
        if self.side == BUY:
            return self.open_lots * self.price * market.tick_quote_units
        return self.open_lots * market.lot_base_units


class Level:
    """All orders at one price of one side, oldest first. `lots` is their open total."""

    __slots__ = ("head", "lots", "price", "tail")

    def __init__(self, price: int) -> None:
        self.price = price
        self.lots = 0
        self.head: Order | None = None
        self.tail: Order | None = None


class Half:
    """One side of a book. `sign` is −1 for bids, so that the smallest heap entry is always the best price.

    A price is in `levels` exactly when it has one entry in the heap.
    """

    __slots__ = ("_heap", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.levels: dict[int, Level] = {}
        self._heap: list[int] = []

    def best(self) -> Level | None:
        """The level with the best price that has orders."""
        heap, sign, levels = self._heap, self.sign, self.levels
        while heap:
            level = levels[sign * heap[0]]
            if level.head is not None:
                return level
            del levels[level.price]
            heappop(heap)
        return None

    def append(self, order: Order) -> None:
        """Queue the order last at its price."""
        level = self.levels.get(order.price)
        if level is None:
            level = self.levels[order.price] = Level(order.price)
            heappush(self._heap, self.sign * order.price)
        order.preceding, order.following = level.tail, None
        if level.tail is None:
            level.head = order
        else:
            level.tail.following = order
        level.tail = order
        level.lots += order.lots - order.filled_lots

    def remove(self, order: Order) -> None:
        """Take the order out of its chain; it keeps its neighbours for `restore`."""
        level = self.levels[order.price]
        before, after = order.preceding, order.following
        if before is None:
            level.head = after
        else:
            before.following = after
        if after is None:
            level.tail = before
        else:
            after.preceding = before
        level.lots -= order.lots - order.filled_lots

    def restore(self, order: Order) -> None:
        """Undo `remove`: right only when everything done since has been undone before."""
        level = self.levels.get(order.price)
        if level is None:
            level = self.levels[order.price] = Level(order.price)
            heappush(self._heap, self.sign * order.price)
        if order.preceding is None:
            level.head = order
        else:
            order.preceding.following = order
        if order.following is None:
            level.tail = order
        else:
            order.following.preceding = order
        level.lots += order.lots - order.filled_lots

    def compact(self) -> None:
        """Drop the prices that ran empty, once they are many: somebody may place and cancel at ever new prices."""
        if len(self.levels) <= STALE_PRICES_MAX:
            return
        empty = [price for price, level in self.levels.items() if level.head is None]
        if len(empty) * 2 > len(self.levels):
            for price in empty:
                del self.levels[price]
            self._heap = [self.sign * price for price in self.levels]
            heapify(self._heap)

    def in_priority(self) -> Iterator[Order]:
        """Every order, best price first, oldest first at a price."""
        for price in sorted(self.levels, reverse=self.sign < 0):
            order = self.levels[price].head
            while order is not None:
                yield order
                order = order.following

    def depth(self, limit: int) -> list[tuple[int, int]]:
        """(price, lots) of the best `limit` prices, best first."""
        found: list[tuple[int, int]] = []
        for price in sorted(self.levels, reverse=self.sign < 0):
            if len(found) == limit:
                break
            if lots := self.levels[price].lots:
                found.append((price, lots))
        return found

    def lots_at(self, price: int) -> int:
        level = self.levels.get(price)
        return level.lots if level is not None else 0


class Book:
    """One market's two halves and its state."""

    __slots__ = ("asks", "bids", "market", "state")

    def __init__(self, market: Market, state: MarketState) -> None:
        self.market = market
        self.state = state
        self.bids = Half(-1)
        self.asks = Half(1)

    def half(self, side: Side) -> Half:
        return self.bids if side == BUY else self.asks
