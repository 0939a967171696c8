"""What a list may be narrowed to: query parameters checked one by one, each error naming its own.

What must never happen here: a filter with a word that does not exist, answered by an empty list as if there were nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest_framework.request import Request

from exchange.accounts.api.serializers import FieldInvalid
from exchange.core import times as clock
from trading.api import forms

ID_MAX = 2**53
STATES = ("open", "pending", "filled", "cancelled", "expired")
_CHOICES = {"side": forms.SIDES, "type": forms.TYPES, "state": STATES}


def words(request: Request, *names: str) -> dict[str, str]:
    """Those of the parameters that were given. Raises FieldInvalid for a word that is none of the choices."""
    given: dict[str, str] = {}
    for name in names:
        text = request.query_params.get(name)
        if text is None:
            continue
        choices = _CHOICES.get(name)
        if choices is not None and text not in choices:
            raise FieldInvalid(f"This is one of: {', '.join(choices)}.", param=name, code="choice_invalid")
        given[name] = text
    return given


def times(request: Request) -> dict[str, datetime]:
    """`since` and `until`. Raises TimeInvalid."""
    texts = {name: request.query_params.get(name) for name in ("since", "until")}
    return {name: clock.parse(text, param=name) for name, text in texts.items() if text is not None}


def whole(request: Request, name: str) -> dict[str, Any]:
    """An id. Raises FieldInvalid."""
    text = request.query_params.get(name)
    if text is None:
        return {}
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= ID_MAX):
        raise FieldInvalid("This is a whole number.", param=name)
    return {name: int(text)}
