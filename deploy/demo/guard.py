"""Ends the demo when its supervisor was killed and could not: `python -m deploy.demo.guard MARK`, started by the supervisor.

The kernel tells it when the supervisor dies, by kill -9 too; then every process that carries the mark is ended, and the
embedded services are shut down cleanly.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from types import FrameType

from config import embedded
from deploy.demo import marked

PATIENCE_S = 10.0
DONE = b"d"
_PR_SET_PDEATHSIG = 1


class SupervisorGone(Exception):
    """The supervisor died without a word."""


def main(mark: str, supervisor: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a Ctrl-C is for the supervisor; this process outlives it on purpose
    try:
        _wait(supervisor)
    except SupervisorGone:
        # Valkey and PostgreSQL go last and by their own door: whatever still writes to them is gone by then.
        marked.end(mark, patience_s=PATIENCE_S, spare=frozenset(embedded_pids()))
        embedded.stop()


def _wait(supervisor: int) -> None:
    """Returns when the supervisor says that all is done; raises SupervisorGone when it died instead.

    The end of the pipe alone would not tell: processes that the supervisor forked hold a copy of its other end.
    """

    def gone(_number: int, _frame: FrameType | None) -> None:
        raise SupervisorGone

    signal.signal(signal.SIGUSR1, gone)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1)
    if os.getppid() != supervisor or os.read(sys.stdin.fileno(), 1) != DONE:
        raise SupervisorGone


def embedded_pids() -> set[int]:
    """The embedded servers that carry the mark because this run started them."""
    state = embedded.state_folder()
    pids = set()
    for file in (state / "valkey" / "pid", state / "postgres" / "data" / "postmaster.pid"):
        try:
            pids.add(int(file.read_text().split()[0]))
        except (OSError, ValueError, IndexError):
            continue
    return pids


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
