"""Orders taken back: one, all of a customer's, those that expired, those of a customer who fell silent.

In a halted market nothing is taken back: a single cancel is refused, all the others pass by, and what is due there is due
again when the market is no longer halted.
"""

from __future__ import annotations

from trading.engine import timers
from trading.engine.book import Book
from trading.engine.checks import MARKET_CLOSED, MARKET_NOT_FOUND
from trading.engine.commands import Cancel, CancelAll, Countdown, Tick
from trading.engine.events import CountdownSet, Event, Refused, Ticked
from trading.engine.finding import ORDER_NOT_FOUND, live_order
from trading.engine.rules import HALTED
from trading.engine.state import BY_USER, DISCONNECT, EXPIRED, State
from trading.engine.turns import run_queue
from trading.engine.undo import CountdownChanged


def cancel(state: State, command: Cancel) -> list[Event]:
    """Take back one order."""
    order = live_order(state, command.user_id, command.order_id, command.client_order_id)
    if order is None:
        return [Refused(ORDER_NOT_FOUND)]
    book = state.books[order.market_id]
    if book.state is HALTED:
        return [Refused(MARKET_CLOSED)]
    events: list[Event] = []
    state.close(book, order, BY_USER, events)
    return events


def cancel_all(state: State, command: CancelAll) -> list[Event]:
    """Take back a customer's orders, the oldest first; there may be none."""
    if command.market_id and command.market_id not in state.books:
        return [Refused(MARKET_NOT_FOUND)]
    events: list[Event] = []
    close_all(state, command.user_id, command.market_id, command.side, command.reason, events)
    return events


def close_all(state: State, user_id: int, market_id: int, side: int, reason: str, events: list[Event]) -> None:
    """Close the customer's orders of one market or all (0), of one side or both (0), the oldest first."""
    for order in state.account(user_id).orders():
        book = state.books[order.market_id]
        asked = (market_id == 0 or order.market_id == market_id) and (side == 0 or order.side == side)
        if asked and book.state is not HALTED and order.live:  # its partner may have taken it along
            state.close(book, order, reason, events)


def set_countdown(state: State, command: Countdown) -> list[Event]:
    """Set, or take back, the customer's switch."""
    change_countdown(state, command.user_id, command.until)
    return [CountdownSet(command.user_id, command.until)]


def change_countdown(state: State, user_id: int, until: int) -> None:
    """Note what the switch was, and change it."""
    state.log.append(CountdownChanged(user_id, state.countdowns.until.get(user_id, 0)))
    state.countdowns.put(user_id, until)


def tick(state: State, command: Tick) -> list[Event]:
    """What was due by now: expiries, then switches, then turns for those who wait for one."""
    events: list[Event] = [Ticked()]
    books = [state.books[market_id] for market_id in sorted(state.books)]
    closes = 0
    for book in books:
        if book.state is not HALTED:
            closes = expire(state, book, command.at, closes, events)
    go_off(state, command.at, closes, events)
    for book in books:
        run_queue(state, book, events)
    return events


def expire(state: State, book: Book, at: int, closes: int, events: list[Event]) -> int:
    """Close what expired in this market; how many the tick has closed by now."""
    while closes < state.closes_max:
        order = timers.first_to_expire(state, book)
        if order is None or order.terms.expires_at > at:
            break
        before = len(events)
        state.close(book, order, EXPIRED, events)
        closes += len(events) - before
    return closes


def go_off(state: State, at: int, closes: int, events: list[Event]) -> None:
    """The switches whose time has come. One whose customer still has orders in halted markets stays set for these."""
    done: set[int] = set()
    while closes < state.closes_max:
        first = state.countdowns.first(state, done)
        if first is None or first[0] > at:
            break
        user_id, before = first[1], len(events)
        close_all(state, user_id, 0, 0, DISCONNECT, events)
        closes += len(events) - before
        done.add(user_id)
        if not state.account(user_id).count:
            change_countdown(state, user_id, 0)
            events.append(CountdownSet(user_id, 0))
