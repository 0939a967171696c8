"""Changes that know how to take themselves back: the undo log is a list of them.

A change is noted when it is made and taken back newest first, so each may rely on finding everything exactly as it left it.
What must never happen here: a way to change the state that leaves no note. The hash of state, taken before and after an undo
in the tests, is what holds this room to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from trading.engine.book import ARMED, DONE, RESTING, WAITING, Account, Book, Order
from trading.engine.events import Traded
from trading.engine.rules import BUY, Market, MarketState

if TYPE_CHECKING:
    from trading.engine.state import State


class Change:
    """Something that was done to the state."""

    __slots__ = ()

    def take_back(self, state: State) -> None:
        """Make the state what it was before."""
        raise NotImplementedError


@final
class Made(Change):
    """An order was made, took a number, and stands where it first went, if it went anywhere."""

    __slots__ = ("book", "order")

    def __init__(self, book: Book, order: Order) -> None:
        self.book = book
        self.order = order

    def take_back(self, state: State) -> None:
        if self.order.phase != DONE:
            state.displace(self.book, self.order)
        state.next_order -= 1
        del state.orders[state.next_order]


@final
class Entered(Change):
    """An order went to its place anew."""

    __slots__ = ("book", "order")

    def __init__(self, book: Book, order: Order) -> None:
        self.book = book
        self.order = order

    def take_back(self, state: State) -> None:
        state.displace(self.book, self.order)
        self.order.held = self.order.shown = 0


class Left(Change):
    """An order left its place, with its hold."""

    __slots__ = ("after", "before", "book", "held", "order", "phase", "shown", "updated_at")

    def __init__(self, book: Book, order: Order) -> None:
        self.book = book
        self.order = order
        self.phase = order.phase
        self.held = order.held
        self.shown = order.shown
        self.before = order.preceding
        self.after = order.following
        self.updated_at = order.updated_at

    def take_back(self, state: State) -> None:
        order, book = self.order, self.book
        order.updated_at = self.updated_at
        order.held, order.shown = self.held, self.shown
        if self.phase == RESTING:
            book.half(order.side).restore(order, order.price, self.before, self.after)
        elif self.phase == ARMED:
            book.armed(order).restore(order, order.stop_price, self.before, self.after)
        elif self.phase == WAITING:
            put_in_rank(book.waiting, order)
        else:
            return
        state.register(book, order, self.phase)


@final
class Ended(Left):
    """An order was done, and left its place if it had one."""

    __slots__ = ()

    def take_back(self, state: State) -> None:
        self.order.reason = ""
        super().take_back(state)


@final
class Queued(Change):
    """An armed order was triggered and took a number to wait for its turn."""

    __slots__ = ("after", "before", "book", "order", "rank", "updated_at")

    def __init__(self, book: Book, order: Order) -> None:
        self.book = book
        self.order = order
        self.rank = order.rank
        self.before = order.preceding
        self.after = order.following
        self.updated_at = order.updated_at

    def take_back(self, state: State) -> None:
        order = self.order
        order.updated_at = self.updated_at
        self.book.waiting.remove(order)
        order.rank, order.phase = self.rank, ARMED
        self.book.armed(order).restore(order, order.stop_price, self.before, self.after)
        if order.extreme:
            state.trail(self.book, order)
        state.next_order -= 1


@final
class Refilled(Change):
    """An iceberg showed its next slice and took a number for its new place at the same price."""

    __slots__ = ("after", "before", "book", "order", "rank")

    def __init__(self, book: Book, order: Order) -> None:
        self.book = book
        self.order = order
        self.rank = order.rank
        self.before = order.preceding
        self.after = order.following

    def take_back(self, state: State) -> None:
        order, half = self.order, self.book.half(self.order.side)
        half.remove(order)
        order.rank, order.shown = self.rank, 0
        half.restore(order, order.price, self.before, self.after)
        state.next_order -= 1


@final
class Ratcheted(Change):
    """A trailing stop moved after the market."""

    __slots__ = ("after", "before", "book", "cap", "extreme", "held", "order", "stop_price", "updated_at")

    def __init__(self, book: Book, order: Order) -> None:
        self.book = book
        self.order = order
        self.extreme = order.extreme
        self.stop_price = order.stop_price
        self.cap = order.cap
        self.held = order.held
        self.before = order.preceding
        self.after = order.following
        self.updated_at = order.updated_at

    def take_back(self, state: State) -> None:
        order, ladder = self.order, self.book.armed(self.order)
        ladder.remove(order)
        order.extreme, order.stop_price, order.cap, order.held = self.extreme, self.stop_price, self.cap, self.held
        ladder.restore(order, order.stop_price, self.before, self.after)
        order.updated_at = self.updated_at
        state.trail(self.book, order)


@final
class Filled(Change):
    """Two orders traded."""

    __slots__ = ("book", "last_price", "maker", "maker_updated_at", "taker", "trade")

    def __init__(self, book: Book, maker: Order, taker: Order, trade: Traded) -> None:
        self.book = book
        self.maker = maker
        self.taker = taker
        self.trade = trade
        self.maker_updated_at = maker.updated_at
        self.last_price = book.last_price

    def take_back(self, state: State) -> None:
        maker, taker, trade = self.maker, self.taker, self.trade
        lots, quote = trade.lots, trade.quote_units
        maker.filled_lots -= lots
        taker.filled_lots -= lots
        maker.filled_quote -= quote
        taker.filled_quote -= quote
        if taker.side is BUY:
            maker.fee -= trade.seller_fee
            taker.fee -= trade.buyer_fee
            maker.held += trade.base_units
        else:
            maker.fee -= trade.buyer_fee
            taker.fee -= trade.seller_fee
            maker.held += quote
        maker.shown += lots
        maker.level.lots += lots
        maker.updated_at = self.maker_updated_at
        self.book.last_price = self.last_price
        state.next_trade -= 1


@final
class Resized(Change):
    """An order's size, hold or terms were changed where it stands, or while it stands nowhere."""

    __slots__ = ("book", "cap", "held", "lots", "order", "price", "quote_units", "shown", "stop_price", "updated_at")

    def __init__(self, book: Book, order: Order) -> None:
        self.book = book
        self.order = order
        self.price = order.price
        self.lots = order.lots
        self.quote_units = order.quote_units
        self.held = order.held
        self.shown = order.shown
        self.stop_price = order.stop_price
        self.cap = order.cap
        self.updated_at = order.updated_at

    def take_back(self, state: State) -> None:
        order = self.order
        if order.phase == RESTING:
            order.level.lots += self.shown - order.shown
        order.price, order.lots, order.quote_units = self.price, self.lots, self.quote_units
        order.held, order.shown = self.held, self.shown
        order.stop_price, order.cap = self.stop_price, self.cap
        order.updated_at = self.updated_at


@final
class Reranked(Change):
    """An order took a number for a new place."""

    __slots__ = ("order", "rank")

    def __init__(self, order: Order) -> None:
        self.order = order
        self.rank = order.rank

    def take_back(self, state: State) -> None:
        self.order.rank = self.rank
        state.next_order -= 1


@final
class Parted(Change):
    """An order went on without the other leg of its OCO."""

    __slots__ = ("order", "partner")

    def __init__(self, order: Order) -> None:
        self.order = order
        self.partner = order.partner

    def take_back(self, state: State) -> None:
        self.order.partner = self.partner


@final
class MarketChanged(Change):
    """A market got other rules, another state, or came to be (`book` is None: there was none)."""

    __slots__ = ("book", "market", "market_id", "state")

    def __init__(self, market_id: int, book: Book | None) -> None:
        self.market_id = market_id
        self.book = book
        self.market: Market | None = book.market if book is not None else None
        self.state: MarketState | None = book.state if book is not None else None

    def take_back(self, state: State) -> None:
        if self.book is None or self.market is None or self.state is None:
            del state.books[self.market_id]
        else:
            self.book.market, self.book.state = self.market, self.state


@final
class FeesChanged(Change):
    """A customer got another tier."""

    __slots__ = ("account", "rates")

    def __init__(self, account: Account) -> None:
        self.account = account
        self.rates = account.rates

    def take_back(self, state: State) -> None:
        self.account.rates = self.rates


@final
class CountdownChanged(Change):
    """A customer's switch was set anew, taken back, or went off."""

    __slots__ = ("until", "user_id")

    def __init__(self, user_id: int, until: int) -> None:
        self.user_id = user_id
        self.until = until

    def take_back(self, state: State) -> None:
        state.countdowns.put(self.user_id, self.until)


def put_in_rank(waiting: list[Order], order: Order) -> None:
    """Put the order among those that wait for their turn, which stand by rank."""
    place = len(waiting)
    while place and waiting[place - 1].rank > order.rank:
        place -= 1
    waiting.insert(place, order)
