"""A websocket client's bytes, cut into frames: the plain ones opened at once, all others left as they are.

Nearly every frame that a client sends is a whole, masked text; to walk each through a protocol's generators costs more than
what it asks for. Pure. What must never happen here: a frame taken for plain that is fragmented, compressed, unmasked or larger
than a message may be: those are the protocol's to judge, bytes and all.
"""

from __future__ import annotations

from websockets.frames import apply_mask  # type: ignore[attr-defined]  # the C one, where it was built

PLAIN_TEXT, MASKED = 0x81, 0x80
HEAD_BYTES_MIN = 6


class Frames:
    """One connection's, from a frame's boundary on."""

    __slots__ = ("_bytes_max", "_held", "passing")

    def __init__(self, *, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._held = b""
        self.passing = False  # from here on everything is the protocol's

    def cut(self, data: bytes) -> list[tuple[bytes | None, bytes]]:
        """Whole frames: (text, b"") for a plain one, (None, its bytes) for another. What is not whole yet is kept."""
        if self._held:
            data = self._held + data
        at, end, whole = 0, len(data), list[tuple[bytes | None, bytes]]()
        while end - at >= HEAD_BYTES_MIN:
            start, length = at + 2, data[at + 1] & 0x7F
            if length == 126:
                start += 2
                length = int.from_bytes(data[at + 2 : start], "big")
            elif length == 127:
                start += 8
                if end < start:
                    break
                length = int.from_bytes(data[at + 2 : start], "big")
            if not data[at + 1] & MASKED or length > self._bytes_max:
                self.passing = True
                whole.append((None, data[at:]))
                at = end
                break
            stop = start + 4 + length
            if end < stop:
                break
            if data[at] == PLAIN_TEXT:
                whole.append((apply_mask(data[start + 4 : stop], data[start : start + 4]), b""))
            else:
                whole.append((None, data[at:stop]))
            at = stop
        self._held = data[at:]
        return whole
