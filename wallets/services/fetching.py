"""Fetches blocks ahead with a few threads while the ones before are matched and committed, and gives them out in order.

At most AHEAD blocks are asked for or kept at any time, so memory is bounded however far behind we are. What must never happen
here: a block out of order, or a thread that touches the database.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from wallets.chains.protocol import BlockNotFound, ChainError
from wallets.chains.utxo.block import UtxoBlock

THREADS = 4
AHEAD = 8

# One pool a process, so that its connections to the nodes stay open; made after a fork, never before.
_pools: dict[int, ThreadPoolExecutor] = {}


@dataclass(frozen=True, slots=True)
class Fetched:
    """A block, and which block the other sources have at its height ("" where one has none, or gave no answer)."""

    block: Any
    said: dict[str, str]


def blocks(chain: Any, heights: range, *, others: Mapping[str, Any]) -> Iterator[Fetched]:
    """The blocks of these heights, in order. Raises what the chain raised, at the block's turn."""
    if len(heights) <= 1:
        yield from (_fetch(chain, height, others) for height in heights)
        return
    waiting: deque[Future[Fetched]] = deque()
    left = iter(heights)
    try:
        for height in left:
            waiting.append(_pool().submit(_fetch, chain, height, others))
            if len(waiting) >= AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _fetch(chain: Any, height: int, others: Mapping[str, Any]) -> Fetched:
    block = chain.block(height)
    if others and isinstance(block, UtxoBlock):
        # Where two sources are compared by their hashes, what one of them says is in a block must be what was hashed.
        block.prove()
    return Fetched(block, {name: _said(other, height) for name, other in others.items()})


def _said(other: Any, height: int) -> str:
    try:
        return str(other.block_ref(height).hash)
    except BlockNotFound:
        return ""
    except ChainError:
        return ""  # it went down since it was surveyed; the next survey says so


def _pool() -> ThreadPoolExecutor:
    pid = os.getpid()
    if pid not in _pools:
        _pools.clear()
        _pools[pid] = ThreadPoolExecutor(THREADS, thread_name_prefix="blocks")
    return _pools[pid]
