"""Orders that staff take back: all of a customer's, or all of a market's. Each deed is on record, with its count.

What must never happen here: an order touched in the database, or money. The engine cancels, and gives back what was held.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

import structlog

from exchange.audit.services import record
from exchange.core.errors import DomainError
from trading import selectors, wire
from trading.services import line, orders
from trading.services.refusals import MarketClosed

log = structlog.get_logger(__name__)

OWNERS_MAX = 100_000
ASKED_AT_ONCE = 500


def cancel_customer_sync(*, user_id: int, actor_id: int, now: datetime) -> int:
    """Cancel every order of a customer; how many it were. Those in a halted market stay."""
    cancelled = orders.cancel_all_sync(user_id=user_id, reason="staff", now=now)
    record(
        actor_id=actor_id, action="trading.cancel_customer", subject=f"user:{user_id}", after={"cancelled": cancelled},
        now=now,
    )  # fmt: skip
    return cancelled


def cancel_market_sync(*, symbol: str, actor_id: int, now: datetime) -> int:
    """Cancel every order that is open in a market now; how many it were. One command for each customer who has any.

    Raises MarketNotFound, and MarketClosed where the market is halted: open it for cancels first.
    """
    view = selectors.market(symbol)
    if view.state == "halted":
        raise MarketClosed("A halted market keeps its orders. Set it to cancel-only first.", param="market")
    owners = selectors.owners_of_open_orders(symbol, limit=OWNERS_MAX)
    cancelled, failed = 0, 0
    for start in range(0, len(owners), ASKED_AT_ONCE):
        part = owners[start : start + ASKED_AT_ONCE]
        encode = [
            partial(wire.encode_cancel_all, user_id=user_id, market_id=view.id, side=0, reason="staff")
            for user_id in part
        ]
        for reply in line.ask_many_sync([(view.shard, each) for each in encode]):
            if isinstance(reply, DomainError) or reply["code"] != wire.ACCEPTED:
                failed += 1
                continue
            count = reply.get("count")
            cancelled += selectors.closed_by(command_uuid=reply["id"]) if count is None else count
    record(
        actor_id=actor_id, action="trading.cancel_market", subject=f"market:{symbol}",
        after={"customers": len(owners), "cancelled": cancelled, "customers_without_answer": failed}, now=now,
    )  # fmt: skip
    if failed:
        log.warning("trading.cancel_market_incomplete", market=symbol, customers=failed)
    return cancelled
