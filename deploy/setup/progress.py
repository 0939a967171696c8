"""Lines that show a person what set-up is doing. Several steps run at once, so every line names its step.

Output only: nothing here decides anything.
"""

import sys
import threading
import time

_lock = threading.Lock()
_started = time.monotonic()

TALLY_EVERY_S = 2.0


def say(step: str, text: str) -> None:
    """One line, with the seconds since the start, so that a slow step can be seen."""
    elapsed_s = time.monotonic() - _started
    with _lock:
        sys.stdout.write(f"{elapsed_s:6.1f}s  {step:<9} {text}\n")
        sys.stdout.flush()


class Tally:
    """Counts the bytes of one step's downloads and shows them every two seconds."""

    def __init__(self, *, step: str, total_bytes: int) -> None:
        self.step = step
        self.total_bytes = total_bytes
        self._done_bytes = 0
        self._shown_at = time.monotonic()
        self._lock = threading.Lock()

    def add(self, count_bytes: int) -> None:
        with self._lock:
            self._done_bytes += count_bytes
            now = time.monotonic()
            if now - self._shown_at < TALLY_EVERY_S:
                return
            self._shown_at = now
            done_bytes = self._done_bytes
        say(self.step, f"{done_bytes / 1e6:.1f} of {self.total_bytes / 1e6:.1f} MB")
