"""Named points at which a test may kill or stop the real process, with a count of how often each was passed.

Armed by the environment alone: ENGINE_FAULT="point:nth:SIGNAL". Production settings refuse it (see process.py).
What must never happen here: anything at all, unless armed.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

VARIABLE = "ENGINE_FAULT"
LOG_VARIABLE = "ENGINE_FAULT_LOG"

INSIDE_TRANSACTION = "inside_transaction"
BEFORE_COMMIT = "before_commit"
AFTER_COMMIT = "after_commit"
AFTER_RELEASE = "after_release"
POINTS = (INSIDE_TRANSACTION, BEFORE_COMMIT, AFTER_COMMIT, AFTER_RELEASE)

hits: Counter[str] = Counter()


def armed() -> bool:
    return VARIABLE in os.environ


def point(name: str) -> None:
    """Count the passage; die or stop here if the environment says so."""
    if VARIABLE not in os.environ:
        return
    hits[name] += 1
    wanted, nth, signal_name = os.environ[VARIABLE].split(":")
    if name == wanted and hits[name] == int(nth):
        if log := os.environ.get(LOG_VARIABLE):
            with Path(log).open("a") as handle:
                handle.write(f"{name} {hits[name]} {signal_name}\n")
                handle.flush()
                os.fsync(handle.fileno())
        os.kill(os.getpid(), signal.Signals[signal_name])
