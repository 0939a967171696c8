"""Cancelling many at once, and what the clock does: expiry and countdowns. A halted market is left alone."""

from __future__ import annotations

from tests.properties.naive import events as say
from tests.properties.naive.matching import close
from tests.properties.naive.state import HALTED, NaiveOrder, State


def cancel_all(state: State, user: int, reason: str, events: list, *, market: int = 0, side: int = 0) -> None:
    for id in sorted(state.orders):
        order = state.orders.get(id)  # gone with its partner, perhaps
        if order is None or order.user != user or halted(state, order):
            continue
        if (not market or order.market == market) and (not side or order.side == side):
            close(state, order, reason, events)


def expire(state: State, now: int, closes_max: int, events: list) -> None:
    due = [order for order in state.orders.values() if order.expires_at and order.expires_at <= now]
    for order in sorted(due, key=lambda order: (order.market, order.expires_at, order.id)):
        if order.id in state.orders and not halted(state, order) and closed(events) < closes_max:
            close(state, order, "expired", events)


def fire_countdowns(state: State, now: int, closes_max: int, events: list) -> None:
    for until, user in sorted((until, user) for user, until in state.countdowns.items()):
        if until <= now and can_fire(state, user) and closed(events) < closes_max:
            cancel_all(state, user, "disconnect", events)
            if not any(order.user == user for order in state.orders.values()):
                del state.countdowns[user]
                events.append(say.CountdownSet(user, 0))


def closed(events: list) -> int:
    return sum(1 for event in events if isinstance(event, say.Closed))


def can_fire(state: State, user: int) -> bool:
    """A countdown waits while all its customer's orders stand in halted markets."""
    theirs = [order for order in state.orders.values() if order.user == user]
    return not theirs or any(not halted(state, order) for order in theirs)


def due(state: State) -> int | None:
    """When the next timer goes off, in microseconds since 1970; timers that could do nothing now do not count."""
    times = [order.expires_at for order in state.orders.values() if order.expires_at and not halted(state, order)]
    for user, until in state.countdowns.items():
        if can_fire(state, user):
            times.append(until)
    return min(times, default=None)


def halted(state: State, order: NaiveOrder) -> bool:
    return state.markets[order.market].state == HALTED
