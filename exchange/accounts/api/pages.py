"""Lists by cursor: the next page begins after the last row seen, so rows that arrive meanwhile move nothing.

What must never happen here: a page without a limit, or one numbered from the front (it would skip or repeat rows that arrive
while somebody pages, and the database would count from the start each time).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from rest_framework.request import Request

from exchange.core.errors import InvalidRequest

LIMIT_DEFAULT = 50
LIMIT_MAX = 200
CURSOR_MAX = 2**63 - 1
_Row = TypeVar("_Row")


class LimitInvalid(InvalidRequest):
    """`limit` is not a whole number within its bounds."""

    code = "limit_invalid"


class CursorInvalid(InvalidRequest):
    """`cursor` is not one that this list gave out."""

    code = "cursor_invalid"


def limit(request: Request, *, default: int = LIMIT_DEFAULT, most: int = LIMIT_MAX, name: str = "limit") -> int:
    """How many rows were asked for: 1 to `most`."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= most):
        raise LimitInvalid(f"{name} is a whole number from 1 to {most}.", param=name)
    return int(text)


def number_cursor(request: Request) -> int | None:
    """The cursor of a list whose rows have integer ids."""
    text = request.query_params.get("cursor")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= CURSOR_MAX):
        raise CursorInvalid("This cursor did not come from here. Take next_cursor of the last page.", param="cursor")
    return int(text)


def uuid_cursor(request: Request) -> UUID | None:
    """The cursor of a list whose rows have UUIDs."""
    text = request.query_params.get("cursor")
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise CursorInvalid(
            "This cursor did not come from here. Take next_cursor of the last page.", param="cursor"
        ) from None


def page(
    rows: Sequence[_Row], *, wanted: int, key: Callable[[_Row], Any], shape: Callable[[_Row], dict[str, Any]]
) -> dict[str, Any]:
    """`rows` were read with limit `wanted` + 1: the one too many says that there is a next page, and is not shown."""
    shown = rows[:wanted]
    more = len(rows) > wanted
    return {"data": [shape(row) for row in shown], "next_cursor": str(key(shown[-1])) if more else None}
