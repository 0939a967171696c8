"""Orders that wait for a price: stops, take-profits, trailing stops.

A taker's trades have a path, from its first price to its last, always in one direction. Both ends are looked at: who is
triggered there joins the market's queue (see turns.py), and trailing stops follow the price.
What must never happen here: a trailing stop that moves away from the market, or two orders that join the queue in another
order than the price met them.
"""

from __future__ import annotations

from trading.engine import undo
from trading.engine.book import WAITING, Book, Ladder, Order
from trading.engine.commands import Terms
from trading.engine.events import Event, Ratcheted
from trading.engine.rules import BUY, NEVER, PPM, TRAILING_STOP, Side
from trading.engine.state import State


def cap_of(side: Side, price: int, ppm: int) -> int:
    """The worst price of an order that starts from `price` and may go so many millionths further."""
    if side is BUY:
        return price * (PPM + ppm) // PPM
    return max(1, -(-(price * (PPM - ppm)) // PPM))


def trailing_stop(side: Side, extreme: int, terms: Terms) -> int:
    """Where a trailing stop stands when the best price since its beginning is `extreme`."""
    offset = terms.trail_ticks or max(1, extreme * terms.trail_ppm // PPM)
    return extreme + offset if side is BUY else max(1, extreme - offset)


def is_met(order: Order, price: int) -> bool:
    """Whether this price triggers the order."""
    return price >= order.stop_price if order.rises else price <= order.stop_price


def set_up(book: Book, order: Order) -> None:
    """What an order that waits for a price keeps from its beginning: where it trails from, and its worst price.

    One that fills at market and states no slippage keeps the market's of now, so that its hold never has to grow.
    """
    if order.kind is TRAILING_STOP:
        order.extreme = book.last_price
        order.stop_price = trailing_stop(order.side, order.extreme, order.terms) if order.extreme else 0
    if not order.price:
        if not order.terms.slippage_ppm:
            order.terms = order.terms.but(slippage_ppm=book.market.slippage_ppm)
        order.cap = cap_of(order.side, order.stop_price, order.terms.slippage_ppm)


def look(state: State, book: Book, price: int, events: list[Event]) -> None:
    """Queue whom this price triggers; then let trailing stops follow.

    Nobody armed has a trigger that the price before would have met, so a movement meets those of one direction only. A
    market's very first price may meet both.
    """
    queue(state, book, book.falling, price)
    queue(state, book, book.rising, price)
    if price > book.lowest_high or price < book.highest_low:
        ratchet_all(state, book, price, events)


def queue(state: State, book: Book, ladder: Ladder, price: int) -> None:
    """Everyone on this ladder whose trigger is met waits for a turn, by stop price, then by rank."""
    while True:
        level = ladder.best()
        if level is None or level.key > price * ladder.sign:
            return
        order = level.head
        assert order is not None, "best() gives levels with orders only"
        state.log.append(undo.Queued(book, order))
        ladder.remove(order)
        book.trailing.pop(order.id, None)
        order.rank = state.next_order
        state.next_order += 1
        order.phase = WAITING
        order.updated_at = state.at
        book.waiting.append(order)


def ratchet_all(state: State, book: Book, price: int, events: list[Event]) -> None:
    """Every trailing stop for which this price is a new best follows it, by rank."""
    moving = [o for o in book.trailing.values() if (price < o.extreme if o.side is BUY else price > o.extreme)]
    moving.sort(key=_rank)
    for order in moving:
        ratchet(state, book, order, price, events)
    book.lowest_high = min([o.extreme for o in book.trailing.values() if o.side is not BUY], default=NEVER)
    book.highest_low = max([o.extreme for o in book.trailing.values() if o.side is BUY], default=0)


def ratchet(state: State, book: Book, order: Order, price: int, events: list[Event]) -> None:
    """One trailing stop follows the price and gives back what it need not hold any more."""
    state.log.append(undo.Ratcheted(book, order))
    ladder = book.armed(order)
    ladder.remove(order)
    order.extreme = price
    order.stop_price = trailing_stop(order.side, price, order.terms)
    order.cap = cap_of(order.side, order.stop_price, order.terms.slippage_ppm)
    order.updated_at = state.at
    ladder.add(order, order.stop_price)
    released = order.held - held_when_armed(state, book, order)
    order.held -= released
    events.append(Ratcheted(order.id, order.pay_account, order.stop_price, released))


def held_when_armed(state: State, book: Book, order: Order) -> int:
    """What an armed order must hold: its worst cost, less what the live limit leg of its OCO holds already."""
    partner = state.order(order.partner) if order.partner else None
    beside = partner.held if partner is not None else 0
    return max(0, order.hold(book.market) - beside)


def _rank(order: Order) -> int:
    return order.rank
