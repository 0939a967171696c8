"""Which approved withdrawals leave together, and when.

A UTXO transaction has room for many: they gather for WALLETS_BATCH_SECONDS since the oldest of them was approved, or until
WALLETS_BATCH_MAX are there, and share one fee. Elsewhere a transaction pays one. What must never happen here: one that may not
leave (its owner frozen, refused by signer or node, too large for the hot wallet) holding up the rest, however many of them there
are: whoever could not leave stands at the end of the line.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest

from exchange.ledger import selectors as ledger
from wallets.chains.protocol import ChainError, FeeUnknown, NodeRefused, NodeUnavailable, PayoutImpossible, WrongChain
from wallets.lifecycle import State
from wallets.models import Withdrawal
from wallets.routes import Routes
from wallets.services import failing, reserving, screening, steps
from wallets.services.hot import CannotReserve

log = structlog.get_logger(__name__)

BATCH_MAX = 100
BATCH_SECONDS = 10
# What one run looks at of a network's queue, and how many transactions it tries to make of it.
QUEUE_MAX = 500
ROUNDS_MAX = 20
# What keeps every other one from going just as well.
OF_ALL = frozenset({"hot_wallet_busy", "fee_unknown"})
# A payment that the node says would fail is asked about again after this long, and is staff's after so many times.
REFUSED_AGAIN = timedelta(seconds=30)
REFUSALS_MAX = 10
# How nodes say that it is the payment's fault: its receiver does not take it, or only for more gas than a payment may burn.
_REVERTS = ("revert", "invalid opcode", "out of gas", "gas required exceeds")
_REVERTED_CODE = 3


def gather(*, routes: Routes, now: datetime) -> list[UUID]:
    """Reserves for what is due on this network; the new payouts' ids. Raises NodeUnavailable, WrongChain: nobody can go then."""
    made: list[UUID] = []
    passed_over: set[UUID] = set()
    for _ in range(ROUNDS_MAX):
        waiting = [row for row in _queue(routes, now=now) if row.id not in passed_over]
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
        except (NodeUnavailable, WrongChain):
            raise
        except ChainError as error:
            log.warning("node_refused", withdrawals=[str(each) for each in company], error=str(error))
            why = "node_refused"
            if len(company) == 1 and _is_the_payments_fault(error):
                _refused(company[0], str(error), now=now)
        except Exception as error:
            failing.note(error, "gather", network=routes.network.code, withdrawals=[str(each) for each in company])
            why = "fault"
        if why in OF_ALL:
            _wait([row.id for row in waiting], why)
            break
        if why:
            _wait(company, why)
            Withdrawal.objects.filter(pk__in=company).update(tried_at=now)
            passed_over.update(company)
    return made


def _is_the_payments_fault(error: ChainError) -> bool:
    if isinstance(error, NodeRefused):
        text = str(error).lower()
        return error.node_code == _REVERTED_CODE or any(word in text for word in _REVERTS)
    return isinstance(error, PayoutImpossible)


def _refused(withdrawal_id: UUID, why: str, *, now: datetime) -> None:
    """Counts it; staff decide about one that the network has refused again and again."""
    with transaction.atomic():
        row = Withdrawal.objects.select_for_update().get(pk=withdrawal_id)
        if row.state != State.APPROVED:
            return
        row.refusals += 1
        row.save(update_fields=["refusals"])
        if row.refusals >= REFUSALS_MAX:
            steps.enter(
                row, State.REVIEW, reason=f"the network would refuse this payment: {why}"[:500], refusals=0, now=now
            )


def _queue(routes: Routes, *, now: datetime) -> list[Withdrawal]:
    """The approved ones that may go, the longest waiting for their turn first. Says so of those that may not."""
    rows = Withdrawal.objects.filter(network_id=routes.network.id, state=State.APPROVED, closed_at=None)
    rows = rows.exclude(Q(waiting="node_refused") & Q(tried_at__gt=now - REFUSED_AGAIN))
    in_turn = rows.annotate(since=Greatest(F("tried_at"), F("approved_at"))).order_by("since", "id")
    # Of which assets nothing leaves for now: what would stand first in line for ever holds up none of the others.
    stopped = ledger.stops.stopped_of("withdrawals")
    halted = [link.asset_id for link in routes.links if link.asset_code in stopped]
    if halted:
        _wait(rows.filter(asset_id__in=halted).values_list("id", flat=True), "stopped")
    # Nor do the customers of whom nothing leaves, however many withdrawals each of them has: they keep their place, unseen.
    owners = set(rows.values_list("owner_id", flat=True).distinct())
    frozen = screening.frozen_among(owners)
    reviewed = screening.under_review(owners - frozen)
    for kept, why in ((frozen, "frozen"), (reviewed, screening.WAITING)):
        if kept:
            _wait(rows.filter(owner_id__in=kept).exclude(waiting=why).values_list("id", flat=True), why)
    waiting = list(in_turn.exclude(asset_id__in=halted).exclude(owner_id__in=frozen | reviewed)[:QUEUE_MAX])
    held_back = screening.held_back(waiting, now=now)
    if held_back:
        # What is to leave for a listed address, of a customer who is cleared himself: to the end of the line each time.
        _wait(held_back, screening.WAITING)
        Withdrawal.objects.filter(pk__in=held_back).update(tried_at=now)
    return [row for row in waiting if row.id not in held_back]


def _due(waiting: list[Withdrawal], *, now: datetime) -> bool:
    gather_for = timedelta(seconds=getattr(settings, "WALLETS_BATCH_SECONDS", BATCH_SECONDS))
    oldest = min(row.tried_at or row.approved_at or row.requested_at for row in waiting)
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
