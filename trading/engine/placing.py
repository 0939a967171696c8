"""New orders: one, or the two legs of an OCO.

What must never happen here: a refused order that leaves a trace, were it only a number; or one leg of an OCO without the other.
"""

from __future__ import annotations

from trading.engine import checks
from trading.engine.book import Book, Order
from trading.engine.commands import Place, PlaceOco
from trading.engine.events import Accepted, Event, Refused
from trading.engine.rules import LIMIT, MARKET, STOP, STOP_LIMIT
from trading.engine.state import SHARDS_MAX, State
from trading.engine.triggers import held_when_armed, set_up
from trading.engine.turns import take_turns

OCO_INVALID = "oco_invalid"


def place(state: State, command: Place) -> list[Event]:
    """A new order is matched, or armed where it waits for a price."""
    book = state.books.get(command.market_id)
    if book is None:
        return [Refused(checks.MARKET_NOT_FOUND)]
    order = new_order(state, book, command, number=state.next_order)
    if code := checks.of_new(book, order, 1):
        return [Refused(code)]
    state.remember(book, order)
    events: list[Event] = [Accepted(order.id, order.user_id, order.pay_account)]
    if order.kind is LIMIT or order.kind is MARKET:
        take_turns(state, book, order, events)
    else:
        state.arm(book, order, order.hold(book.market), events)
    return events


def new_order(state: State, book: Book, command: Place, *, number: int) -> Order:
    """The order as it will be, if it may be; nothing knows of it yet."""
    order = Order(
        id=number * SHARDS_MAX + state.shard,
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
        terms=command.terms,
        rank=number,
        account=state.account(command.user_id),
    )
    if order.kind is not LIMIT and order.kind is not MARKET:
        set_up(book, order)
    return order


def place_oco(state: State, command: PlaceOco) -> list[Event]:
    """Both legs take their places, or neither. The limit leg never takes; together they hold what the dearer one costs."""
    book = state.books.get(command.limit.market_id)
    if book is None:
        return [Refused(checks.MARKET_NOT_FOUND)]
    if not are_legs(command.limit, command.stop):
        return [Refused(OCO_INVALID)]
    limit = new_order(state, book, command.limit, number=state.next_order)
    stop = new_order(state, book, command.stop, number=state.next_order + 1)
    limit.created_at = limit.updated_at = stop.created_at = stop.updated_at = command.at
    if not limit.terms.post_only:
        limit.terms = limit.terms.but(post_only=True)
    if code := checks.of_new(book, limit, 2) or checks.of_new(book, stop, 2):
        return [Refused(code)]
    limit.partner, stop.partner = stop.id, limit.id
    state.remember(book, limit)
    events: list[Event] = [Accepted(limit.id, limit.user_id, limit.pay_account)]
    state.rest(book, limit, events)
    state.remember(book, stop)
    events.append(Accepted(stop.id, stop.user_id, stop.pay_account))
    state.arm(book, stop, held_when_armed(state, book, stop), events)
    return events


def are_legs(limit: Place, stop: Place) -> bool:
    """Whether the two are alike in all in which the legs of an OCO must be."""
    return (
        limit.kind is LIMIT
        and (stop.kind is STOP or stop.kind is STOP_LIMIT)
        and (limit.user_id, limit.market_id, limit.side, limit.time_in_force, limit.base_account, limit.quote_account)
        == (stop.user_id, stop.market_id, stop.side, stop.time_in_force, stop.base_account, stop.quote_account)
        and limit.lots == stop.lots > 0
        and limit.terms.expires_at == stop.terms.expires_at
        and stop.client_order_id is None
    )
