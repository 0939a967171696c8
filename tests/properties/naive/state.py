"""Everything that the naive exchange remembers, and what its orders hold. Nothing here is kept twice: what an account has held
is worked out from its orders each time it is asked for."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from typing import Any

BUY, SELL = 1, 2
LIMIT, MARKET, STOP, STOP_LIMIT, TAKE_PROFIT, TAKE_PROFIT_LIMIT, TRAILING_STOP = range(1, 8)
GTC, IOC, FOK, GTD = range(1, 5)
OPEN, CANCEL_ONLY, HALTED, POST_ONLY = range(1, 5)
CANCEL_NEWEST, CANCEL_OLDEST, CANCEL_BOTH, DECREMENT = range(1, 5)
PPM = 10**6

WITH_LIMIT = {LIMIT, STOP_LIMIT, TAKE_PROFIT_LIMIT}
WITH_TRIGGER = {STOP, STOP_LIMIT, TAKE_PROFIT, TAKE_PROFIT_LIMIT, TRAILING_STOP}

TAKING, RESTING, ARMED, WAITING = "taking", "resting", "armed", "waiting"


class Refuse(Exception):
    """The command may not be done; whatever was begun is forgotten."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class NaiveOrder:
    """A live order. `cap` is the worst price a triggered market order may take, `slice` what an iceberg shows."""

    id: int
    rank: int
    market: int
    user: int
    side: int
    kind: int
    time_in_force: int
    price: int
    lots: int
    quote: int
    base_account: int
    quote_account: int
    client: str | None
    post_only: bool
    self_trade: int
    display: int
    slippage_ppm: int
    trail_ticks: int
    trail_ppm: int
    expires_at: int
    stop: int = 0
    extreme: int = 0
    cap: int = 0
    slice: int = 0
    partner: int = 0
    leads: bool = False  # the limit leg of an OCO, which carries its own hold in full
    triggered: bool = False
    comes_late: bool = False  # it was triggered: if it rests, then behind all that rested meanwhile
    phase: str = TAKING
    filled_lots: int = 0
    filled_quote: int = 0
    fee: int = 0

    @property
    def open_lots(self) -> int:
        return self.lots - self.filled_lots if self.lots else 0

    @property
    def shown(self) -> int:
        return self.slice if self.display else self.open_lots

    @property
    def pay_account(self) -> int:
        return self.quote_account if self.side == BUY else self.base_account

    @property
    def worst_price(self) -> int:
        """The worst price it may ever be filled at."""
        return self.price if self.kind in WITH_LIMIT else self.cap


@dataclass
class NaiveMarket:
    rules: Any
    state: int
    last: int = 0  # the price of the newest trade
    queue: list[int] = field(default_factory=list)  # triggered orders that wait for their turn


@dataclass
class State:
    shard: int
    markets: dict[int, NaiveMarket] = field(default_factory=dict)
    orders: dict[int, NaiveOrder] = field(default_factory=dict)  # live ones only
    done: dict[int, str] = field(default_factory=dict)
    trades: list[Any] = field(default_factory=list)
    fees: dict[int, tuple[int, int]] = field(default_factory=dict)  # a customer's maker's and taker's rate
    countdowns: dict[int, int] = field(default_factory=dict)
    balances: dict[int, int] = field(default_factory=dict)
    frozen: set[int] = field(default_factory=set)
    house: dict[tuple[int, str], int] = field(default_factory=dict)
    next_order: int = 1
    next_trade: int = 1

    def copy(self) -> State:
        """Another exchange in the same state, to try something in, or to come back to."""
        other = copy(self)
        other.orders = {id: copy(order) for id, order in self.orders.items()}
        other.markets = {
            id: NaiveMarket(market.rules, market.state, market.last, list(market.queue))
            for id, market in self.markets.items()
        }
        other.trades = list(self.trades)
        for name in ("done", "fees", "countdowns", "balances", "house"):
            setattr(other, name, dict(getattr(self, name)))
        other.frozen = set(self.frozen)
        return other

    def take_number(self) -> int:
        """The next number of the counter that order ids and ranks share."""
        self.next_order += 1
        return self.next_order - 1

    def live(self, user: int, market: int) -> list[NaiveOrder]:
        return [order for order in self.orders.values() if order.user == user and order.market == market]

    def worst_cost(self, order: NaiveOrder) -> int:
        """What the open part of the order costs at its worst price, in base units of what it pays with."""
        rules = self.markets[order.market].rules
        if order.quote:
            return order.quote - order.filled_quote
        if order.side == SELL:
            return order.open_lots * rules.lot_base_units
        return order.open_lots * order.worst_price * rules.tick_quote_units

    def hold(self, order: NaiveOrder) -> int:
        """What a live order keeps from being spent otherwise. Of two OCO legs only the dearer one's cost is kept."""
        if order.phase == TAKING:
            return 0
        if order.partner and not order.leads:
            return max(0, self.worst_cost(order) - self.worst_cost(self.orders[order.partner]))
        return self.worst_cost(order)

    def held(self, account: int) -> int:
        return sum(self.hold(order) for order in self.orders.values() if order.pay_account == account)

    def available(self, account: int) -> int:
        return self.balances.get(account, 0) - self.held(account)
