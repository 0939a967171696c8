"""Byte strings inside one buffer, named by where they begin, so that thousands of them pass without an object each.

What must never happen here: a piece that reads as something else than what stands in the buffer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wallets.chains.protocol import MalformedData

# A first byte from here on says that the length stands in the bytes behind it.
PREFIX_LONG = 0xFD


@dataclass(frozen=True, slots=True)
class Pieces:
    """`size`: of each; None where a compact size stands at each start and the string behind it.

    The starts are in ascending order, and whatever they promise is there: whoever makes pieces has read through the buffer.
    """

    raw: bytes
    starts: Sequence[int]
    size: int | None = None

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[bytes]:
        return (self[number] for number in range(len(self.starts)))

    def __getitem__(self, number: int) -> bytes:
        start = self.starts[number]
        if self.size is not None:
            return self.raw[start : start + self.size]
        length, at = compact_size(self.raw, start)
        return self.raw[at : at + length]


def compact_size(raw: bytes, at: int) -> tuple[int, int]:
    """A Bitcoin length, and where what it counts begins. Raises IndexError past the end, MalformedData where it is written longer
    than it need be: the networks refuse that, and one string would have two names."""
    first = raw[at]
    if first < PREFIX_LONG:
        return first, at + 1
    width = 2 << (first - PREFIX_LONG)
    if at + width >= len(raw):
        raise IndexError("a length ends behind the buffer")
    length = int.from_bytes(raw[at + 1 : at + 1 + width], "little")
    if length < (PREFIX_LONG if width == 2 else 1 << 4 * width):
        raise MalformedData("a length is written longer than it need be")
    return length, at + 1 + width
