"""Walks a network's blocks in order, one transaction a block, and lets what is due follow from it.

A block's matches and the cursor are committed together under the cursor's row lock, after the cursor was found to be the
block's parent: two scanners at once would do no harm, only work. What must never happen here: a block skipped, a block of
another branch recorded, or a credit from what the node only says is waiting.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from django.db.models import Min

from exchange.core.errors import Conflict, DomainError
from wallets import nodes, routes
from wallets.chains.protocol import BlockNotFound, BlockRef, ChainError
from wallets.models import Address, Block, Cursor
from wallets.routes import Routes
from wallets.services import crediting, health, matching, mempools, reorganisations, settling

REORG_LIMIT = 100
# Block times may run two hours off; an address may be paid from the moment it exists.
CLOCK_SLACK = timedelta(hours=2)


class ScannerBusy(Conflict):
    code = "scanner_busy"


class NothingScanned(Conflict):
    code = "nothing_scanned"


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What one run did. `halted` and `error` are "" when all is well."""

    network: str
    scanned: int = 0
    height: int | None = None
    credited: int = 0
    reversed: int = 0
    settled: int = 0
    busy: bool = False
    halted: str = ""
    error: str = ""


def scan(*, network: str, now: datetime, limit: int = 200) -> ScanReport:
    """Follows the node by at most `limit` blocks, then credits, reverses and settles what is due. Never raises for a node."""
    with nodes.only_one(f"scan:{network}") as mine:
        if not mine:
            return ScanReport(network=network, busy=True)
        return _scan(routes.of(network), now=now, limit=limit)


def _scan(the_routes: Routes, *, now: datetime, limit: int) -> ScanReport:
    network_id, network = the_routes.network.id, the_routes.network.code
    scanned, reversed_count, error = 0, 0, ""
    try:
        reversed_count = crediting.reverse_due(routes=the_routes, now=now)
        chain = nodes.chain(network)
        tip = chain.tip()
        cursor = Cursor.objects.filter(network_id=network_id).first() or _start(chain, network_id, tip, now=now)
        if cursor.halted:
            return ScanReport(network=network, height=cursor.height, halted=cursor.halted)
        for _ in range(limit):
            move = _follow(chain, the_routes, tip, now=now)
            if move is Move.STAY:
                break
            if move is Move.BACK:
                reversed_count += crediting.reverse_due(routes=the_routes, now=now)
            else:
                scanned += 1
        mempools.look(chain=chain, routes=the_routes, now=now)
        health.seen(network_id=network_id, network=network, tip=tip, now=now)
    except ChainError as failure:
        error = str(failure)
        health.failed(network_id=network_id, network=network, error=error, now=now)
    except (reorganisations.TooDeep, DomainError) as failure:
        # What the ledger refuses here is a credit that cannot be taken back: nothing may be scanned on top of it.
        reorganisations.halt(routes=the_routes, reason=str(failure), now=now)
    cursor = Cursor.objects.filter(network_id=network_id).first()
    if cursor is None:
        return ScanReport(network=network, error=error)
    return ScanReport(
        network=network,
        scanned=scanned,
        height=cursor.height,
        credited=_repeat(crediting.credit_due, the_routes, now=now),
        reversed=reversed_count,
        settled=_repeat(settling.settle_due, the_routes, now=now),
        halted=cursor.halted,
        error=error,
    )


def _repeat(due: Any, the_routes: Routes, *, now: datetime) -> int:
    """Runs a batch job until a batch comes back empty; each batch is a transaction of its own."""
    total = 0
    while count := due(routes=the_routes, now=now):
        total += count
    return total


class Move(Enum):
    """What one step towards the node's tip was."""

    FORWARD = "forward"
    BACK = "back"
    STAY = "stay"


def _follow(chain: Any, the_routes: Routes, tip: BlockRef, *, now: datetime) -> Move:
    """One step towards the node's tip: a block forward, or a walk back to the fork."""
    cursor = Cursor.objects.get(network_id=the_routes.network.id)
    if cursor.hash == tip.hash:
        return Move.STAY
    if cursor.height < tip.height:
        try:
            found = matching.look(chain=chain, routes=the_routes, height=cursor.height + 1)
        except BlockNotFound:
            return Move.STAY  # the tip moved back while we asked; the next run sees where to
        if found.ref.parent == cursor.hash:
            return Move.FORWARD if _commit(found, the_routes, now=now) else Move.STAY
    limit = getattr(settings, "WALLETS_REORG_LIMIT", REORG_LIMIT)
    shared = reorganisations.fork(chain=chain, network_id=the_routes.network.id, cursor=cursor, tip=tip, limit=limit)
    if shared is None:
        return Move.STAY
    reorganisations.walk_back(routes=the_routes, cursor=cursor, to=shared, now=now)
    return Move.BACK


def _commit(found: matching.Found, the_routes: Routes, *, now: datetime) -> bool:
    """Commits a block's matches and the cursor together. False when the block no longer follows the cursor."""
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update().get(network_id=the_routes.network.id)
        if cursor.hash != found.ref.parent or cursor.height + 1 != found.ref.height or cursor.halted:
            return False
        matching.record(found=found, routes=the_routes, now=now)
        cursor.height, cursor.hash, cursor.updated_at = found.ref.height, found.ref.hash, now
        cursor.save()
    return True


def _start(chain: Any, network_id: int, tip: BlockRef, *, now: datetime) -> Cursor:
    """Where a new network begins: at the tip, or before the oldest address could have been paid."""
    oldest = Address.objects.filter(network_id=network_id).aggregate(Min("created_at"))["created_at__min"]
    ref = tip if oldest is None else _before(chain, tip, oldest - CLOCK_SLACK)
    with transaction.atomic():
        limit = getattr(settings, "WALLETS_REORG_LIMIT", REORG_LIMIT)
        # The blocks below are kept unscanned, so that a fork below the start can still be found.
        for height in range(max(0, ref.height - limit), ref.height + 1):
            _keep(network_id, chain.block_ref(height), now=now)
        return Cursor.objects.create(
            network_id=network_id, height=ref.height, hash=ref.hash, started_height=ref.height, updated_at=now
        )


def _before(chain: Any, tip: BlockRef, moment: datetime) -> BlockRef:
    """The highest block whose time is before `moment`, by halving; the first block when all are younger."""
    low, high = 0, tip.height
    while low < high:
        middle = (low + high + 1) // 2
        if datetime.fromtimestamp(chain.block_ref(middle).time, UTC) < moment:
            low = middle
        else:
            high = middle - 1
    return chain.block_ref(low)


def _keep(network_id: int, ref: BlockRef, *, now: datetime) -> None:
    Block.objects.get_or_create(
        network_id=network_id,
        hash=ref.hash,
        defaults={
            "height": ref.height,
            "parent": ref.parent,
            "time": datetime.fromtimestamp(ref.time, UTC),
            "scanned_at": now,
        },
    )


def rescan(*, network: str, from_height: int, now: datetime) -> int:
    """Matches again every block from this height up to the cursor; nothing is credited twice. Returns how many blocks."""
    the_routes = routes.of(network)
    with nodes.only_one(f"scan:{network}") as mine:
        if not mine:
            raise ScannerBusy("The scanner is at work on this network; try again.")
        try:
            top = Cursor.objects.get(network_id=the_routes.network.id).height
        except ObjectDoesNotExist:
            raise NothingScanned("This network was never scanned.", param="network") from None
        chain = nodes.chain(network)
        for height in range(from_height, top + 1):
            found = matching.look(chain=chain, routes=the_routes, height=height)
            _record_again(found, the_routes, now=now)
    return max(0, top + 1 - from_height)


def _record_again(found: matching.Found, the_routes: Routes, *, now: datetime) -> None:
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update().get(network_id=the_routes.network.id)
        ours = Block.objects.filter(network_id=cursor.network_id, height=found.ref.height, orphaned_at=None).first()
        if ours is not None and ours.hash != found.ref.hash:
            raise Conflict("The node is on another branch than the scanner; let it follow first.")
        matching.record(found=found, routes=the_routes, now=now)


def resume(*, network: str, now: datetime) -> None:
    """Lets a halted scanner go on, after staff have looked. The stop of withdrawals is lifted separately."""
    Cursor.objects.filter(network_id=routes.of(network).network.id).update(halted="", updated_at=now)
