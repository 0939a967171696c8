"""The commands of a customer, as REST and the websocket take them: one function each, JSON in and JSON out.

Each makes one call into the domain and shapes the answer. `unlimited` is what the log-in says, see services.orders.place. What
must never happen here: a difference between the two ways.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from exchange.core import errors
from exchange.core.times import iso
from trading.api import forms, shapes
from trading.services import orders

Answer = dict[str, Any]


async def place(
    *, user_id: int, unlimited: bool = False, body: Any, own_id: str | None = None, now: datetime
) -> tuple[bool, Answer]:
    """Whether the order is new, and the order. `own_id` stands in where the body has no client order id."""
    fields = forms.checked(forms.PLACE, body)
    if own_id is not None:
        fields.setdefault("client_order_id", own_id)
    outcome = await orders.place(user_id=user_id, unlimited=unlimited, now=now, **fields)
    return not outcome.duplicate, shapes.order(outcome.order)


async def place_oco(
    *, user_id: int, unlimited: bool = False, body: Any, own_id: str | None = None, now: datetime
) -> tuple[bool, Answer]:
    """Whether the pair is new, and both orders."""
    fields = forms.checked(forms.OCO, body)
    if own_id is not None:
        fields.setdefault("client_order_id", own_id)
    outcome = await orders.place_oco(user_id=user_id, unlimited=unlimited, now=now, **fields)
    return not outcome.duplicate, {"limit": shapes.order(outcome.limit), "stop": shapes.order(outcome.stop)}


async def amend(*, user_id: int, unlimited: bool = False, body: Any, now: datetime, **reference: Any) -> Answer:
    """The order as it then stands. `reference`: order_id or client_order_id."""
    fields = forms.checked(forms.AMEND, body)
    outcome = await orders.amend(user_id=user_id, unlimited=unlimited, now=now, **reference, **fields)
    return shapes.order(outcome.order)


async def cancel(*, user_id: int, now: datetime, **reference: Any) -> Answer:
    outcome = await orders.cancel(user_id=user_id, now=now, **reference)
    return shapes.order(outcome.order)


async def cancel_all(*, user_id: int, body: Any, now: datetime) -> Answer:
    """How many orders were cancelled: all, or those of one market, of one side, or of both."""
    fields = forms.checked(forms.CANCEL_ALL, body)
    return {"cancelled": await orders.cancel_all(user_id=user_id, reason="user", now=now, **fields)}


async def batch(
    *, user_id: int, unlimited: bool = False, body: Any, own_id: str | None = None, now: datetime
) -> Answer:
    """Each command's order or error, in their order. One that fails stops no other."""
    items = forms.checked_batch(body, own_id=own_id)
    good = [item for item in items if isinstance(item, dict)]
    outcomes = iter(await orders.batch(user_id=user_id, unlimited=unlimited, items=good, now=now) if good else [])
    data: list[Answer] = []
    for item in items:
        error = item if isinstance(item, errors.DomainError) else None
        if isinstance(item, dict):
            done = next(outcomes)
            error = done.error
            if error is None:
                data.append({"order": shapes.order(done.outcome.order)})
        if error is not None:
            data.append(errors.body(error))
    return {"data": data}


async def countdown(*, user_id: int, body: Any, now: datetime) -> Answer:
    """When all orders will be cancelled, unless this is asked again before; null: never."""
    fields = forms.checked(forms.COUNTDOWN, body)
    until = await orders.countdown(user_id=user_id, now=now, **fields)
    return {"cancel_at": iso(until) if until is not None else None}
