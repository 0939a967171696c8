"""What must hold after every command, said once: the tests and the simulator ask after each, the engine itself never.

An answer is a list of sentences, empty where all is well. It looks at every order, so it costs what the book is long.
"""

from __future__ import annotations

from collections.abc import Iterator

from trading.engine.book import ARMED, DONE, RESTING, WAITING, Book, Ladder, Order
from trading.engine.rules import BUY, GTD, LIMIT, MARKET, TRAILING_STOP
from trading.engine.state import SHARDS_MAX, State
from trading.engine.triggers import held_when_armed, is_met


def violations(state: State) -> list[str]:
    """Everything that is wrong with this state."""
    return list(_all(state))


def _all(state: State) -> Iterator[str]:
    standing: dict[int, Order] = {}
    for book in state.books.values():
        for order in _standing(book):
            if order.id in standing:
                yield f"order {order.id} stands in two places"
            standing[order.id] = order
        yield from _not_crossed(book)
        yield from _ladders(book)
        yield from _triggers(book)
    yield from _indexes(state, standing)
    for order in standing.values():
        yield from _order(state, order)


def _standing(book: Book) -> Iterator[Order]:
    for ladder in (book.bids, book.asks, book.rising, book.falling):
        yield from ladder.in_priority()
    yield from book.waiting


def _not_crossed(book: Book) -> Iterator[str]:
    bid, ask = book.bids.best(), book.asks.best()
    if bid is not None and ask is not None and bid.price >= ask.price:
        yield f"market {book.market.id} is crossed: {bid.price} is bid, {ask.price} is asked"


def _ladders(book: Book) -> Iterator[str]:
    for phase, ladders in ((RESTING, (book.bids, book.asks)), (ARMED, (book.rising, book.falling))):
        for ladder in ladders:
            yield from _ladder(book, ladder, phase)


def _ladder(book: Book, ladder: Ladder, phase: int) -> Iterator[str]:
    """Price-time priority, whole chains, and a level's lots the sum of what its orders show."""
    best = ladder.best()
    prices = [price for price, level in ladder.levels.items() if level.head is not None]
    if (best.price if best is not None else None) != (min(prices, key=lambda p: p * ladder.sign) if prices else None):
        yield f"market {book.market.id} takes another price for the best"
    for price in prices:
        level, shown, before = ladder.levels[price], 0, None
        order = level.head
        while order is not None:
            shown += order.shown
            if order.phase != phase or order.level is not level or order.preceding is not before:
                yield f"order {order.id} is not where it thinks it is"
            if (order.price if phase == RESTING else order.stop_price) != price:
                yield f"order {order.id} stands at another price than its own"
            if before is not None and before.rank >= order.rank:
                yield f"order {order.id} stands behind one of higher rank"
            before, order = order, order.following
        if level.tail is not before or level.lots != shown:
            yield f"price {price} of market {book.market.id} has another tail, or other lots, than its orders"


def _triggers(book: Book) -> Iterator[str]:
    for ladder in (book.rising, book.falling):
        for order in ladder.in_priority():
            if order.rises != (ladder is book.rising):
                yield f"order {order.id} waits for the price to go the other way"
            if book.last_price and is_met(order, book.last_price):
                yield f"order {order.id} waits for a price that was there"
            if (order.kind is TRAILING_STOP) != (order.id in book.trailing):
                yield f"order {order.id} is watched as a trailing stop, or not, in error"
    for order in book.trailing.values():
        if order.phase != ARMED or not (
            order.extreme <= book.highest_low if order.side is BUY else order.extreme >= book.lowest_high
        ):
            yield f"trailing stop {order.id} would miss a new best price"
    if [order.rank for order in book.waiting] != sorted(order.rank for order in book.waiting):
        yield f"market {book.market.id} has its queue out of order"
    if any(order.phase != WAITING for order in book.waiting):
        yield f"market {book.market.id} has somebody in its queue who does not wait"


def _indexes(state: State, standing: dict[int, Order]) -> Iterator[str]:
    """No order both open and done, and every index knows the same open ones."""
    live = {order.id for order in state.orders.values() if order.phase != DONE}
    if live != standing.keys():
        yield f"live, or standing, but not both: {sorted(live ^ standing.keys())}"
    for number, order in state.orders.items():
        if number != order.id // SHARDS_MAX or (order.phase != DONE) != (order.reason == ""):
            yield f"order {order.id} is both open and done, or has another's number"
    of_accounts = [order.id for account in state.accounts.values() for order in account.orders()]
    if sorted(of_accounts) != sorted(live) or len(live) != sum(account.count for account in state.accounts.values()):
        yield f"live, or an account's, but not both: {sorted(live.symmetric_difference(of_accounts))}"
    named = {order.id for account in state.accounts.values() for order in account.named.values()}
    if named != {order.id for order in standing.values() if order.client_order_id is not None}:
        yield "the customers' names for their orders are not those of the live ones"


def _order(state: State, order: Order) -> Iterator[str]:
    book = state.books[order.market_id]
    open_lots = order.lots - order.filled_lots
    if (order.quote_units <= order.filled_quote) if order.quote_units else open_lots < 1:
        yield f"order {order.id} is open with nothing open"
    hold = held_when_armed(state, book, order) if order.kind is not LIMIT else order.hold(book.market)
    if order.held != hold:
        yield f"order {order.id} holds {order.held}, and can cost {hold}"
    if order.phase == RESTING and not 0 < order.shown <= open_lots:
        yield f"order {order.id} shows {order.shown} of {open_lots}"
    if order.kind is MARKET or state.accounts.get(order.user_id) is not order.account:
        yield f"order {order.id} should never have come to rest, or belongs to a forgotten account"
    if order.time_in_force is GTD and (order.terms.expires_at, order.id) not in book.expiries:
        yield f"order {order.id} would not expire"
    if order.partner:
        partner = state.order(order.partner)
        if partner is None or partner.phase == DONE or partner.partner != order.id:
            yield f"order {order.id} has a partner that is gone"
