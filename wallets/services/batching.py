"""Which approved withdrawals leave together, and when.

A UTXO transaction has room for many: they gather for WALLETS_BATCH_SECONDS since the oldest of them was approved, or until
WALLETS_BATCH_MAX are there, and share one fee. Elsewhere a transaction pays one. What must never happen here: one that may not
leave (its owner frozen, refused by the signer, too large for the hot wallet) holding up the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings

from exchange.ledger import selectors as ledger
from wallets.chains.protocol import FeeUnknown, NodeRefused
from wallets.lifecycle import State
from wallets.models import Withdrawal
from wallets.routes import Routes
from wallets.services import reserving
from wallets.services.hot import CannotReserve

log = structlog.get_logger(__name__)

BATCH_MAX = 100
BATCH_SECONDS = 10
# What one run looks at of a network's queue, and how many transactions it tries to make of it.
QUEUE_MAX = 500
ROUNDS_MAX = 20
# What keeps every other one from going just as well.
OF_ALL = frozenset({"hot_wallet_busy", "fee_unknown"})


def gather(*, routes: Routes, now: datetime) -> list[UUID]:
    """Reserves for what is due on this network; the new payouts' ids. Raises NodeUnavailable where the node cannot be asked."""
    made: list[UUID] = []
    passed_over: set[UUID] = set()
    for _ in range(ROUNDS_MAX):
        waiting = [row for row in _queue(routes) if row.id not in passed_over]
        if not waiting or (routes.network.family == "utxo" and not _due(waiting, now=now)):
            break
        company = _company(waiting, routes)
        why = ""
        try:
            payout_id = reserving.reserve(routes=routes, ids=company, now=now)
            if payout_id is None:
                break  # somebody else was first
            made.append(payout_id)
        except CannotReserve as cannot:
            why = cannot.why
        except FeeUnknown:
            why = "fee_unknown"
        except NodeRefused as error:
            log.warning("node_refused", withdrawals=[str(each) for each in company], error=str(error))
            why = "node_refused"
        if why in OF_ALL:
            _wait([row.id for row in waiting], why)
            break
        if why:
            _wait(company, why)
            passed_over.update(company)
    return made


def _queue(routes: Routes) -> list[Withdrawal]:
    """The approved ones that may go, the longest waiting first. Says so of those that may not."""
    rows = Withdrawal.objects.filter(network_id=routes.network.id, state=State.APPROVED, closed_at=None)
    waiting = list(rows.order_by("approved_at", "id")[:QUEUE_MAX])
    frozen = {owner for owner in {row.owner_id for row in waiting} if ledger.is_frozen(owner_id=owner)}
    if frozen:
        _wait((row.id for row in waiting if row.owner_id in frozen), "frozen")
    return [row for row in waiting if row.owner_id not in frozen]


def _due(waiting: list[Withdrawal], *, now: datetime) -> bool:
    gather_for = timedelta(seconds=getattr(settings, "WALLETS_BATCH_SECONDS", BATCH_SECONDS))
    oldest = waiting[0].approved_at or waiting[0].requested_at
    return now - oldest >= gather_for or len(waiting) >= _batch_max()


def _batch_max() -> int:
    return int(getattr(settings, "WALLETS_BATCH_MAX", BATCH_MAX))


def _company(waiting: list[Withdrawal], routes: Routes) -> list[UUID]:
    """Who shares the next transaction: in their order, as many as the strictest among them allows."""
    if routes.network.family != "utxo":
        return [waiting[0].id]
    company: list[UUID] = []
    most = _batch_max()
    for row in waiting:
        most = min(most, row.company_max or most)
        if len(company) >= most:
            break
        company.append(row.id)
    return company


def _wait(ids: Iterable[UUID], why: str) -> None:
    rows = Withdrawal.objects.filter(pk__in=list(ids), state=State.APPROVED)
    rows.exclude(waiting=why).update(waiting=why)
