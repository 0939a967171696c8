"""Walks a network's blocks in order, one transaction a block, and lets what is due follow from it.

Several blocks are fetched at once when there is much to catch up with, and committed strictly one after the other. A block's
matches and the cursor are committed together under the cursor's row lock, after the cursor was found to be the block's parent:
two scanners at once would do no harm, only work. What must never happen here: a block skipped, a block of another branch
recorded, a block that a second source contradicts, or a credit from what the node only says is waiting.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from django.db.models import Min, Q

from exchange.core.errors import Conflict, DomainError, InvalidRequest
from wallets import faults, nodes, routes
from wallets.chains.protocol import BlockNotFound, BlockRef, ChainError, DataPruned
from wallets.models import Address, Block, Cursor
from wallets.routes import Routes
from wallets.services import (
    coins,
    crediting,
    failing,
    fetching,
    health,
    losing,
    matching,
    mempools,
    paying,
    reorganisations,
    settling,
    sources,
)
from wallets.services.sources import Look, Survey

REORG_LIMIT = 100
# Block times may run two hours off; an address may be paid from the moment it exists.
CLOCK_SLACK = timedelta(hours=2)


class ScannerBusy(Conflict):
    code = "scanner_busy"


class NothingScanned(Conflict):
    code = "nothing_scanned"


class RangeInvalid(InvalidRequest):
    code = "range_invalid"


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What one run did. `halted` and `error` are "" when all is well; `disputed`: two sources contradict each other."""

    network: str
    scanned: int = 0
    height: int | None = None
    credited: int = 0
    reversed: int = 0
    settled: int = 0
    lost: int = 0
    busy: bool = False
    disputed: bool = False
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
    walk = Walk(the_routes, now=now)
    error, disputed = "", False
    try:
        walk.reversed += crediting.reverse_due(routes=the_routes, now=now)
        found = sources.survey(routes=the_routes, now=now)
        cursor = Cursor.objects.filter(network_id=network_id).first() or _start(found, network_id, now=now)
        if cursor.halted:
            return ScanReport(network=network, height=cursor.height, halted=cursor.halted)
        try:
            walk.follow(found, limit=limit)
            walk.finalize(found)
        except DataPruned as failure:
            assert found.serving.tip is not None
            sources.lost_block(the_routes, found.serving, walk.height() + 1, failure)
        disputed = found.disputed
        paying.ask(chain=found.serving.chain, routes=the_routes)
        health.seen(found, now=now)
        mempools.look(chain=found.serving.chain, routes=the_routes, now=now)
    except ChainError as failure:
        error, disputed = str(failure), True
        health.failed(network_id=network_id, network=network, error=error, now=now)
    except (reorganisations.TooDeep, DomainError) as failure:
        # What the ledger refuses here is a credit that cannot be taken back: nothing may be scanned on top of it.
        reorganisations.halt(routes=the_routes, reason=str(failure), now=now)
    cursor = Cursor.objects.filter(network_id=network_id).first()
    if cursor is None:
        return ScanReport(network=network, error=error)
    return ScanReport(
        network=network,
        scanned=walk.scanned,
        height=cursor.height,
        # While a source says that our newest block is another one, nothing is called deep enough.
        credited=0 if disputed else _repeat(crediting.credit_due, the_routes, now=now),
        reversed=walk.reversed,
        settled=0 if disputed else _repeat(settling.settle_due, the_routes, now=now),
        lost=0 if disputed else _repeat(losing.lose_due, the_routes, now=now),
        disputed=disputed and not error,
        halted=cursor.halted,
        error=error,
    )


def _repeat(due: Any, the_routes: Routes, *, now: datetime) -> int:
    """Runs a batch job until a batch comes back empty; each batch is a transaction of its own.

    A batch that fails is noted, and what else this run has to do goes on.
    """
    total = 0
    try:
        while count := due(routes=the_routes, now=now):
            total += count
    except Exception as error:
        failing.note(error, due.__name__, network=the_routes.network.code)
    return total


class Walk:
    """One run's way towards the tip: blocks forward, and back to a fork where the branch was left."""

    def __init__(self, the_routes: Routes, *, now: datetime) -> None:
        self.routes = the_routes
        self.now = now
        self.scanned = 0
        self.reversed = 0

    def height(self) -> int:
        return self._cursor().height

    def follow(self, found: Survey, *, limit: int) -> None:
        """Goes on until the tip, the limit, or something that only the next run can judge."""
        steps = limit
        while steps > 0:
            cursor = self._cursor()
            assert found.serving.tip is not None
            if cursor.hash == found.serving.tip.hash:
                break
            forward = self._forward(found, cursor, limit=steps)
            if not forward and not self._back(found, self._cursor()):
                break
            steps -= max(1, forward)
        found.stand(self._cursor())

    def finalize(self, found: Survey) -> None:
        """Notes how far the network itself calls its blocks final. It never goes back."""
        if not self.routes.network.finalized or found.disputed:
            return
        final = sources.finalized(found, self._cursor())
        if final is not None:
            mine = Cursor.objects.filter(network_id=self.routes.network.id, height__gte=final)
            mine.filter(Q(finalized_height=None) | Q(finalized_height__lt=final)).update(finalized_height=final)

    def _cursor(self) -> Cursor:
        return Cursor.objects.get(network_id=self.routes.network.id)

    def _forward(self, found: Survey, cursor: Cursor, *, limit: int) -> int:
        """Commits the blocks that follow the cursor, one transaction each; how many did."""
        heights = range(cursor.height + 1, min(found.reach, cursor.height + limit) + 1)
        others = {look.name: look.chain for look in found.others}
        done, parent = 0, cursor.hash
        fetched_blocks = fetching.blocks(found.serving.chain, heights, others=others)
        with contextlib.closing(fetched_blocks), contextlib.suppress(BlockNotFound):
            # (a block that is not there: the tip moved back while we asked; the next run sees where to)
            for fetched in fetched_blocks:
                ref = fetched.block.ref
                if ref.parent != parent or not found.vouched(ref.height, ref.hash, fetched.said):
                    break
                matched = matching.look(chain=found.serving.chain, routes=self.routes, block=fetched.block)
                if not _commit(matched, self.routes, now=self.now):
                    break
                done, parent = done + 1, ref.hash
                self.scanned += 1
        return done

    def _back(self, found: Survey, cursor: Cursor) -> bool:
        """Walks back to the fork where the serving source is on another branch and nobody holds on to ours."""
        limit = getattr(settings, "WALLETS_REORG_LIMIT", REORG_LIMIT)
        shared = reorganisations.fork(
            chain=found.serving.chain,
            network_id=self.routes.network.id,
            cursor=cursor,
            tip=found.serving.tip,
            limit=limit,
        )
        if shared is None:
            return False
        if not all(self._left(look, shared, waited_for=look in found.witnesses) for look in found.others):
            return False
        reorganisations.walk_back(routes=self.routes, cursor=cursor, to=shared, now=self.now)
        self.reversed += crediting.reverse_due(routes=self.routes, now=self.now)
        return True

    def _left(self, look: Look, shared: BlockRef, *, waited_for: bool) -> bool:
        """Whether another source has left our branch, too. One that is well and has no block there yet is waited for."""
        height = shared.height + 1
        try:
            theirs = look.chain.block_ref(height).hash
        except BlockNotFound:
            return not waited_for
        ours = Block.objects.filter(network_id=self.routes.network.id, height=height, orphaned_at=None, hash=theirs)
        return not ours.exists()


def _commit(found: matching.Found, the_routes: Routes, *, now: datetime) -> bool:
    """Commits a block's matches and the cursor together. False when the block no longer follows the cursor."""
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update().get(network_id=the_routes.network.id)
        if cursor.hash != found.ref.parent or cursor.height + 1 != found.ref.height or cursor.halted:
            return False
        matching.record(found=found, routes=the_routes, now=now)
        cursor.height, cursor.hash, cursor.updated_at = found.ref.height, found.ref.hash, now
        cursor.save()
        if found.credits:
            faults.passing("deposit.record.before_commit")
    if found.credits:
        faults.passing("deposit.record.after_commit")
    return True


def _start(found: Survey, network_id: int, *, now: datetime) -> Cursor:
    """Where a new network begins: at the tip, or before the oldest address could have been paid."""
    chain, tip = found.serving.chain, found.serving.tip
    assert tip is not None
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


def rescan(*, network: str, from_height: int, to_height: int | None = None, now: datetime) -> int:
    """Matches again every block from this height on, up to `to_height` or the cursor; nothing is credited twice.

    Returns how many blocks. Where a range brings to light a coin that was not known, the rescan goes on to the cursor: a later
    block may spend it.
    """
    the_routes = routes.of(network)
    with nodes.only_one(f"scan:{network}") as mine:
        if not mine:
            raise ScannerBusy("The scanner is at work on this network; try again.")
        try:
            top = Cursor.objects.get(network_id=the_routes.network.id).height
        except ObjectDoesNotExist:
            raise NothingScanned("This network was never scanned.", param="network") from None
        last = top if to_height is None else min(top, to_height)
        if from_height < 0 or from_height > last:
            raise RangeInvalid(f"The range must lie between 0 and {top}.", param="from_height")
        found = sources.survey(routes=the_routes, now=now)
        count = _rescan(found, range(from_height, last + 1), now=now)
        # (also one that an earlier rescan found, which then broke off)
        if last < top and coins.unripe(the_routes.network.id).filter(block_height__gte=from_height).exists():
            count += _rescan(found, range(last + 1, top + 1), now=now)
            last = top
        if last == top:
            _ripen(the_routes, from_height=from_height, top=top)
    return count


def _ripen(the_routes: Routes, *, from_height: int, top: int) -> None:
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update().get(network_id=the_routes.network.id)
        if cursor.height < top:
            raise Conflict("The chain was reorganised meanwhile; scan the range again.")
        coins.ripen(the_routes.network.id, from_height=from_height)


def _rescan(found: Survey, heights: range, *, now: datetime) -> int:
    others = {look.name: look.chain for look in found.others}
    with contextlib.closing(fetching.blocks(found.serving.chain, heights, others=others)) as fetched_blocks:
        for fetched in fetched_blocks:
            if not found.vouched(fetched.block.ref.height, fetched.block.ref.hash, fetched.said):
                raise Conflict("The sources of this network contradict each other; find out which one is right first.")
            matched = matching.look(chain=found.serving.chain, routes=found.routes, block=fetched.block, exact=True)
            _record_again(matched, found.routes, now=now)
    return len(heights)


def _record_again(found: matching.Found, the_routes: Routes, *, now: datetime) -> None:
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update().get(network_id=the_routes.network.id)
        ours = Block.objects.filter(network_id=cursor.network_id, height=found.ref.height, orphaned_at=None).first()
        if ours is not None and ours.hash != found.ref.hash:
            raise Conflict("The node is on another branch than the scanner; let it follow first.")
        matching.record(found=found, routes=the_routes, again=True, now=now)


def resume(*, network: str, now: datetime) -> None:
    """Lets a halted scanner go on, after staff have looked. The stop of withdrawals is lifted separately."""
    Cursor.objects.filter(network_id=routes.of(network).network.id).update(halted="", updated_at=now)
