"""What upper rooms do in the moment a customer is opened, in the same transaction. Filled in AppConfig.ready().

What must never happen here: work that may fail for reasons outside the database, for it would stop the sign-up.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

Opened = Callable[[int, datetime], None]

_opened: list[Opened] = []


def on_customer_opened(fn: Opened) -> None:
    """Has `fn(user_id, now)` called for every new customer, inside the sign-up's transaction."""
    if fn not in _opened:
        _opened.append(fn)


def customer_opened(*, user_id: int, now: datetime) -> None:
    """Calls them all."""
    for fn in _opened:
        fn(user_id, now)
