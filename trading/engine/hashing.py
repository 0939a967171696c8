"""The hash of state: SHA-256 over everything that can change what a later command does, and nothing else.

Two engines with the same hash answer every further command alike. What must never be in it: a thing that depends on how
the state was come by, like the order of a dictionary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from trading.engine.book import Book, Order
from trading.engine.state import State


def state_hash(state: State) -> str:
    """Same state, same hash."""
    digest = hashlib.sha256(f"{state.shard} {state.next_order} {state.next_trade}\n".encode())
    for user_id, account in sorted(state.accounts.items(), key=_first):
        if account.rates is not None:
            digest.update(f"fees {user_id} {account.rates.maker_ppm} {account.rates.taker_ppm}\n".encode())
    for user_id, until in sorted(state.countdowns.until.items()):
        digest.update(f"countdown {user_id} {until}\n".encode())
    for market_id in sorted(state.books):
        book = state.books[market_id]
        digest.update(f"market {book.market!r} {int(book.state)} {book.last_price}\n".encode())
        for name, orders in _places(book):
            digest.update(f"{name}\n{_lines(orders)}".encode())
    return digest.hexdigest()


def _places(book: Book) -> list[tuple[str, Iterable[Order]]]:
    return [
        ("bids", book.bids.in_priority()),
        ("asks", book.asks.in_priority()),
        ("rising", book.rising.in_priority()),
        ("falling", book.falling.in_priority()),
        ("waiting", book.waiting),
    ]


def _lines(orders: Iterable[Order]) -> str:
    return "".join(
        [
            f"{o.id} {o.rank} {o.user_id} {o.side:d} {o.kind:d} {o.time_in_force:d} {o.price} {o.lots} {o.quote_units} "
            f"{o.filled_lots} {o.filled_quote} {o.fee} {o.held} {o.shown} {o.stop_price} {o.extreme} {o.cap} {o.partner} "
            f"{_terms(o)} {o.base_account} {o.quote_account} {o.client_order_id or ''}\n"
            for o in orders
        ]
    )


def _terms(order: Order) -> str:
    t = order.terms
    return f"{t.post_only:d} {t.self_trade:d} {t.display_lots} {t.trail_ticks} {t.trail_ppm} {t.slippage_ppm} {t.expires_at}"


def _first(item: tuple[int, object]) -> int:
    return item[0]
