"""An order's turn: it takes from the book, what is left of it goes where it belongs, and whom its trades trigger gets a turn.

Those triggered stand in the market's queue and run one by one; each is a taker like any other and may trigger more. What
is more than one command may do stays in the queue until a tick.
What must never happen here: a triggered order that costs more than the hold it gave back, or one that overtakes an earlier.
"""

from __future__ import annotations

from trading.engine.book import Book, Order
from trading.engine.events import Event, Queued, Triggered
from trading.engine.rules import BUY, FOK, GTC, GTD, OPEN
from trading.engine.state import FILLED, NO_LIQUIDITY, NOT_FILLABLE, SLIPPAGE, State
from trading.engine.taking import take
from trading.engine.triggers import cap_of, look


def take_turns(state: State, book: Book, order: Order, events: list[Event]) -> None:
    """The order's own turn, then those of the market's queue if it traded."""
    turn(state, book, order, order.price or worst_at_market(book, order), events, triggered=False)
    if state.first_price and book.waiting:
        run_queue(state, book, events)


def worst_at_market(book: Book, order: Order) -> int:
    """How far an order may go that names no price: its slippage from the best price, never beyond the market's band."""
    level = book.opposite(order.side).best()
    if level is None:
        return 0  # and nothing to go to
    worst = cap_of(order.side, level.price, order.terms.slippage_ppm or book.market.slippage_ppm)
    if book.market.band_ppm and book.last_price:
        edge = cap_of(order.side, book.last_price, book.market.band_ppm)
        worst = min(worst, edge) if order.side is BUY else max(worst, edge)
    return worst


def turn(state: State, book: Book, order: Order, worst: int, events: list[Event], *, triggered: bool) -> None:
    """Match the order, settle what is left of it, and look at whom its trades trigger."""
    state.first_price = 0
    if order.time_in_force is FOK:
        stopped = take_whole_or_nothing(state, book, order, worst, events)
    else:
        stopped = take(state, book, order, worst, events)
    if not stopped and order.price and (order.time_in_force is GTC or order.time_in_force is GTD):
        if triggered:
            state.rank_anew(order)
        state.rest(book, order, events)
    else:
        state.close(book, order, stopped or why_left_over(book, order), events)
    if state.first_price:
        look(state, book, state.first_price, events)
        if book.last_price != state.first_price:
            look(state, book, book.last_price, events)


def take_whole_or_nothing(state: State, book: Book, order: Order, worst: int, events: list[Event]) -> str:
    """Take, and take it all back where the order does not fill in its whole size."""
    mark, told = state.mark(), len(events)
    lots, quote_units = order.lots, order.quote_units
    if take(state, book, order, worst, events) == FILLED and (order.lots, order.quote_units) == (lots, quote_units):
        return FILLED
    state.undo(mark)
    del events[told:]
    state.first_price = 0
    return NOT_FILLABLE


def why_left_over(book: Book, order: Order) -> str:
    """Why an order that never rests did not find more: its cap held it back, or there was nothing more to find."""
    if order.price or book.opposite(order.side).best() is None:
        return NO_LIQUIDITY
    return SLIPPAGE


def run_queue(state: State, book: Book, events: list[Event]) -> None:
    """Turns for those who wait, in order, as many as the command has left; the others are told that they are queued."""
    while book.waiting and book.state is OPEN and state.triggers_left and state.fills_left:
        state.triggers_left -= 1
        order = book.waiting[0]
        released = order.held
        state.leave(book, order)
        events.append(Triggered(order.id, order.pay_account, released))
        if order.partner:
            state.part(book, order, events)
        turn(state, book, order, order.price or order.cap, events, triggered=True)
    first_left = len(book.waiting)
    while first_left and book.waiting[first_left - 1].rank >= state.first_number:
        first_left -= 1
    events += [Queued(order.id, order.pay_account) for order in book.waiting[first_left:]]
