"""Mines blocks on the private chains by the clock, so that deposits confirm and withdrawals become final while one watches.

Only ever mines on nodes of the state folder's keeper; a node that is down is left out until it answers again.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from config.regtest import keeper
from config.regtest.rpc import RpcError

# Fast enough to watch, slow enough to see "unconfirmed"; the real chains take 600 s, 150 s and 12 s.
BLOCK_EVERY_S: Mapping[str, float] = {"bitcoin": 20.0, "litecoin": 12.0, "ethereum": 5.0}


def run(state: Path) -> None:
    """Mines until SIGTERM or SIGINT."""
    ending = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ending.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    nodes = keeper.attach(state)
    due = {network: time.monotonic() + every_s for network, every_s in BLOCK_EVERY_S.items()}
    while not ending.is_set():
        network = min(due, key=lambda name: due[name])
        if ending.wait(max(0.0, due[network] - time.monotonic())):
            return
        due[network] = time.monotonic() + BLOCK_EVERY_S[network]
        try:
            nodes[network].mine()
            print(f"{network}: block {nodes[network].height()}", flush=True)
        except (OSError, RpcError) as exc:
            print(f"{network}: no block, the node says {exc}", flush=True)
