"""Other people's matching engines on our sequence of commands: one engine a process, run by benchmarks/matching.py.

Runs under the environment that holds them (requirements-bench.txt), so it imports nothing of this project. Each adapter makes
its engine's own objects beforehand, calls the engine as its documentation says, and turns what it answers into fills.
What must never happen here: work of ours inside the timed loop that the engine does not ask for.

    python benchmarks/peers.py NAME SEQUENCE.json
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

ADD, CANCEL, SWEEP = 0, 1, 2
SECONDS_MAX = 5.0  # an engine that takes longer is measured on what it did until then
BATCH = 100
Fill = tuple[int, int, int, int]  # taker, maker, price, lots


class LightMatchingEngine:
    """lightmatchingengine: dicts of lists; a price of 0 is a market order."""

    package = "lightmatchingengine"

    def __init__(self) -> None:
        module = importlib.import_module("lightmatchingengine.lightmatchingengine")
        self._engine = module.LightMatchingEngine()
        self._sides = {True: module.Side.BUY, False: module.Side.SELL}

    def prepared(self, command: list[Any]) -> tuple[Any, tuple[Any, ...]]:
        kind, number, buying, price, lots = command
        if kind == CANCEL:
            return self._engine.cancel_order, (number + 1, "X")
        return self._engine.add_order, ("X", price if kind == ADD else 0, lots, self._sides[buying])

    def fills(self, answer: Any) -> list[Fill]:
        if not isinstance(answer, tuple):
            return []
        order, trades = answer
        passive = [trade for trade in trades if trade.order_id != order.order_id]
        return [
            (order.order_id - 1, trade.order_id - 1, int(trade.trade_price), int(trade.trade_qty)) for trade in passive
        ]


class PyOrderBook:
    """pyorderbook: a heap of levels, prices in Decimal; no market orders, so a sweep is a limit order at the far end."""

    package = "pyorderbook"

    def __init__(self) -> None:
        self._module = importlib.import_module("pyorderbook")
        self._book = self._module.Book()
        self._orders: dict[int, Any] = {}
        self._numbers: dict[Any, int] = {}

    def prepared(self, command: list[Any]) -> tuple[Any, tuple[Any, ...]]:
        kind, number, buying, price, lots = command
        if kind == CANCEL:
            return self._book.cancel, (self._orders[number],)
        make = self._module.bid if buying else self._module.ask
        order = make("X", price if kind == ADD else (10**9 if buying else 1), lots)
        self._orders[number], self._numbers[order.id] = order, number
        return self._book.match, (order,)

    def fills(self, answer: Any) -> list[Fill]:
        if answer is None:
            return []
        known = self._numbers
        return [
            (known[t.incoming_order_id], known[t.standing_order_id], int(t.fill_price), int(t.fill_quantity))
            for t in answer.trades
        ]


class OrderMatching:
    """order-matching: orders are placed, then matched at a time; sorted lists."""

    package = "order-matching"

    def __init__(self) -> None:
        names = ("matching_engine", "order", "orders", "enums")
        self._m, self._order, self._orders, self._enums = (
            importlib.import_module(f"order_matching.{name}") for name in names
        )
        importlib.import_module("loguru").logger.remove()
        self._engine = self._m.MatchingEngine(seed=1)
        self._start = datetime(2026, 1, 1)

    def _made(self, command: list[Any]) -> Any:
        kind, number, buying, price, lots = command
        given: dict[str, Any] = {
            "side": self._enums.Side.BUY if buying else self._enums.Side.SELL,
            "size": float(lots),
            "timestamp": self._start + timedelta(microseconds=number),
            "order_id": str(number),
            "trader_id": "t",
        }
        if kind == ADD:
            return self._order.LimitOrder(price=float(price), **given)
        return self._order.MarketOrder(**given)

    def load(self, commands: list[list[Any]]) -> None:
        """Placed one by one, ten thousand orders take minutes; put in their places they are the same book."""
        book, everything = self._engine.unprocessed_orders, [self._made(command) for command in commands]
        by_price: dict[tuple[bool, float], list[Any]] = {}
        for command, order in zip(commands, everything, strict=True):
            by_price.setdefault((command[2], order.price), []).append(order)
        for (buying, price), orders in by_price.items():
            (book.bids if buying else book.offers)[price] = self._orders.Orders(orders)
        book.orders_by_expiration[datetime.max] = self._orders.Orders(everything)

    def prepared(self, command: list[Any]) -> tuple[Any, tuple[Any, ...]]:
        if command[0] == CANCEL:
            return self._engine.cancel_order, (str(command[1]),)
        order = self._made(command)
        return self._placed, (self._orders.Orders([order]), order.timestamp)

    def _placed(self, orders: Any, at: datetime) -> Any:
        self._engine.place(orders)
        return self._engine.match(at)

    def fills(self, answer: Any) -> list[Fill]:
        if answer is None:
            return []
        return [(int(t.incoming_order_id), int(t.book_order_id), int(t.price), int(t.size)) for t in answer.trades]


class LimitOrderBook:
    """limit-order-book: C++ behind ctypes. It matches, and tells nobody what it filled: only the book left can be compared."""

    package = "limit-order-book"

    def __init__(self) -> None:
        self._book = importlib.import_module("limit_order_book").LimitOrderBook()

    def prepared(self, command: list[Any]) -> tuple[Any, tuple[Any, ...]]:
        kind, number, buying, price, lots = command
        if kind == CANCEL:
            return self._book.cancel, (number + 1,)
        if kind == SWEEP:
            return (self._book.market_buy if buying else self._book.market_sell), (number + 1, lots)
        return (self._book.limit_buy if buying else self._book.limit_sell), (number + 1, lots, price)

    def left(self, numbers: int) -> list[Any]:
        """Which orders still rest, and how much on each side."""
        resting = [number for number in range(numbers) if self._book.has(number + 1)]
        return [resting, self._book.volume_buy(), self._book.volume_sell()]


class OrderBook:
    """order-book: levels in C, sorted by price. It keeps amounts by price and knows no orders: what a sweep takes, we tell it."""

    package = "order-book"

    def __init__(self) -> None:
        self._book = importlib.import_module("order_book").OrderBook()
        self._placed: dict[int, list[Any]] = {}

    def prepared(self, command: list[Any]) -> tuple[Any, tuple[Any, ...]]:
        kind, number, buying, price, lots = command
        if kind == CANCEL:
            _, _, buying, price, lots = self._placed[number]
            return self._less, (self._book.bids if buying else self._book.asks, price, lots)
        if kind == SWEEP:
            return self._take, (self._book.asks if buying else self._book.bids, lots)
        self._placed[number] = command
        return self._more, (self._book.bids if buying else self._book.asks, price, lots)

    @staticmethod
    def _more(half: Any, price: int, lots: int) -> None:
        try:
            half[price] = half[price] + lots
        except KeyError:
            half[price] = lots

    @staticmethod
    def _less(half: Any, price: int, lots: int) -> None:
        try:
            left = half[price] - lots
        except KeyError:  # swept before: it does not know whose lots those were
            return
        if left > 0:
            half[price] = left
        else:
            del half[price]

    @staticmethod
    def _take(half: Any, lots: int) -> None:
        while lots:
            price, there = half.index(0)
            if there > lots:
                half[price] = there - lots
                return
            del half[price]
            lots -= there


ADAPTERS = {
    adapter.package: adapter for adapter in (LightMatchingEngine, PyOrderBook, OrderMatching, LimitOrderBook, OrderBook)
}


def measure(adapter: Any, resting: list[list[Any]], commands: list[list[Any]]) -> tuple[int, float, list[list[int]]]:
    """Commands done, seconds, and the fills."""
    if hasattr(adapter, "load"):
        adapter.load(resting)
    else:
        for call, given in [adapter.prepared(command) for command in resting]:
            call(*given)
    calls = [adapter.prepared(command) for command in commands]
    done, seconds, fills = 0, 0.0, []
    gc.collect()
    gc.freeze()
    gc.disable()
    while done < len(calls) and seconds < SECONDS_MAX:
        batch = calls[done : done + BATCH]
        started = time.process_time()
        answers = [call(*given) for call, given in batch]
        seconds += time.process_time() - started
        done += len(batch)
        if hasattr(adapter, "fills"):
            fills += [list(fill) for answer in answers for fill in adapter.fills(answer)]
    return done, seconds, fills


def main() -> None:
    name, path = sys.argv[1:]
    given = json.loads(Path(path).read_text())
    adapter = ADAPTERS[name]()
    done, seconds, fills = measure(adapter, given["resting"], given["commands"])
    found: dict[str, Any] = {"commands": done, "seconds": seconds, "agrees": None, "by": "levels only"}
    found["tells_fills"] = hasattr(adapter, "fills")
    if hasattr(adapter, "fills"):
        expected = [fill for place, fill in given["fills"] if place < done]
        found |= {"agrees": fills == expected, "by": f"{len(fills)} fills"}
    elif hasattr(adapter, "left") and done == len(given["commands"]):
        found |= {"agrees": adapter.left(given["numbers"]) == given["left"], "by": "the book left; tells no fills"}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
