"""Finds and ends every process of one demo run, however deep its parents and whatever became of them.

Each process inherits a mark in its environment, and the kernel shows a user the environment of their own processes. Only
processes with this run's mark are ever touched.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

VARIABLE = "BOURSE_DEMO_RUN"
POLL_S = 0.1


def processes(mark: str) -> list[int]:
    """The living processes that carry the mark, this one left out."""
    wanted = f"{VARIABLE}={mark}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        if pid == os.getpid():
            continue
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0") and not _zombie(folder):
                found.append(pid)
        except OSError:  # another user's, or it has just ended
            continue
    return found


def _zombie(folder: Path) -> bool:
    return (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"


def command_line(pid: int) -> str:
    """All of its words: a checkout may stand behind a long path, and what tells two processes apart comes last."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def end(mark: str, *, patience_s: float, spare: frozenset[int] = frozenset()) -> list[int]:
    """SIGTERM to all, SIGKILL to what is left after `patience_s`; returns those that had to be killed."""
    _send(mark, signal.SIGTERM, spare)
    deadline = time.monotonic() + patience_s
    while left := [pid for pid in processes(mark) if pid not in spare]:
        if time.monotonic() > deadline:
            _send(mark, signal.SIGKILL, spare)
            return left
        time.sleep(POLL_S)
    return []


def _send(mark: str, number: signal.Signals, spare: frozenset[int]) -> None:
    for pid in processes(mark):
        if pid not in spare:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
