"""What a customer did: orders, trades, deposits, withdrawals, a page at a time (cursors, never page numbers)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from trading import selectors as trading
from trading.presentation import OrderView
from wallets import selectors as wallets

PAGE = 25
LIVE = frozenset({"open", "pending"})


@dataclass(frozen=True, slots=True)
class Page:
    """`older` is the cursor of the next page, None on the last one."""

    rows: tuple[Any, ...]
    older: str | None


@dataclass(frozen=True, slots=True)
class OrdersPage:
    """`open` is whole (the trading room limits it); `past` is one page of all that is done."""

    open: tuple[OrderView, ...]
    past: Page


def orders(*, user_id: int, before: int | None) -> OrdersPage:
    """Open orders, and one page of those that are done. Two queries."""
    found = trading.orders(user_id, before=before, limit=PAGE + 1)
    page = _page(found)
    done = tuple(order for order in page.rows if order.state not in LIVE)
    return OrdersPage(open=tuple(trading.open_orders(user_id)), past=Page(rows=done, older=page.older))


def history(*, user_id: int, kind: str, before: int | UUID | None) -> Page:
    """One page of "deposits", "withdrawals" or "trades", newest first. One query."""
    if kind == "trades":
        return _page(trading.fills(user_id, before=before if isinstance(before, int) else None, limit=PAGE + 1))
    cursor = before if isinstance(before, UUID) else None
    if kind == "withdrawals":
        return _page(wallets.withdrawals(user_id, before=cursor, limit=PAGE + 1))
    return _page(wallets.deposits(user_id, before=cursor, limit=PAGE + 1))


def _page(found: Sequence[Any]) -> Page:
    rows = tuple(found[:PAGE])
    return Page(rows=rows, older=str(rows[-1].id) if len(found) > PAGE else None)
