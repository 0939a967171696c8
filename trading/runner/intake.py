"""Reads and decodes ahead, in a thread of its own, while the batch before is with the database.

What stands here is not consumed yet: only a committed batch moves the shard's position. What must never happen here: a
change of order, or an entry dropped without its position going on to the batch.
"""

from __future__ import annotations

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
        self._closed = False
        self._error: Exception | None = None
        self._thread = Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    def take(self, *, most: int, seconds: float) -> list[Taken]:
        """What is there, in order, at most `most`; waits up to `seconds` for the first. Raises what reading raised."""
        with self._changed:
            if not self._ready and self._error is None:
                self._changed.wait(seconds)
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
        try:
            while self._room():
                entries = self._stream.read(self._position, most=READ_MAX)
                if not entries:
                    self._stream.wait(self._position, milliseconds=IDLE_MS)
                    continue
                found = [
                    Taken(entry.position, entry.body, self._decoded(entry.position, entry.body)) for entry in entries
                ]
                with self._changed:
                    self._position = entries[-1].position
                    self._ready.extend(found)
                    self._changed.notify_all()
        except Exception as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _room(self) -> bool:
        """Wait until there is room for more; False when closed."""
        with self._changed:
            while len(self._ready) >= AHEAD_MAX and not self._closed:
                self._changed.wait()
            return not self._closed

    def _decoded(self, position: Position, body: bytes) -> Asked | None:
        try:
            return wire.decode(body)
        except Malformed as error:
            self._malformed(position, error)
            return None
