"""Keeps the demo's three nodes running, and says in a file where they answer.

A node that dies comes back after a pause, on the same port and the same chain, so that the rest can be seen to wait for it.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import FrameType

from config.regtest.ethereum import Anvil
from config.regtest.process import NodeError, NodeProcess
from config.regtest.rpc import RpcError
from config.regtest.utxo import Bitcoind, Litecoind

RESTART_AFTER_S = 10.0
WATCH_EVERY_S = 0.5
DEMO_SLOTS_IN_AN_EPOCH = 4
NETWORKS: Mapping[str, type[NodeProcess]] = {"bitcoin": Bitcoind, "litecoin": Litecoind, "ethereum": Anvil}


def nodes_file(state: Path) -> Path:
    """Written when all nodes answer: {"pid": …, "urls": {network: url}}. Holds passwords, so only its owner reads it."""
    return state / "nodes.json"


def make(state: Path) -> dict[str, NodeProcess]:
    return {
        "bitcoin": Bitcoind(folder=_folder(state, "bitcoin")),
        "litecoin": Litecoind(folder=_folder(state, "litecoin")),
        "ethereum": Anvil(folder=_folder(state, "ethereum"), slots_in_an_epoch=DEMO_SLOTS_IN_AN_EPOCH),
    }


def _folder(state: Path, network: str) -> Path:
    return state / "nodes" / NETWORKS[network].name


def urls(state: Path) -> dict[str, str]:
    """Where the running nodes answer. Raises NodeError when none were started in this state folder."""
    try:
        stated: dict[str, str] = json.loads(nodes_file(state).read_text())["urls"]
    except (OSError, ValueError, KeyError) as exc:
        raise NodeError("No nodes run here: start them with `make demo`.") from exc
    return stated


def attach(state: Path) -> dict[str, NodeProcess]:
    """The nodes that a keeper of this state folder runs."""
    return {network: NETWORKS[network].at(url, folder=_folder(state, network)) for network, url in urls(state).items()}


def run(state: Path) -> None:
    """Starts the nodes and watches over them until SIGTERM or SIGINT."""
    ending = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ending.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    nodes = make(state)
    try:
        for node in nodes.values():
            node.spawn()
        with ThreadPoolExecutor(max_workers=len(nodes)) as pool:
            list(pool.map(_await, nodes, nodes.values()))
        _announce(state, nodes)
        _watch(nodes, ending)
    finally:
        nodes_file(state).unlink(missing_ok=True)
        for node in nodes.values():
            node.stop()


def _await(network: str, node: NodeProcess) -> None:
    node.await_ready()
    print(f"{network}: {node.name} (process {node.pid}) at height {node.height()}", flush=True)


def _announce(state: Path, nodes: Mapping[str, NodeProcess]) -> None:
    scratch = nodes_file(state).with_suffix(".new")
    scratch.unlink(missing_ok=True)
    scratch.touch(mode=0o600)
    content = {"pid": os.getpid(), "urls": {network: node.url for network, node in nodes.items()}}
    scratch.write_text(json.dumps(content))
    scratch.replace(nodes_file(state))


def _watch(nodes: Mapping[str, NodeProcess], ending: threading.Event) -> None:
    due: dict[str, float] = {}
    while not ending.wait(WATCH_EVERY_S):
        for network, node in nodes.items():
            if node.running:
                continue
            if network not in due:
                print(f"{network}: {node.name} has ended; it comes back in {RESTART_AFTER_S:.0f} s", flush=True)
                due[network] = time.monotonic() + RESTART_AFTER_S
            elif time.monotonic() >= due[network]:
                # A node that cannot start yet (its port is still taken) is tried again after the same pause.
                del due[network]
                with suppress(NodeError, RpcError, OSError):
                    node.start()
                    print(f"{network}: {node.name} is back (process {node.pid})", flush=True)
