"""Placing and cancelling, the hot path: no thread is left the event loop for between the log-in check and the answer.

What must never happen here: a judgement about the order. This reads the request, makes one call, and shapes what comes back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from exchange.accounts.api.serializers import checked
from trading.api import shapes
from trading.api.forms import PlaceOrder
from trading.services import orders


async def place(*, user_id: int, body: Any, client_order_id: str | None, now: datetime) -> tuple[int, dict[str, Any]]:
    """HTTP status and order: 201, or 200 for one that this client order id had placed before. `client_order_id` stands in
    where the body has none."""
    fields = checked(PlaceOrder, body)
    if client_order_id is not None:
        fields.setdefault("client_order_id", client_order_id)
    outcome = await orders.place(user_id=user_id, now=now, **fields)
    return (200 if outcome.duplicate else 201), shapes.order(outcome.order)


async def cancel(
    *, user_id: int, order_id: int | None = None, client_order_id: str | None = None, now: datetime
) -> dict[str, Any]:
    outcome = await orders.cancel(user_id=user_id, order_id=order_id, client_order_id=client_order_id, now=now)
    return shapes.order(outcome.order)
