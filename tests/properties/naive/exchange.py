"""A naive exchange to hold the engine against: every order type and rule, lists and sorting, no undo, no cleverness.

It is written from the rules' text and knows nothing of trading.engine: a command is any object with the right name and
attributes. A command is tried on the state itself; where it may not be done, the copy made before it is put back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.properties.naive import amending, timers, triggers
from tests.properties.naive import events as say
from tests.properties.naive.checks import (
    admission,
    cap_around,
    cap_of_market_order,
    terms_of_trade,
    trailing_stop_at,
)
from tests.properties.naive.matching import Limits, arm, close, rest, run
from tests.properties.naive.state import (
    HALTED,
    LIMIT,
    PPM,
    SELL,
    STOP,
    STOP_LIMIT,
    TRAILING_STOP,
    WITH_LIMIT,
    WITH_TRIGGER,
    NaiveMarket,
    NaiveOrder,
    Refuse,
    State,
)

FILLS_MAX = 1_000
TRIGGERS_MAX = 100
CLOSES_MAX = 1_000
DOES = {
    "Place": "_place", "PlaceOco": "_place_oco", "Amend": "_amend", "Cancel": "_cancel", "CancelAll": "_cancel_all",
    "Countdown": "_countdown", "Tick": "_tick", "SetFees": "_set_fees", "OpenMarket": "_open_market",
    "SetMarket": "_set_market", "SetMarketState": "_set_market_state",
}  # fmt: skip


class NaiveExchange:
    """`balances` by ledger account is set from outside; what is held is always worked out from the open orders."""

    def __init__(
        self,
        *,
        shard: int,
        balances: dict[int, int] | None = None,
        fills_max: int = FILLS_MAX,
        triggers_max: int = TRIGGERS_MAX,
        closes_max: int = CLOSES_MAX,
    ) -> None:
        self.state = State(shard, balances=dict(balances or {}))
        self.fills_max = fills_max
        self.triggers_max = triggers_max
        self.closes_max = closes_max

    def add_market(self, market: Any, state: int, last_price: int = 0) -> None:
        self.state.markets[market.id] = NaiveMarket(market, state, last_price)

    def apply(self, command: Any) -> list:
        """Do one command, if its owner can pay for it. The events, or one Refused."""
        before = self.state.copy()
        do: Callable[[Any, list], None] = getattr(self, DOES[type(command).__name__])
        events: list = []
        try:
            do(command, events)
        except Refuse as refusal:
            self.state = before
            return [say.Refused(refusal.code)]
        return events

    # --- orders -----------------------------------------------------------------------------------------------------

    def _place(self, command: Any, events: list) -> None:
        state = self.state
        market = admission(state, command, orders=1)
        order = new_order(state, market, command)
        terms_of_trade(state, market, order)
        free = state.available(order.pay_account)
        enter(state, order, events)
        self._put_to_work(order, free, events)

    def _place_oco(self, command: Any, events: list) -> None:
        state = self.state
        self._market(command.limit.market_id)
        if not alike(command.limit, command.stop):
            raise Refuse("oco_invalid")
        market = admission(state, command.limit, orders=2)
        limit = new_order(state, market, command.limit)
        limit.post_only, limit.leads = True, True
        terms_of_trade(state, market, limit)
        stop = new_order(state, market, command.stop)
        terms_of_trade(state, market, stop)
        free = state.available(limit.pay_account)
        enter(state, limit, events)
        rest(state, limit, events)
        enter(state, stop, events)
        limit.partner, stop.partner = stop.id, limit.id
        arm(state, stop, events)
        must_pay(state, limit, state.hold(limit) + state.hold(stop), free)

    def _amend(self, command: Any, events: list) -> None:
        order = amending.find(self.state, command)
        free = self.state.available(order.pay_account)
        if amending.amend(self.state, order, command, events):
            free += events[0].released
            self._put_to_work(order, free, events)
        else:
            must_pay(self.state, order, 0, free)

    def _put_to_work(self, order: NaiveOrder, free: int, events: list) -> None:
        """Match or arm an order that is in no place yet, have it paid for, and wake whom its fills wake."""
        state, market = self.state, self.state.markets[order.market]
        limits = Limits(self.fills_max, self.triggers_max)
        last, spent_before = market.last, spent(state, order)
        prices: list[int] = []
        if order.kind in WITH_TRIGGER and not order.triggered:
            arm(state, order, events)
        else:
            limit = order.price if order.kind in WITH_LIMIT else cap_of_market_order(state, market, order)
            prices = run(state, order, limit, limits, events)
        must_pay(state, order, spent(state, order) - spent_before + state.hold(order), free)
        if prices:
            waited = set(market.queue)
            triggers.look(state, market, last, prices, events)
            triggers.run_queue(state, market, limits, events)
            triggers.say_who_waits(state, market, waited, events)

    def _cancel(self, command: Any, events: list) -> None:
        order = amending.find(self.state, command)
        if self.state.markets[order.market].state == HALTED:
            raise Refuse("market_closed")
        close(self.state, order, "user", events)

    # --- many orders ------------------------------------------------------------------------------------------------

    def _cancel_all(self, command: Any, events: list) -> None:
        if command.market_id and command.market_id not in self.state.markets:
            raise Refuse("market_not_found")
        timers.cancel_all(
            self.state, command.user_id, command.reason, events, market=command.market_id, side=command.side
        )

    def _countdown(self, command: Any, events: list) -> None:
        if command.until:
            self.state.countdowns[command.user_id] = command.until
        else:
            self.state.countdowns.pop(command.user_id, None)
        events.append(say.CountdownSet(command.user_id, command.until))

    def _tick(self, command: Any, events: list) -> None:
        events.append(say.Ticked())
        timers.expire(self.state, command.at, self.closes_max, events)
        timers.fire_countdowns(self.state, command.at, self.closes_max, events)
        limits = Limits(self.fills_max, self.triggers_max)
        woken: list[tuple[NaiveMarket, set[int]]] = []
        for _, market in sorted(self.state.markets.items()):
            waited = set(market.queue)
            triggers.run_queue(self.state, market, limits, events)
            woken.append((market, waited))
        for market, waited in woken:
            triggers.say_who_waits(self.state, market, waited, events)

    # --- staff ------------------------------------------------------------------------------------------------------

    def _set_fees(self, command: Any, events: list) -> None:
        if not (-PPM < command.maker_fee_ppm < PPM and 0 <= command.taker_fee_ppm < PPM):
            raise Refuse("fees_invalid")
        self.state.fees[command.user_id] = (command.maker_fee_ppm, command.taker_fee_ppm)
        events.append(say.FeesSet(command.user_id, command.maker_fee_ppm, command.taker_fee_ppm))

    def _open_market(self, command: Any, events: list) -> None:
        if command.market.id in self.state.markets:
            raise Refuse("market_exists")
        self.add_market(command.market, command.state)
        events.append(say.MarketOpened(command.market.id, command.state))

    def _set_market(self, command: Any, events: list) -> None:
        market = self._market(command.market.id)
        old, new = market.rules, command.market
        for fixed in ("base_asset_id", "quote_asset_id", "lot_base_units", "tick_quote_units"):
            if getattr(old, fixed) != getattr(new, fixed):
                raise Refuse("market_differs")
        market.rules = new
        events.append(say.MarketSet(new.id))

    def _set_market_state(self, command: Any, events: list) -> None:
        self._market(command.market_id).state = command.state
        events.append(say.MarketStateSet(command.market_id, command.state))

    def _market(self, market_id: int) -> NaiveMarket:
        if market_id not in self.state.markets:
            raise Refuse("market_not_found")
        return self.state.markets[market_id]

    # --- asked from outside -----------------------------------------------------------------------------------------

    @property
    def balances(self) -> dict[int, int]:
        """By ledger account."""
        return self.state.balances

    @property
    def orders(self) -> dict[int, NaiveOrder]:
        """The live ones."""
        return self.state.orders

    def held(self, account: int) -> int:
        return self.state.held(account)

    def due(self) -> int | None:
        return timers.due(self.state)

    def has_waiting(self) -> bool:
        return any(market.queue and market.state == 1 for market in self.state.markets.values())


def new_order(state: State, market: NaiveMarket, command: Any) -> NaiveOrder:
    """The order on paper: it has no id yet and is not in the exchange."""
    terms = command.terms
    order = NaiveOrder(
        id=0, rank=0, market=command.market_id, user=command.user_id, side=command.side, kind=command.kind,
        time_in_force=command.time_in_force, price=command.price, lots=command.lots, quote=command.quote_units,
        base_account=command.base_account, quote_account=command.quote_account, client=command.client_order_id,
        post_only=terms.post_only, self_trade=terms.self_trade, display=terms.display_lots,
        slippage_ppm=terms.slippage_ppm, trail_ticks=terms.trail_ticks, trail_ppm=terms.trail_ppm,
        expires_at=terms.expires_at, stop=terms.stop_price,
    )  # fmt: skip
    if order.kind == TRAILING_STOP and market.last:
        order.extreme = market.last
        order.stop = trailing_stop_at(order)
    if order.kind in WITH_TRIGGER and order.kind not in WITH_LIMIT:
        order.slippage_ppm = order.slippage_ppm or market.rules.slippage_ppm  # what it was placed under stays
        order.cap = cap_around(market, order, order.stop)
    return order


def alike(limit: Any, stop: Any) -> bool:
    """The legs of an OCO differ in kind and prices only."""
    return (
        limit.kind == LIMIT
        and stop.kind in (STOP, STOP_LIMIT)
        and limit.terms.expires_at == stop.terms.expires_at
        and all(
            getattr(limit, name) == getattr(stop, name)
            for name in ("user_id", "market_id", "side", "lots", "time_in_force", "base_account", "quote_account")
        )
    )


def enter(state: State, order: NaiveOrder, events: list) -> None:
    order.rank = state.take_number()
    order.id = order.rank * 1024 + state.shard
    state.orders[order.id] = order
    events.append(say.Accepted(order.id, order.user, order.pay_account))


def spent(state: State, order: NaiveOrder) -> int:
    """What its fills have cost it so far, in base units of what it pays with."""
    return (
        order.filled_lots * state.markets[order.market].rules.lot_base_units
        if order.side == SELL
        else order.filled_quote
    )


def must_pay(state: State, order: NaiveOrder, cost: int, free: int) -> None:
    if order.pay_account in state.frozen:
        raise Refuse("account_frozen")
    if cost > free:
        raise Refuse("insufficient_funds")
