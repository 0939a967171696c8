"""Takes what stands in the stream, decoded; and where much of it stands there, reads ahead in a thread of its own, while the
batch before is with the database.

What stands here is not consumed yet: only a committed batch moves the shard's position. What must never happen here: a
change of order, or an entry dropped without its position going on to the batch.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import NamedTuple

from trading import wire
from trading.runner.stream import Position, Stream
from trading.wire import Asked, Malformed

AHEAD_MAX = 2_000
READ_MAX = 500
IDLE_MS = 200
FEW = 250  # entries; from so many on a batch is large enough not to look for the newest


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
        self._turn = Lock()  # whose it is to look
        self._cut = False  # the last look was cut short by READ_MAX
        self._more = Event()  # so it was, and there is room ahead
        self._closed = False
        self._error: Exception | None = None
        self._thread = Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    def take(self, *, most: int, seconds: float) -> list[Taken]:
        """What is there, in order, at most `most`; waits up to `seconds` for the first. Raises what reading raised.

        Where little stands ready, the stream is looked at once more: an entry that has just come shall not wait for the next
        batch. Whoever asks looks himself, for having it done by another thread takes longer than the look.
        """
        until = time.monotonic() + seconds
        with self._turn:
            if self._error is not None:
                raise self._error
            if len(self._ready) < FEW:
                self._look()
            while not self._ready and (wait_s := until - time.monotonic()) > 0.0:
                self._stream.wait(self._position, milliseconds=min(IDLE_MS, int(wait_s * 1_000)))
                self._look()
        taken = [self._ready.popleft() for _ in range(min(most, len(self._ready)))]
        if self._cut and len(self._ready) < AHEAD_MAX:
            self._more.set()
        return taken

    def gathered(self) -> int:
        """How many entries stand ready."""
        return len(self._ready)

    def close(self) -> None:
        """Read no further; what was read ahead is forgotten, for it was never consumed."""
        self._closed = True
        self._more.set()
        self._thread.join(timeout=2 * IDLE_MS / 1_000)

    def _run(self) -> None:
        while self._more.wait() and not self._closed:
            try:
                with self._turn:
                    self._look()
            except Exception as error:
                self._error = error
                return

    def _look(self) -> None:
        """One look at what has come since the last."""
        entries = self._stream.read(self._position, most=READ_MAX)
        if entries:
            self._ready.extend(
                Taken(each.position, each.body, self._decoded(each.position, each.body)) for each in entries
            )
            self._position = entries[-1].position
        self._cut = len(entries) == READ_MAX
        if not self._closed and not (self._cut and len(self._ready) < AHEAD_MAX):
            self._more.clear()

    def _decoded(self, position: Position, body: bytes) -> Asked | None:
        try:
            return wire.decode(body)
        except Malformed as error:
            self._malformed(position, error)
            return None
