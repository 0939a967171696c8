"""How a customer names an order."""

from __future__ import annotations

from trading.engine.book import DONE, Order
from trading.engine.state import State

ORDER_NOT_FOUND = "order_not_found"


def live_order(state: State, user_id: int, order_id: int, client_order_id: str | None) -> Order | None:
    """The customer's own live order of this id, or of this id of the customer's where the first is 0."""
    if client_order_id is not None and not order_id:
        return state.account(user_id).named.get(client_order_id)
    order = state.order(order_id)
    if order is None or order.phase == DONE or order.user_id != user_id:
        return None
    return order
