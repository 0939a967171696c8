"""Named points at which a test may kill or stop the real process, with a count of how often each was passed.

Armed by the environment alone: ENGINE_FAULT="point:nth:SIGNAL", or "@file": whenever that file appears with "point:SIGNAL" in it,
the next passage of the point takes it. Production settings refuse both (see shard.py).
What must never happen here: anything at all, unless armed.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from functools import cache
from pathlib import Path

VARIABLE = "ENGINE_FAULT"
LOG_VARIABLE = "ENGINE_FAULT_LOG"

BEFORE_BATCH = "before_batch"  # taken, nothing done
INSIDE_TRANSACTION = "inside_transaction"  # all written under row locks, the shard not moved on
BEFORE_COMMIT = "before_commit"
AFTER_COMMIT = "after_commit"  # committed, nobody told
BEFORE_RELEASE = "before_release"
INSIDE_RELEASE = "inside_release"  # a record told in part
AFTER_RELEASE = "after_release"  # told, and nowhere noted that it was
POINTS = (BEFORE_BATCH, INSIDE_TRANSACTION, BEFORE_COMMIT, AFTER_COMMIT, BEFORE_RELEASE, INSIDE_RELEASE, AFTER_RELEASE)

hits: Counter[str] = Counter()


def armed() -> bool:
    return VARIABLE in os.environ


def portion(usual: int) -> int:
    """How much goes out in one call: armed, the least, so that a small batch has an inside, too."""
    return 1 if VARIABLE in os.environ else usual


def point(name: str) -> None:
    """Count the passage; die or stop here if the environment says so."""
    if VARIABLE not in os.environ:
        return
    hits[name] += 1
    plan = os.environ[VARIABLE]
    signal_name = _order(Path(plan[1:]), name) if plan.startswith("@") else _planned(plan).get((name, hits[name]))
    if signal_name is None:
        return
    if log := os.environ.get(LOG_VARIABLE):
        with Path(log).open("a") as handle:
            handle.write(f"{name} {hits[name]} {signal_name} {time.monotonic_ns()}\n")
            handle.flush()
            os.fsync(handle.fileno())
    os.kill(os.getpid(), signal.Signals[signal_name])


@cache
def _planned(text: str) -> dict[tuple[str, int], str]:
    name, nth, signal_name = text.split(":")
    return {(name, int(nth)): signal_name}


def _order(file: Path, name: str) -> str | None:
    """The signal that was ordered for this point, once: whoever takes the file away has the order."""
    try:
        wanted, signal_name = file.read_text().split(":")
        if wanted != name:
            return None
        file.unlink()
    except FileNotFoundError:
        return None
    return signal_name
