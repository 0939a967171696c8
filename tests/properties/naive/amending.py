"""Changing an order that lives: smaller keeps its place, anything else gives the place up."""

from __future__ import annotations

from typing import Any

from tests.properties.naive import events as say
from tests.properties.naive.checks import cap_around, terms_of_trade
from tests.properties.naive.matching import reduce
from tests.properties.naive.state import (
    ARMED,
    OPEN,
    POST_ONLY,
    RESTING,
    TAKING,
    TRAILING_STOP,
    WAITING,
    WITH_LIMIT,
    NaiveOrder,
    Refuse,
    State,
)


def find(state: State, command: Any) -> NaiveOrder:
    """The customer's own live order, by its id or, where that is 0, by the customer's name for it."""
    for order in state.orders.values():
        named = (
            order.id == command.order_id
            if command.order_id
            else order.client is not None and order.client == command.client_order_id
        )
        if named and order.user == command.user_id:
            return order
    raise Refuse("order_not_found")


def amend(state: State, order: NaiveOrder, command: Any, events: list) -> bool:
    """True: the order left its place and must be matched or armed anew. False: it only became smaller."""
    market = state.markets[order.market]
    if order.partner:
        raise Refuse("oco_not_amendable")
    if market.state not in (OPEN, POST_ONLY):
        raise Refuse("market_closed")
    if order.phase == WAITING or not may_change(order, command):
        raise Refuse("amend_not_possible")
    price, lots, stop = command.price or order.price, command.lots or order.lots, command.stop_price or order.stop
    if (price, lots, stop) == (order.price, order.lots, order.stop):
        raise Refuse("amend_not_possible")
    if lots <= order.filled_lots:
        raise Refuse("quantity_below_filled")
    if lots < order.lots and (price, stop) == (order.price, order.stop):
        reduce(state, order, order.lots - lots, 0, events)
        return False
    leave(state, order, events)
    order.price, order.lots, order.stop = price, lots, stop
    if order.kind not in WITH_LIMIT:
        order.cap = cap_around(market, order, order.stop)
    terms_of_trade(state, market, order)
    return True


def may_change(order: NaiveOrder, command: Any) -> bool:
    if order.quote:
        return False
    if command.price and order.kind not in WITH_LIMIT:
        return False
    return not (command.stop_price and (order.phase != ARMED or order.kind == TRAILING_STOP))


def leave(state: State, order: NaiveOrder, events: list) -> None:
    released, price = state.hold(order), order.price if order.phase == RESTING else 0
    order.phase = TAKING
    order.rank = state.take_number()
    events.append(say.Amended(order.id, order.user, order.pay_account, price, released))
