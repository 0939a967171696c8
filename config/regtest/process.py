"""One node as a child process: a port of 127.0.0.1, a data folder, a log, start, ready probe, stop.

A node never outlives whoever started it: the kernel ends it when its parent dies, however that happens.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from config.regtest import rpc

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
PORT_TRIES = 2
_PR_SET_PDEATHSIG = 1


class NodeError(RuntimeError):
    """A node could not be started or does not do as asked; the text names its log."""


def refuse_production() -> None:
    """Raises under production settings, whether Django runs already or not."""
    named = os.environ.get("DJANGO_SETTINGS_MODULE", "")
    if "django.conf" in sys.modules:
        from django.conf import settings

        if settings.configured:
            named = getattr(settings, "SETTINGS_MODULE", named)
    if named == "config.settings.prod" or os.environ.get("BOURSE_HOUSE_SETTINGS") == "config.settings.prod":
        raise NodeError("Private test chains do not run under config.settings.prod.")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class NodeProcess:
    """What the three nodes have in common. `folder` holds the chain; a later start on it carries on."""

    name = "node"

    def __init__(self, *, folder: Path, port: int | None = None) -> None:
        refuse_production()
        self.folder = folder
        self.port = port or free_port()
        self._may_move = port is None  # until it has answered once: then others know the port
        self.log = folder / "log"
        self._child: subprocess.Popen[bytes] | None = None

    @classmethod
    def at(cls, url: str, *, folder: Path) -> Self:
        """A node that another process started: it can be asked and told to mine, not started or stopped."""
        node = cls(folder=folder, port=urlsplit(url).port)
        node._attach(url)
        return node

    def _attach(self, url: str) -> None:
        """Takes the credentials out of the address."""

    @property
    def url(self) -> str:
        """Where the node answers JSON-RPC, credentials included."""
        raise NotImplementedError

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _probe(self) -> None:
        """Asks the node something that only a ready one answers."""
        raise NotImplementedError

    def _prepare(self) -> None:
        """What the first start needs: coins of its own, a wallet. Runs at every start, so it looks before it acts."""

    def height(self) -> int:
        raise NotImplementedError

    def mine(self, count: int = 1) -> list[str]:
        """Mines blocks with what is pending; returns their hashes. They survive a kill."""
        raise NotImplementedError

    def send(self, address: str, amount: int) -> str:
        """Pays from the world outside, unconfirmed until `mine`; returns the txid. `amount` in base units."""
        raise NotImplementedError

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def rpc(self, method: str, *params: Any, timeout_s: float = rpc.TIMEOUT_S) -> Any:
        """One JSON-RPC call. Raises rpc.RpcError (the node refused) or OSError (it does not answer)."""
        return rpc.call(self.url, method, list(params), timeout_s=timeout_s)

    def start(self) -> None:
        """Returns when the node answers and its outside wallet has coins. Does nothing when it runs."""
        if not self.running:
            self.spawn()
            self.await_ready()

    def spawn(self) -> None:
        """Starts the program and does not wait for it. Call it from the main thread: the node ends with the thread's life."""
        refuse_production()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = self._command()
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # The kernel means the parent's thread, not its process: a short-lived thread would take the node along.
                preexec_fn=_end_with_parent if threading.current_thread() is threading.main_thread() else None,  # noqa: PLW1509
            )

    def await_ready(self) -> None:
        """Waits for a node that was spawned, and gives a new chain its first blocks."""
        for _attempt in range(PORT_TRIES):
            try:
                self._await_answer()
                break
            except NodeError:
                # Between being found free and being bound, a port can be taken by any connection of this machine.
                if self.running or not self._may_move:
                    raise
                self.port = free_port()
                self.spawn()
        else:
            self._await_answer()
        self._may_move = False
        self._prepare()

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            if not self.running:
                raise NodeError(f"{self.name} ended at once: {self._last_words()} (its log: {self.log})")
            try:
                self._probe()
                return
            except (OSError, rpc.RpcError) as exc:
                if time.monotonic() > deadline:
                    self.kill()
                    raise NodeError(f"{self.name} does not answer: {exc} (its log: {self.log})") from exc
            time.sleep(0.05)

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def stop(self) -> None:
        """A clean end, data written; SIGKILL when the node does not take the hint. Quiet when it does not run."""
        if not self.running:
            return
        assert self._child is not None
        self._child.terminate()
        try:
            self._child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL, as a crash would be. `start` on the same object carries on with the same data and port."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
