"""A naive exchange to hold the engine against: lists, sorting, no undo, no cleverness, no code of trading.engine's.

It judges funds before it changes anything, by first working out on paper what an order would do.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class NaiveOrder:
    id: int
    user: int
    side: str
    price: int | None
    lots: int | None
    quote: int | None
    arrived: int
    filled: int = 0
    spent_quote: int = 0


@dataclass
class NaiveExchange:
    lot: int
    tick: int
    maker_ppm: int
    taker_ppm: int
    shard: int
    balances: dict[tuple[int, str], int]
    resting: list[NaiveOrder] = field(default_factory=list)
    fees: dict[str, int] = field(default_factory=lambda: {"base": 0, "quote": 0})
    trades: list[tuple[int, int, int, int]] = field(default_factory=list)  # id, maker's order, taker's order, lots
    orders_made: int = 0
    trades_made: int = 0

    def held(self, user: int, asset: str) -> int:
        side = "sell" if asset == "base" else "buy"
        return sum(self.worst_cost(o) for o in self.resting if o.user == user and o.side == side)

    def worst_cost(self, order: NaiveOrder) -> int:
        left = order.lots - order.filled
        return left * self.lot if order.side == "sell" else left * order.price * self.tick

    def place(self, *, user: int, side: str, price: int | None, lots: int | None, quote: int | None, ioc: bool) -> list:
        """[("refused", code)] or [("trade", …)…, ("rest", …) | ("done", reason)]."""
        order = NaiveOrder(
            (self.orders_made + 1) * 1024 + self.shard, user, side, price, lots, quote, self.orders_made + 1
        )
        fills, reason = self.plan(order)
        taken_lots = sum(lots for _, lots in fills)
        paid_quote = sum(maker.price * lots * self.tick for maker, lots in fills)
        rests = reason == "" and price is not None and not ioc
        left = lots - taken_lots if lots else 0
        cost = taken_lots * self.lot if side == "sell" else paid_quote
        if rests:
            cost += left * self.lot if side == "sell" else left * price * self.tick
        asset = "base" if side == "sell" else "quote"
        if self.balances.get((user, asset), 0) - self.held(user, asset) < cost:
            return [("refused", "insufficient_funds")]
        self.orders_made += 1
        events = [self.trade(order, maker, lots) for maker, lots in fills]
        if rests:
            self.resting.append(order)
            return [*events, ("rest", order.id, left)]
        return [*events, ("done", order.id, reason or "no_liquidity")]

    def plan(self, order: NaiveOrder) -> tuple[list[tuple[NaiveOrder, int]], str]:
        """Who would fill the order, and why it would stop."""
        others = [o for o in self.resting if o.side != order.side]
        others.sort(key=lambda o: (o.price if order.side == "buy" else -o.price, o.arrived))
        fills: list[tuple[NaiveOrder, int]] = []
        left, budget = order.lots, order.quote
        for maker in others:
            if order.price is not None and (
                maker.price > order.price if order.side == "buy" else maker.price < order.price
            ):
                break
            if maker.user == order.user:
                return fills, "self_trade"
            wanted = left if order.lots else budget // (maker.price * self.tick)
            if wanted == 0:
                return fills, "filled" if fills else "too_small"
            lots = min(wanted, maker.lots - maker.filled)
            fills.append((maker, lots))
            if order.lots:
                left -= lots
                if left == 0:
                    return fills, "filled"
            else:
                budget -= lots * maker.price * self.tick
                if budget == 0 or lots < maker.lots - maker.filled:
                    return fills, "filled"
        return fills, ""

    def trade(self, taker: NaiveOrder, maker: NaiveOrder, lots: int) -> tuple:
        self.trades_made += 1
        base, quote = lots * self.lot, lots * maker.price * self.tick
        buyer, seller = (taker, maker) if taker.side == "buy" else (maker, taker)
        buyer_ppm, seller_ppm = (self.taker_ppm, self.maker_ppm) if buyer is taker else (self.maker_ppm, self.taker_ppm)
        buyer_fee, seller_fee = -(-base * buyer_ppm // 10**6), -(-quote * seller_ppm // 10**6)
        for user, asset, change in (
            (buyer.user, "base", base - buyer_fee),
            (buyer.user, "quote", -quote),
            (seller.user, "base", -base),
            (seller.user, "quote", quote - seller_fee),
        ):
            self.balances[user, asset] = self.balances.get((user, asset), 0) + change
        self.trades.append((self.trades_made * 1024 + self.shard, maker.id, taker.id, lots))
        self.fees["base"] += buyer_fee
        self.fees["quote"] += seller_fee
        for order in (taker, maker):
            order.filled += lots
            order.spent_quote += quote
        if maker.filled == maker.lots:
            self.resting.remove(maker)
        return (
            "trade",
            self.trades_made * 1024 + self.shard,
            maker.id,
            taker.id,
            maker.price,
            lots,
            buyer_fee,
            seller_fee,
        )

    def cancel(self, *, user: int, order_id: int) -> list:
        for order in self.resting:
            if order.id == order_id and order.user == user:
                self.resting.remove(order)
                return [("done", order.id, "user")]
        return [("refused", "order_not_found")]
