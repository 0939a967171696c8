"""After an order's fills: who wakes up, whose trailing stop moves, and the queue of those that run."""

from __future__ import annotations

from tests.properties.naive import events as say
from tests.properties.naive.checks import cap_around, trailing_stop_at, triggers_at, waits_for_a_rise
from tests.properties.naive.matching import Limits, finish_partner, run, unpair
from tests.properties.naive.state import (
    ARMED,
    OPEN,
    SELL,
    TAKING,
    TRAILING_STOP,
    WAITING,
    NaiveMarket,
    NaiveOrder,
    State,
)


def look(state: State, market: NaiveMarket, last: int, prices: list[int], events: list) -> None:
    """`prices` are one taker's fills, `last` was the last price before them. Only the ends of that way matter."""
    if not prices:
        return
    for price in dict.fromkeys((prices[0], prices[-1])):
        woken = [order for order in armed(state, market) if triggers_at(order, price)]
        for order in in_turn(woken, upward_first=last != 0 and price > last):
            order.phase, order.rank = WAITING, state.take_number()
            market.queue.append(order.id)
        for order in armed(state, market):
            ratchet(state, market, order, price, events)
        last = price


def armed(state: State, market: NaiveMarket) -> list[NaiveOrder]:
    found = [order for order in state.orders.values() if order.market == market.rules.id and order.phase == ARMED]
    return sorted(found, key=lambda order: order.rank)


def in_turn(woken: list[NaiveOrder], *, upward_first: bool) -> list[NaiveOrder]:
    """Of the downward ones the highest stop first, of the upward ones the lowest; at one stop the oldest first."""
    upward = sorted((o for o in woken if waits_for_a_rise(o)), key=lambda o: (o.stop, o.rank))
    downward = sorted((o for o in woken if not waits_for_a_rise(o)), key=lambda o: (-o.stop, o.rank))
    return upward + downward if upward_first else downward + upward


def ratchet(state: State, market: NaiveMarket, order: NaiveOrder, price: int, events: list) -> None:
    """A trailing stop follows the price that moved away from it."""
    if order.kind != TRAILING_STOP:
        return
    if price <= order.extreme if order.side == SELL else price >= order.extreme:
        return
    before = state.hold(order)
    order.extreme = price
    order.stop = trailing_stop_at(order)
    order.cap = cap_around(market, order, order.stop)
    events.append(say.Ratcheted(order.id, order.pay_account, order.stop, before - state.hold(order)))


def run_queue(state: State, market: NaiveMarket, limits: Limits, events: list) -> None:
    """One after the other, each with all that it wakes, until nothing waits or the command has done enough."""
    while market.queue and market.state == OPEN and limits.triggers and limits.fills:
        limits.triggers -= 1
        order = state.orders[market.queue.pop(0)]
        last = market.last
        events.append(say.Triggered(order.id, order.pay_account, state.hold(order)))
        partner, partners_hold = unpair(state, order)
        order.phase, order.triggered, order.comes_late = TAKING, True, True
        finish_partner(state, partner, partners_hold, events)
        prices = run(state, order, order.worst_price, limits, events)
        look(state, market, last, prices, events)


def say_who_waits(state: State, market: NaiveMarket, before: set[int], events: list) -> None:
    """What this command woke and could not run any more waits on, behind those that were waiting before."""
    events.extend(say.Queued(id, state.orders[id].pay_account) for id in market.queue if id not in before)
