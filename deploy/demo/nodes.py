"""Starts the keeper of the chain nodes as a process of its own, and waits until it says where they answer."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from config.regtest import keeper
from config.regtest.process import NodeError
from deploy.setup import places

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
VARIABLES = {"bitcoin": "BITCOIN_RPC_URL", "litecoin": "LITECOIN_RPC_URL", "ethereum": "ETHEREUM_RPC_URL"}


class Keeper:
    """The process that holds bitcoind, litecoind and anvil."""

    def __init__(self, *, state: Path, environment: Mapping[str, str]) -> None:
        self.state = state
        self.log = state / "log" / "nodes.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        keeper.nodes_file(state).unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "config.regtest", "run"],
                cwd=places.ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> dict[str, str]:
        """The environment that tells the rooms where the nodes are. Raises NodeError when they do not start."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not keeper.nodes_file(self.state).exists():
            if self._child.poll() is not None:
                words = self.log.read_text(errors="replace").strip().splitlines()
                raise NodeError(words[-1] if words else f"The nodes did not start; their log is {self.log}.")
            if time.monotonic() > deadline:
                raise NodeError(f"The nodes did not start within {START_TIMEOUT_S:.0f} s; their log is {self.log}.")
            time.sleep(0.05)
        return {VARIABLES[network]: url for network, url in keeper.urls(self.state).items()}

    def stop(self) -> None:
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
