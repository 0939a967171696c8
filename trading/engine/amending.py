"""Changing a live order: a smaller one keeps its place, any other change is a new beginning under the same id.

What must never happen here: a refused amendment that changed something. The new numbers are tried on the order itself, for
that is what the checks look at, and taken back by the undo log where they fail.
"""

from __future__ import annotations

from trading.engine import checks
from trading.engine.book import ARMED, RESTING, WAITING, Book, Order
from trading.engine.commands import Amend
from trading.engine.events import Amended, Event, Refused
from trading.engine.finding import ORDER_NOT_FOUND, live_order
from trading.engine.rules import OPEN, POST_ONLY, TRAILING_STOP
from trading.engine.state import State
from trading.engine.taking import shrink
from trading.engine.triggers import cap_of
from trading.engine.turns import take_turns
from trading.engine.undo import Resized

OCO_NOT_AMENDABLE = "oco_not_amendable"
AMEND_NOT_POSSIBLE = "amend_not_possible"
QUANTITY_BELOW_FILLED = "quantity_below_filled"


def amend(state: State, command: Amend) -> list[Event]:
    """Give an own live order another price, size or trigger."""
    order = live_order(state, command.user_id, command.order_id, command.client_order_id)
    if order is None:
        return [Refused(ORDER_NOT_FOUND)]
    book = state.books[order.market_id]
    price, lots = command.price or order.price, command.lots or order.lots
    stop_price = command.stop_price or order.stop_price
    if code := _refusal(state, book, order, command, price, lots, stop_price):
        return [Refused(code)]
    events: list[Event] = []
    if lots < order.lots and price == order.price and stop_price == order.stop_price:
        shrink(state, book, order, order.lots - lots, events)
    elif code := _begin_anew(state, book, order, price, lots, stop_price, events):
        return [Refused(code)]
    return events


def _refusal(state: State, book: Book, order: Order, command: Amend, price: int, lots: int, stop_price: int) -> str:
    """What speaks against any such change of this order, whatever the market says."""
    if order.partner:
        return OCO_NOT_AMENDABLE
    if book.state is not OPEN and book.state is not POST_ONLY:
        return checks.MARKET_CLOSED
    if order.phase == WAITING or order.quote_units or (command.price and not order.price):
        return AMEND_NOT_POSSIBLE
    if command.stop_price and (order.phase != ARMED or order.kind is TRAILING_STOP):
        return AMEND_NOT_POSSIBLE
    if price == order.price and lots == order.lots and stop_price == order.stop_price:
        return AMEND_NOT_POSSIBLE
    if lots <= order.filled_lots:
        return QUANTITY_BELOW_FILLED
    return ""


def _begin_anew(
    state: State, book: Book, order: Order, price: int, lots: int, stop_price: int, events: list[Event]
) -> str:
    """The order leaves its place and is matched, or armed, under its new numbers; "" or the code of the refusal."""
    mark = state.mark()
    phase, released = order.phase, order.held
    left_price = order.price if phase == RESTING else 0
    state.leave(book, order)
    state.log.append(Resized(book, order))
    order.price, order.lots, order.stop_price = price, lots, stop_price
    if order.cap:
        order.cap = cap_of(order.side, stop_price, order.terms.slippage_ppm)
    if code := checks.of_price(book, order, phase == ARMED):
        state.undo(mark)
        return code
    state.rank_anew(order)
    events.append(Amended(order.id, order.user_id, order.pay_account, left_price, released))
    if phase == ARMED:
        state.arm(book, order, order.hold(book.market), events)
    else:
        take_turns(state, book, order, events)
    return ""
