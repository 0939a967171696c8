"""The geometry of the dashboard's bars, in whole numbers of a box of 600 × 160. No words, no colours: the template and the sheet
have those, and a table stands behind each plot.

Pure. What must never happen here: a float, or a scale that does not begin at nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 600, 160
GAP = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the box; `place` is the value's place in its row, `series` which row."""

    x: int
    y: int
    width: int
    height: int
    place: int
    series: int


def bars(*series: Sequence[int]) -> tuple[list[Bar], int]:
    """Bars side by side for rows of one length, and the greatest value, which is as high as the box."""
    count, top = len(series[0]), max((max(each, default=0) for each in series), default=0)
    slot = WIDTH // max(1, count)
    width = max(1, (slot - GAP) // len(series))
    found = []
    for number, values in enumerate(series):
        for place, value in enumerate(values):
            height = value * HEIGHT // top if top else 0
            if value > 0:
                height = max(height, 1)
            found.append(Bar(place * slot + number * width, HEIGHT - height, width, height, place, number))
    return found, top


def shares(parts: Sequence[int], *, width: int = WIDTH) -> list[tuple[int, int]]:
    """Where each part of a whole begins on a line, and how long it is."""
    total, at, found = sum(max(0, each) for each in parts), 0, []
    for each in parts:
        length = max(0, each) * width // total if total else 0
        found.append((at, length))
        at += length
    return found
