"""Asks every source of a network how far it is, says which of them serves and which bear witness, and writes down what was found.

A network has one source or two. A block is believed only while no source that answers says otherwise at its height, and while
every source that is well has come as far; one that is down, stuck, behind or on another chain is shown and waited for no longer.
What must never happen here: a source believed against another one, or a key of a source in what is written down.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from wallets import metrics, nodes
from wallets.chains.protocol import BlockNotFound, BlockRef, ChainError, DataPruned, NodeUnavailable, WrongChain
from wallets.models import Block, Cursor, Source
from wallets.routes import Routes

State = Source.State
# Who serves, best first; what is not here cannot.
RANK = {State.OK: 0, State.SLOW: 1, State.STUCK: 2, State.BEHIND: 3}
WELL = (State.OK, State.SLOW)
STUCK_SECONDS_MIN = 600
# So deep a difference is no race between two blocks found at once.
SERIOUS_DEPTH = 3
ERROR_LENGTH_MAX = 500

# A source that threw away a block is tried again after this long, or when we are past the block.
PRUNED_SECONDS = 60.0
# What the thorough look found of a source counts for the others this long.
FOUND_COUNTS = timedelta(seconds=60)

# Sources that threw away a block that was needed: its height, and until when it is not asked for again.
_pruned: dict[tuple[int, str], tuple[int, float]] = {}


@dataclass
class Look:
    """What one source answered."""

    name: str
    chain: Any
    state: State = State.OK
    tip: BlockRef | None = None
    error: str = ""
    disagrees: str = ""

    @property
    def answers(self) -> bool:
        return self.tip is not None and self.state in RANK


@dataclass
class Survey:
    """All sources of a network at one moment.

    `disputed`: somebody has another block than the one on which we stand, or than the next one. `serious`: the two have been
    apart for longer than two blocks found at once would explain.
    """

    routes: Routes
    looks: list[Look]
    serving: Look
    disputed: bool = False
    serious: bool = False
    _contradicted: bool = False

    @property
    def others(self) -> list[Look]:
        return [look for look in self.looks if look is not self.serving and look.answers]

    @property
    def witnesses(self) -> list[Look]:
        """Those beside the serving one that must have a block before it is believed."""
        return [look for look in self.others if look.state in WELL]

    @property
    def reach(self) -> int:
        """How far one may go: as far as all that are well have come."""
        tips = [look.tip.height for look in (self.serving, *self.witnesses) if look.tip is not None]
        return min(tips)

    @property
    def error(self) -> str:
        """Why the network as a whole does not work, "" when it does."""
        if self.serious:
            return next(look.disagrees for look in self.looks if look.disagrees)
        return self.serving.error if self.serving.state != State.SLOW else ""

    def vouched(self, height: int, block_hash: str, said: dict[str, str]) -> bool:
        """Whether nobody says another block at this height. `said` is what was asked along with the block, by source."""
        for look in self.others:
            other = said.get(look.name, "")
            if other and other != block_hash:
                self.contradict(look, height, block_hash, other)
                return False
        return True

    def stand(self, cursor: Cursor) -> None:
        """Asks again whether everybody has the block on which we stand, where somebody had not, or a next one was refused."""
        if self.disputed or self._contradicted:
            try:
                self.disputed = self._contradicted or not all(_stands(look, cursor) for look in self.others)
            except ChainError:
                self.disputed = True  # it went down since; the next look finds it so and goes on without it

    def contradict(self, look: Look, height: int, ours: str, theirs: str) -> None:
        self._contradicted = True
        look.disagrees = f"at height {height}, {self.serving.name} has {ours} and {look.name} has {theirs}"


def survey(*, routes: Routes, now: datetime, thorough: bool = False) -> Survey:
    """Asks every source. Raises NodeUnavailable when none can serve; what was found is written down first.

    `thorough`: whether each one is still of our chain and has the block that it calls its newest is asked as well.
    """
    cursor = Cursor.objects.filter(network_id=routes.network.id).first()
    looks = _ask(routes)
    for look in looks:
        _judge(look, routes, cursor, now=now)
    _remember(looks, routes, thorough=thorough, now=now)
    usable = [look for look in looks if look.answers]
    if not usable:
        write(routes, looks, now=now)
        failure = looks[0].error if looks else f"no node is configured for {routes.network.code}"
        raise NodeUnavailable(failure)
    found = Survey(routes, looks, min(usable, key=lambda look: RANK[look.state]))
    for look in found.others:
        _compare(found, look, cursor)
    return found


def _ask(routes: Routes) -> list[Look]:
    looks = [Look(name, chain) for name, chain in nodes.sources(routes.network.code).items()]
    if len(looks) == 1:
        _tip(looks[0])
    elif looks:
        with ThreadPoolExecutor(len(looks), thread_name_prefix="sources") as pool:
            list(pool.map(_tip, looks))
    return looks


def _tip(look: Look) -> None:
    """Runs in a thread: asks the node and nothing else."""
    began = time.monotonic()
    try:
        look.tip = look.chain.tip()
    except WrongChain as failure:
        look.state, look.error = State.WRONG_CHAIN, str(failure)
    except ChainError as failure:
        look.state, look.error = State.DOWN, str(failure) or "the node does not answer"
    took = time.monotonic() - began
    if look.tip is not None and took > settings.WALLETS_SOURCE_SLOW_SECONDS:
        look.state, look.error = State.SLOW, f"the node took {took:.0f} seconds to name its newest block"


def _judge(look: Look, routes: Routes, cursor: Cursor | None, *, now: datetime) -> None:
    if look.tip is None:
        return
    age = now.timestamp() - look.tip.time
    lost, until = _pruned.get((routes.network.id, look.name), (-1, 0.0))
    if cursor is not None and lost > cursor.height and time.monotonic() < until:
        look.state, look.error = State.PRUNED, f"the node has thrown away block {lost}, which is needed"
    elif cursor is not None and look.tip.height < cursor.height:
        behind = cursor.height - look.tip.height
        look.state, look.error = State.BEHIND, f"the node is {behind} blocks behind what was scanned before"
    elif settings.WALLETS_STUCK_BLOCKS and age > _patience(routes):
        look.state, look.error = State.STUCK, f"the node's newest block is {age / 60:.0f} minutes old"


def _patience(routes: Routes) -> float:
    """Seconds without a block after which something is wrong."""
    return max(STUCK_SECONDS_MIN, settings.WALLETS_STUCK_BLOCKS * routes.network.block_seconds)


def _compare(found: Survey, look: Look, cursor: Cursor | None) -> None:
    """Holds a source against the serving one where both have a block, and against the block on which we stand."""
    serving = found.serving
    assert serving.tip is not None and look.tip is not None
    common = min(serving.tip.height, look.tip.height)
    try:
        depth, theirs = _difference(serving.chain, look.chain, common)
        stand = _stands(look, cursor)
    except ChainError as failure:
        look.state, look.error = State.DOWN, str(failure)
        return
    if depth:
        ours = serving.chain.block_ref(common).hash
        look.disagrees = f"at height {common}, {serving.name} has {ours} and {look.name} has {theirs}"
        ahead = max(serving.tip.height, look.tip.height) - common
        found.serious = found.serious or depth >= SERIOUS_DEPTH or ahead >= SERIOUS_DEPTH
    if not stand:
        found.disputed = True


def _difference(one: Any, other: Any, common: int) -> tuple[int, str]:
    """(blocks from the fork to the common height, the other's hash there); (0, "") where they agree."""
    theirs = ""
    for depth in range(SERIOUS_DEPTH + 1):
        height = common - depth
        if height < 0:
            return depth, theirs
        try:
            mine, hers = one.block_ref(height).hash, other.block_ref(height).hash
        except BlockNotFound:
            return 0, ""  # one of them went back meanwhile; the next look compares
        if mine == hers:
            return depth, theirs
        theirs = theirs or hers
    return SERIOUS_DEPTH, theirs


def _stands(look: Look, cursor: Cursor | None) -> bool:
    """Whether the source has the block that we scanned last, as far as it has come."""
    if cursor is None or look.tip is None:
        return True
    height = min(look.tip.height, cursor.height)
    kept = Block.objects.filter(network_id=cursor.network_id, height=height, orphaned_at=None).first()
    try:
        return kept is None or kept.hash == look.chain.block_ref(height).hash
    except BlockNotFound:
        return True


def _remember(looks: list[Look], routes: Routes, *, thorough: bool, now: datetime) -> None:
    """A lie is found by the thorough look and a missing block by the scanner; each tells the other by the source's row."""
    fresh = Source.objects.filter(network_id=routes.network.id, checked_at__gte=now - FOUND_COUNTS)
    before = {row.name: row for row in fresh}
    for look in looks:
        row = before.get(look.name)
        if look.answers and thorough:
            _check_one(look)
        if look.answers and row is not None and row.state == (State.PRUNED if thorough else State.LYING):
            look.state, look.error = State(row.state), row.last_error


def _check_one(look: Look) -> None:
    try:
        look.chain.check()
        tip = look.chain.tip()
        has = _hash_at(look.chain, tip.height)
        if has != tip.hash and look.chain.tip() == tip and _hash_at(look.chain, tip.height) == has:
            look.state = State.LYING
            look.error = f"the node calls {tip.hash} its newest block, and has {has or 'none'} at height {tip.height}"
    except WrongChain as failure:
        look.state, look.error = State.WRONG_CHAIN, str(failure)
    except ChainError as failure:
        look.state, look.error = State.DOWN, str(failure)


def _hash_at(chain: Any, height: int) -> str:
    try:
        return str(chain.block_ref(height).hash)
    except BlockNotFound:
        return ""


def finalized(found: Survey, cursor: Cursor) -> int | None:
    """The highest block that every source that is well calls final and that is a block of ours; None where there is none."""
    heights = [look.chain.finalized() for look in (found.serving, *found.witnesses)]
    if not heights or None in heights:
        return None
    height = min(cursor.height, *heights)
    kept = Block.objects.filter(network_id=cursor.network_id, height=height, orphaned_at=None).first()
    if kept is None or found.serving.chain.block_ref(height).hash != kept.hash:
        return None
    return height


def lost_block(routes: Routes, look: Look, height: int, failure: DataPruned) -> None:
    """The serving source has a block's header and not its contents: another one serves until we are past it."""
    _pruned[(routes.network.id, look.name)] = height, time.monotonic() + PRUNED_SECONDS
    look.state, look.error = State.PRUNED, str(failure)


def write(routes: Routes, looks: list[Look], *, now: datetime) -> None:
    """One row a source. A source that is no longer configured leaves no row."""
    network_id, network = routes.network.id, routes.network.code
    for look in looks:
        fields: dict[str, Any] = {"checked_at": now, "state": look.state, "last_error": look.error[:ERROR_LENGTH_MAX]}
        fields["disagrees"] = look.disagrees[:ERROR_LENGTH_MAX]
        if look.tip is not None:
            fields |= {"tip_height": look.tip.height, "tip_hash": look.tip.hash}
            metrics.SOURCE_TIP.labels(network, look.name).set(look.tip.height)
        if look.state in WELL and not look.disagrees:
            fields["last_ok_at"] = now
        Source.objects.update_or_create(network_id=network_id, name=look.name, defaults=fields)
        metrics.SOURCE_UP.labels(network, look.name).set(int(look.state in WELL))
        metrics.SOURCE_DISAGREES.labels(network, look.name).set(int(bool(look.disagrees)))
    Source.objects.filter(network_id=network_id).exclude(name__in=[look.name for look in looks]).delete()


def ranked(network_id: int, names: list[str], *, since: datetime) -> Iterator[str]:
    """The names of a network's sources, the one that does best first, by what was written down after `since`. One query."""
    rows = Source.objects.filter(network_id=network_id, checked_at__gte=since).values_list("name", "state")
    states = dict(rows)
    yield from sorted(names, key=lambda name: RANK.get(State(states.get(name, State.OK)), len(RANK)))
