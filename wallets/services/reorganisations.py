"""Walks back from a branch the node has left, and undoes in the index what that branch held.

The undoing is one transaction; the credits are taken back right after it, before any further block is scanned. What must
never happen here: a node that is merely behind taken for a reorganisation, or a credit taken back beyond the limit
without staff.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import structlog
from django.db import transaction
from django.db.models import QuerySet

from exchange.ledger.services import stops
from wallets import news
from wallets.chains.protocol import BlockNotFound, BlockRef
from wallets.lifecycle import State
from wallets.models import Block, Coin, Cursor, Deposit, Movement, Payout
from wallets.routes import Routes
from wallets.services import steps

log = structlog.get_logger(__name__)


class TooDeep(Exception):
    """The branch left us before the oldest block we may go back to; staff decide."""


def fork(*, chain: Any, network_id: int, cursor: Cursor, tip: BlockRef, limit: int) -> BlockRef | None:
    """The last block that we and the node share when the node is on another branch; None when it is on ours.

    A node whose tip is on our branch, only lower, is behind (restarted, restored): that is no reorganisation. Nor is one
    that is still below the first block we kept: nothing can be compared yet.
    """
    top = min(cursor.height, tip.height)
    if not _kept(network_id, top).exists() or _same(chain, network_id, top):
        return None
    for height in range(top - 1, max(-1, cursor.height - limit - 1), -1):
        if _same(chain, network_id, height):
            if cursor.finalized_height is not None and height < cursor.finalized_height:
                raise TooDeep(f"the node has left block {cursor.finalized_height}, which the network had called final")
            return chain.block_ref(height)
    raise TooDeep(f"the node is on another branch, more than {limit} blocks below {cursor.height}")


def _kept(network_id: int, height: int) -> QuerySet[Block]:
    return Block.objects.filter(network_id=network_id, height=height, orphaned_at=None)


def _same(chain: Any, network_id: int, height: int) -> bool:
    try:
        return _kept(network_id, height).filter(hash=chain.block_ref(height).hash).exists()
    except BlockNotFound:
        return False


def walk_back(*, routes: Routes, cursor: Cursor, to: BlockRef, now: datetime) -> bool:
    """Undoes every block above `to`. False when the cursor moved meanwhile: look again."""
    network_id = routes.network.id
    with transaction.atomic():
        locked = Cursor.objects.select_for_update().get(network_id=network_id)
        if (locked.height, locked.hash) != (cursor.height, cursor.hash):
            return False
        log.warning("reorganisation", network=routes.network.code, from_height=locked.height, to_height=to.height)
        Block.objects.filter(network_id=network_id, height__gt=to.height, orphaned_at=None).update(orphaned_at=now)
        _orphan_deposits(routes, above=to.height, now=now)
        _orphan_payouts(network_id, above=to.height, now=now)
        Coin.objects.filter(network_id=network_id, spent_height__gt=to.height).update(spent_height=None, spent_txid="")
        Coin.objects.filter(network_id=network_id, block_height__gt=to.height).update(
            block_height=None, mature_height=None
        )
        Coin.objects.filter(network_id=network_id, gone_height__gt=to.height).update(gone_height=None, gone_txid="")
        Movement.objects.filter(network_id=network_id, block_height__gt=to.height).delete()
        locked.height, locked.hash, locked.updated_at = to.height, to.hash, now
        locked.save()
    return True


def _orphan_deposits(routes: Routes, *, above: int, now: datetime) -> None:
    booked = (Deposit.State.CREDITED, Deposit.State.HELD, Deposit.State.BELOW_MINIMUM)
    gone = (
        Deposit.objects.select_for_update(of=("self",))
        .select_related("address")
        .filter(network_id=routes.network.id, block_height__gt=above, state__in=(Deposit.State.CONFIRMING, *booked))
    )
    for deposit in gone.order_by("id"):
        deposit.reversal_due = deposit.state in booked
        deposit.state, deposit.held_for = Deposit.State.ORPHANED, ""
        deposit.block_height, deposit.block_hash = None, ""
        deposit.save()
        if not deposit.reversal_due:
            link = routes.by_asset(deposit.asset_id)
            news.deposit("orphaned", deposit, link, scanned_height=0, now=now, reversed=False)


def _orphan_payouts(network_id: int, *, above: int, now: datetime) -> None:
    """Our own transactions lost their block: the same bytes go out again. A final one stays final and is watched."""
    gone = Payout.objects.select_for_update().filter(network_id=network_id, block_height__gt=above).order_by("id")
    for payout in gone:
        payout.block_height, payout.block_hash = None, ""
        if payout.state == Payout.State.CONFIRMED:
            payout.state = Payout.State.BROADCAST
            for withdrawal in payout.withdrawals.select_for_update().order_by("id"):
                steps.enter(withdrawal, State.BROADCAST, note="its block was reorganised away", quiet=True, now=now)
        payout.save()


def halt(*, routes: Routes, reason: str, now: datetime) -> None:
    """Stops this network's scanner and all withdrawals until staff have looked."""
    log.critical("network_halted", network=routes.network.code, reason=reason)
    with transaction.atomic():
        Cursor.objects.filter(network_id=routes.network.id).update(halted=reason, updated_at=now)
        stops.stop(scope="withdrawals", reason=f"{routes.network.code}: {reason}", source="wallets", now=now)
        news.network("halted", network=routes.network.code, error=reason, now=now)
