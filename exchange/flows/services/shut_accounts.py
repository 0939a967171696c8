"""Takes back what a thief may have set going in an account that its owner has frozen: withdrawals, then open orders.

Two readers of the same news, so that an engine that is away delays no withdrawal; each may run again without harm. What must
never happen here: coins that leave after the freeze, though nobody had signed for them yet.
"""

from __future__ import annotations

import structlog

from exchange.core.errors import Conflict
from exchange.outbox.registry import Event
from trading import selectors as trading
from trading.services import orders
from wallets.services import withdrawals

log = structlog.get_logger(__name__)


class OrdersRemain(Conflict):
    """A halted market keeps its orders; the outbox tries again."""

    code = "orders_remain"


def take_back(event: Event) -> None:
    """Cancels every withdrawal that the signer was not asked for; the pause keeps new ones out."""
    taken = withdrawals.cancel_all(user_id=event.payload["user_id"], now=event.now)
    log.info("flows.withdrawals_taken_back", user_id=event.payload["user_id"], number=taken)


def cancel_orders(event: Event) -> None:
    """Cancels every open order: nobody is logged in who could."""
    user_id = event.payload["user_id"]
    if trading.has_open_orders(user_id):
        orders.cancel_all_sync(user_id=user_id, reason="staff", now=event.now)
        if trading.has_open_orders(user_id):
            raise OrdersRemain(
                "Orders stand in a market that is halted; they are cancelled when it takes cancels again."
            )
