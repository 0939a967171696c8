"""Reads and decodes ahead, in a thread of its own, while the batch before is with the database.

What stands here is not consumed yet: only a committed batch moves the shard's position. What must never happen here: a
change of order, or an entry dropped without its position going on to the batch.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread
from typing import NamedTuple

from trading import wire
from trading.runner.stream import Position, Stream
from trading.wire import Asked, Malformed

AHEAD_MAX = 2_000
READ_MAX = 500
IDLE_MS = 200
FEW = 250  # entries; from so many on a batch is large enough not to look for the newest
LOOK_S = 0.005  # how long what stands ready waits for such a look


class Taken(NamedTuple):
    """An entry of the stream: the position after it, its bytes, and its command, None where it was malformed."""

    position: Position
    body: bytes
    asked: Asked | None


class Intake:
    """What stands next in the stream, decoded, at most AHEAD_MAX entries ahead."""

    def __init__(self, stream: Stream, position: Position, *, malformed: Callable[[Position, Malformed], None]) -> None:
        self._stream = stream
        self._position = position
        self._malformed = malformed
        self._ready: deque[Taken] = deque()
        self._changed = Condition()
        self._wanted = True  # somebody asks for what has come since the last look
        self._looked = False  # a look that began after that has ended
        self._closed = False
        self._error: Exception | None = None
        self._thread = Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    def take(self, *, most: int, seconds: float) -> list[Taken]:
        """What is there, in order, at most `most`; waits up to `seconds` for the first. Raises what reading raised.

        Where little stands ready, the stream is looked at once more: an entry that has just come shall not wait for the next
        batch. Nobody looks while nobody asks, for a look costs both sides more than the entry that it finds.
        """
        until = time.monotonic() + seconds
        with self._changed:
            if len(self._ready) < FEW:
                self._wanted, self._looked = True, False
                self._changed.notify_all()
            while len(self._ready) < FEW and self._error is None:
                wait_s = until - time.monotonic()
                if self._ready:
                    wait_s = min(wait_s, LOOK_S)
                if (self._looked and self._ready) or wait_s <= 0.0 or not self._changed.wait(wait_s):
                    break
            if self._error is not None:
                raise self._error
            taken = [self._ready.popleft() for _ in range(min(most, len(self._ready)))]
            self._changed.notify_all()
        return taken

    def gathered(self) -> int:
        """How many entries stand ready."""
        return len(self._ready)

    def close(self) -> None:
        """Read no further; what was read ahead is forgotten, for it was never consumed."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout=2 * IDLE_MS / 1_000)

    def _run(self) -> None:
        more = False  # the last look was cut short by READ_MAX
        try:
            while self._asked_for(more):
                entries = self._stream.read(self._position, most=READ_MAX)
                more = len(entries) == READ_MAX
                found = [
                    Taken(entry.position, entry.body, self._decoded(entry.position, entry.body)) for entry in entries
                ]
                with self._changed:
                    if found:
                        self._position = found[-1].position
                        self._ready.extend(found)
                    self._looked = True
                    self._changed.notify_all()
                    nothing = not self._ready
                if nothing:
                    self._stream.wait(self._position, milliseconds=IDLE_MS)
                    more = True
        except Exception as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _asked_for(self, more: bool) -> bool:
        """Wait until somebody asks, or there is more and room for it; False when closed."""
        with self._changed:
            while not self._closed and not self._wanted and not (more and len(self._ready) < AHEAD_MAX):
                self._changed.wait()
            self._wanted = False
            return not self._closed

    def _decoded(self, position: Position, body: bytes) -> Asked | None:
        try:
            return wire.decode(body)
        except Malformed as error:
            self._malformed(position, error)
            return None
