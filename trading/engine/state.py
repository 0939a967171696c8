"""Everything that can change what a later command does, and the only moves that change it.

Every move notes itself in the undo log (undo.py), so that one command, a whole batch, or the newer of two batches can be
taken back until `settle` makes it final.
What must never happen here: a clock, randomness, an exception half-way through a move; or an event that does not say
exactly what the move did to the order's hold.
"""

from __future__ import annotations

from heapq import heappush
from typing import Final

from trading.engine import timers
from trading.engine.book import ARMED, DONE, RESTING, STALE_MAX, WAITING, Account, Book, Order, Rates
from trading.engine.events import Armed, Closed, Event, Rested
from trading.engine.rules import (
    BUY,
    CLOSES_PER_TICK_MAX,
    FILLS_PER_COMMAND_MAX,
    GTD,
    TRAILING_STOP,
    TRIGGERS_PER_COMMAND_MAX,
    Market,
    MarketState,
)
from trading.engine.undo import Change, Ended, Entered, Left, Made, Parted, Reranked, put_in_rank

SHARDS_MAX: Final = 1_024

# Why an order is done.
FILLED: Final = "filled"
BY_USER: Final = "user"
DISCONNECT: Final = "disconnect"
EXPIRED: Final = "expired"
OTHER_LEG: Final = "oco"
SELF_TRADE: Final = "self_trade"
SLIPPAGE: Final = "slippage"
NO_LIQUIDITY: Final = "no_liquidity"
TOO_SMALL: Final = "too_small"
TOO_MANY_FILLS: Final = "too_many_fills"
NOT_FILLABLE: Final = "not_fillable"


class State:
    """One shard's books, orders, tiers and switches. Order and trade ids are counter·1024 + shard, so shards never share one.

    `at`, `fills_left`, `triggers_left`, `first_price` (of a turn's trades) and `first_number` (that the command may take) belong
    to the command that is being done, and mean nothing after it.
    """

    def __init__(
        self,
        *,
        shard: int,
        next_order: int = 1,
        next_trade: int = 1,
        fills_max: int = FILLS_PER_COMMAND_MAX,
        triggers_max: int = TRIGGERS_PER_COMMAND_MAX,
        closes_max: int = CLOSES_PER_TICK_MAX,
    ) -> None:
        if not 0 <= shard < SHARDS_MAX:
            raise ValueError(f"a shard is between 0 and {SHARDS_MAX - 1}")
        self.shard = shard
        self.next_order = next_order
        self.next_trade = next_trade
        self.fills_max = fills_max
        self.triggers_max = triggers_max
        self.closes_max = closes_max
        self.books: dict[int, Book] = {}
        # Live ones, and those done since the last settle, by number: ids all end in the same ten bits, which hash badly.
        self.orders: dict[int, Order] = {}
        self.accounts: dict[int, Account] = {}  # by user; many of them with nothing in it
        self.accounts_max = STALE_MAX
        self.countdowns = timers.Countdowns()
        self.log: list[Change] = []
        self.settled = 0  # how many changes were made final since the start
        self.at = 0
        self.fills_left = 0
        self.triggers_left = 0
        self.first_price = 0
        self.first_number = 0

    # --- What the process around the core calls ---------------------------------------------------------------------

    def add_market(self, market: Market, state: MarketState, last_price: int = 0) -> None:
        """A market to trade in; before any command names it."""
        if market.id in self.books:
            raise ValueError(f"market {market.id} is here already")
        self.books[market.id] = Book(market, state, last_price)

    def load(self, order: Order) -> None:
        """Put a live order back in its place at start-up; orders come by rank, oldest first.

        The place is that of `order.phase`; of a plain resting order, what is not set follows from the rest.
        """
        book = self.books[order.market_id]
        phase = order.phase or RESTING
        order.rank = order.rank or order.id // SHARDS_MAX
        order.account = self.account(order.user_id)
        self.orders[order.id // SHARDS_MAX] = order
        if phase == RESTING:
            order.held = order.held or order.hold(book.market)
            order.shown = order.shown or order.lots - order.filled_lots
            book.half(order.side).add(order, order.price)
        elif phase == ARMED:
            book.armed(order).add(order, order.stop_price)
        else:
            put_in_rank(book.waiting, order)
        self.register(book, order, phase)

    def load_fees(self, user_id: int, maker_fee_ppm: int, taker_fee_ppm: int) -> None:
        """Put a customer's tier back at start-up."""
        self.account(user_id).rates = Rates(maker_fee_ppm, taker_fee_ppm)

    def load_countdown(self, user_id: int, until: int) -> None:
        """Put a customer's switch back at start-up."""
        self.countdowns.put(user_id, until)

    def order(self, order_id: int) -> Order | None:
        """The order of this id, live or done since the last settle."""
        order = self.orders.get(order_id // SHARDS_MAX)
        return order if order is not None and order.id == order_id else None

    def mark(self) -> int:
        """A point to go back to with `undo`, or up to which to `settle`."""
        return self.settled + len(self.log)

    def undo(self, mark: int | None = None) -> None:
        """Take back everything since the mark, or all that is not settled, newest first."""
        keep = 0 if mark is None else mark - self.settled
        if keep < 0:
            raise ValueError("what is settled cannot be taken back")
        log = self.log
        while len(log) > keep:
            log.pop().take_back(self)

    def settle(self, mark: int | None = None) -> None:
        """Make everything before the mark, or everything, final: it was committed."""
        log = self.log
        final_changes = len(log) if mark is None else mark - self.settled
        for place in range(final_changes):
            change = log[place]
            if isinstance(change, Ended):
                del self.orders[change.order.id // SHARDS_MAX]
        del log[:final_changes]
        self.settled += final_changes
        for book in self.books.values():
            for ladder in (book.bids, book.asks, book.rising, book.falling):
                ladder.compact()
            timers.compact_expiries(self, book)
        self.countdowns.compact()
        if not log and len(self.accounts) > self.accounts_max:
            self._forget_idle_accounts()

    def _forget_idle_accounts(self) -> None:
        """Only with an empty log: an undone change may give an account its orders back."""
        self.accounts = {id: a for id, a in self.accounts.items() if a.count or a.rates is not None}
        self.accounts_max = max(STALE_MAX, 2 * len(self.accounts))

    # --- Moves ------------------------------------------------------------------------------------------------------

    def begin(self, at: int) -> None:
        """A command begins."""
        self.at = at
        self.fills_left = self.fills_max
        self.triggers_left = self.triggers_max
        self.first_price = 0
        self.first_number = self.next_order

    def account(self, user_id: int) -> Account:
        """The customer's account, new and empty where there is none."""
        account = self.accounts.get(user_id)
        if account is None:
            account = self.accounts[user_id] = Account()
        return account

    def remember(self, book: Book, order: Order) -> None:
        """A new order exists: it takes the number that its id was made from."""
        self.orders[self.next_order] = order
        self.next_order += 1
        self.log.append(Made(book, order))

    def rank_anew(self, order: Order) -> None:
        """The order takes a number for a new place."""
        self.log.append(Reranked(order))
        order.rank = self.next_order
        self.next_order += 1

    def rest(self, book: Book, order: Order, events: list[Event]) -> None:
        """The order goes to the book with what it has open."""
        lots = order.lots - order.filled_lots
        display = order.terms.display_lots
        order.held = order.hold(book.market)
        order.shown = min(display, lots) if display else lots
        book.half(order.side).add(order, order.price)
        self.register(book, order, RESTING)
        if (
            order.rank * SHARDS_MAX + self.shard != order.id
        ):  # its first place, under its own number, goes with the order
            self.log.append(Entered(book, order))
        events.append(Rested(order.id, order.pay_account, lots, order.held))

    def arm(self, book: Book, order: Order, held: int, events: list[Event]) -> None:
        """The order begins to wait for its trigger."""
        order.held = held
        book.armed(order).add(order, order.stop_price)
        self.register(book, order, ARMED)
        if order.rank * SHARDS_MAX + self.shard != order.id:
            self.log.append(Entered(book, order))
        events.append(Armed(order.id, order.pay_account, order.lots - order.filled_lots, held))

    def leave(self, book: Book, order: Order) -> None:
        """The order leaves its place and holds nothing any more."""
        self.log.append(Left(book, order))
        self.displace(book, order)
        order.held = order.shown = 0
        order.updated_at = self.at

    def close(self, book: Book, order: Order, reason: str, events: list[Event]) -> None:
        """The order is done, wherever it stands, and so is its partner."""
        released = order.held
        price = order.price if order.phase == RESTING else 0
        self.log.append(Ended(book, order))
        if order.phase != DONE:
            self.displace(book, order)
            order.held = order.shown = 0
        order.reason = reason
        order.updated_at = self.at
        events.append(Closed(order.id, order.pay_account, price, released, reason))
        if order.partner:
            partner = self.order(order.partner)
            if partner is not None and partner.phase != DONE and partner.partner == order.id:
                self.close(book, partner, OTHER_LEG, events)

    def part(self, book: Book, order: Order, events: list[Event]) -> None:
        """The order goes on alone: the other leg of the OCO is done."""
        partner = self.orders[order.partner // SHARDS_MAX]
        self.log.append(Parted(order))
        order.partner = 0
        self.close(book, partner, OTHER_LEG, events)

    # --- What moves are made of, also backwards -----------------------------------------------------------------------

    def register(self, book: Book, order: Order, phase: int) -> None:
        """Note in every index that the order stands somewhere."""
        order.phase = phase
        order.account.add(order)
        if order.time_in_force is GTD:
            heappush(book.expiries, (order.terms.expires_at, order.id))
        if phase == ARMED and order.kind is TRAILING_STOP:
            self.trail(book, order)

    def displace(self, book: Book, order: Order) -> None:
        """Take the order out of its place and every index."""
        if order.phase == RESTING:
            half = book.bids if order.side is BUY else book.asks
            half.remove(order)
        elif order.phase == ARMED:
            book.armed(order).remove(order)
            if order.kind is TRAILING_STOP:
                del book.trailing[order.id]
        elif order.phase == WAITING:
            book.waiting.remove(order)
        order.phase = DONE
        order.account.remove(order)

    def trail(self, book: Book, order: Order) -> None:
        """Watch the market for a trailing stop."""
        book.trailing[order.id] = order
        if order.side is BUY:
            book.highest_low = max(book.highest_low, order.extreme)
        else:
            book.lowest_high = min(book.lowest_high, order.extreme)
