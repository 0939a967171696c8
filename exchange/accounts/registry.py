"""What upper rooms do for the room of people, which may not import them. Filled in AppConfig.ready().

Opening a customer, ending all access, closing an account and exporting its data each reach into rooms above. What must never
happen here: work that may fail for reasons outside the database, for it would stop the sign-up, the freeze or the closing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

Opened = Callable[[int, datetime], None]
Ended = Callable[[int, datetime], None]
Hindrance = Callable[[int, datetime], str | None]
Part = Callable[[int], Iterator[dict[str, Any]]]

_opened: list[Opened] = []
_ended: list[Ended] = []
_hindrances: dict[str, Hindrance] = {}
_parts: dict[str, Part] = {}
_offices: set[str] = set()


def keep_offices(names: Iterable[str]) -> None:
    """Groups of these names are somebody's to write: no page edits them."""
    _offices.update(names)


def office_is_kept(name: str) -> bool:
    return name in _offices


def on_customer_opened(fn: Opened) -> None:
    """Has `fn(user_id, now)` called for every new customer, inside the sign-up's transaction."""
    if fn not in _opened:
        _opened.append(fn)


def customer_opened(*, user_id: int, now: datetime) -> None:
    """Calls them all."""
    for fn in _opened:
        fn(user_id, now)


def on_access_ended(fn: Ended) -> None:
    """Has `fn(user_id, now)` end what opens the account beside sessions (API keys), in the transaction of the freeze, the
    closing, the reset of a password or the change of an address."""
    if fn not in _ended:
        _ended.append(fn)


def access_ended(*, user_id: int, now: datetime) -> None:
    """Calls them all."""
    for fn in _ended:
        fn(user_id, now)


def on_closing(name: str, fn: Hindrance) -> None:
    """Asks `fn(user_id, now)` before an account closes: a sentence where something stands in the way, or None."""
    _hindrances[name] = fn


def hindrances(*, user_id: int, now: datetime) -> list[str]:
    """Why the account cannot be closed now; empty where it can."""
    return [found for fn in _hindrances.values() if (found := fn(user_id, now))]


def exports(name: str, fn: Part) -> None:
    """Puts the rows of `fn(user_id)` into the customer's data export as `name`.json. It must yield them, page by page: a long
    history is never in memory at once."""
    _parts[name] = fn


def export_parts() -> dict[str, Part]:
    """Every part by name."""
    return dict(_parts)
