"""What is due when: the customers' switches, and the orders that expire.

Both are heaps that keep entries of what is gone until these surface; a heap is not state, only a quick way to find in the
state what comes first. What must never happen here: a clock. Somebody says what time it is.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, final

from trading.engine.book import DONE, STALE_MAX, Account, Book, Order
from trading.engine.rules import HALTED

if TYPE_CHECKING:
    from trading.engine.state import State


@final
class Countdowns:
    """By customer, when all the orders are taken back unless the customer speaks before."""

    __slots__ = ("_heap", "until")

    def __init__(self) -> None:
        self.until: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []

    def put(self, user_id: int, until: int) -> None:
        """Set, or take back with 0."""
        if until:
            self.until[user_id] = until
            heappush(self._heap, (until, user_id))
        else:
            self.until.pop(user_id, None)

    def first(self, state: State, done: set[int]) -> tuple[int, int] | None:
        """(time, customer) of the first switch that can go off, but for the customers in `done`."""
        heap, late = self._heap, []
        found: tuple[int, int] | None = None
        while heap:
            until, user_id = heap[0]
            if self.until.get(user_id) != until:
                heappop(heap)  # of a switch that was set anew or taken back
            elif user_id in done or only_in_halted_markets(state.books, state.account(user_id)):
                late.append(heappop(heap))
            else:
                found = until, user_id
                break
        for entry in late:
            heappush(heap, entry)
        return found

    def compact(self) -> None:
        """Drop the entries of switches that are gone, once they are many."""
        if len(self._heap) > STALE_MAX and len(self._heap) > 2 * len(self.until):
            self._heap = [(until, user_id) for user_id, until in self.until.items()]
            heapify(self._heap)


def only_in_halted_markets(books: dict[int, Book], account: Account) -> bool:
    """Whether the customer has orders, and every one where nothing can be taken back."""
    return account.count > 0 and all(books[order.market_id].state is HALTED for order in account.orders())


def first_to_expire(state: State, book: Book) -> Order | None:
    """The market's live order that expires first, the older one first at the same time."""
    heap = book.expiries
    while heap:
        order = state.order(heap[0][1])
        if is_entry_of(heap[0], order, book):
            return order
        heappop(heap)
    return None


def compact_expiries(state: State, book: Book) -> None:
    """Drop the entries of orders that are gone, once they may be half of all."""
    if len(book.expiries) > book.expiries_max:
        book.expiries = sorted({entry for entry in book.expiries if is_entry_of(entry, state.order(entry[1]), book)})
        book.expiries_max = max(STALE_MAX, 2 * len(book.expiries))


def is_entry_of(entry: tuple[int, int], order: Order | None, book: Book) -> bool:
    """Whether the entry is this live order's. One that was undone leaves its entry, and another may have its id by now."""
    if order is None or order.phase == DONE or order.market_id != book.market.id:
        return False
    return order.terms.expires_at == entry[0]
