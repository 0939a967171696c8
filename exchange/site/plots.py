"""The geometry of the pages' plots, in whole numbers of a box of 1000 × 300: paths for a line over time, arcs for shares.

Pure. A drawing here has no words, no colours and no styles: the template gives the first, the sheet the others, and a table
stands behind each. What must never happen here: a float of money, or a scale whose ends are not round amounts to be written
beside it: a small change may look like a large one, but never in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

WIDTH, HEIGHT = 1000, 300
TICKS = 4
GAP = 4  # thousandths of a ring between two shares, so that neighbours are told apart without their colours


@dataclass(frozen=True, slots=True)
class Line:
    """`path` is the line, `area` what lies under it, `marks` each point's place; `ticks` are the scale, highest first."""

    path: str
    area: str
    marks: tuple[tuple[int, int], ...]
    ticks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Arc:
    """A part of a ring, as a path to be stroked; `whole` where there is but one."""

    path: str
    whole: bool


def line(values: Sequence[int]) -> Line:
    """Two values or more, evenly apart."""
    ticks = _ticks(min(values), max(values))
    low, high = ticks[-1], ticks[0]
    marks = tuple(
        (index * WIDTH // (len(values) - 1), HEIGHT - (value - low) * HEIGHT // (high - low))
        for index, value in enumerate(values)
    )
    path = "M" + "L".join(f"{x} {y}" for x, y in marks)
    return Line(path, f"{path}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z", marks, ticks)


def _ticks(low: int, high: int) -> tuple[int, ...]:
    """Round amounts, evenly apart, around all of the values; highest first. From nothing on where the values come near it."""
    if low * 2 <= high:
        low = 0
    step = _round_up(max(1, -(-(high - low) // (TICKS - 1))))
    first = low // step * step
    count = max(2, -(-(high - first) // step) + 1)
    return tuple(first + step * place for place in reversed(range(count)))


def _round_up(amount: int) -> int:
    """The next of 1, 2, 5, 10, 20 …"""
    power = 10 ** (len(str(amount)) - 1)
    return next(power * each for each in (1, 2, 5, 10) if power * each >= amount)


def ring(thousandths: Sequence[int], *, radius: int = 80, centre: int = 100) -> tuple[Arc, ...]:
    """A ring cut into shares that come to a thousand, from the top on, clockwise. A share of nothing is drawn as a sliver."""
    arcs, at = [], 0
    for share in thousandths:
        if share >= 1_000:
            arcs.append(Arc("", whole=True))
            continue
        begins, ends = at, min(at + max(share - GAP, GAP), 1_000)
        (x0, y0), (x1, y1) = _on(begins, radius, centre), _on(ends, radius, centre)
        large = int(ends - begins > 500)
        arcs.append(Arc(f"M{x0:.1f} {y0:.1f}A{radius} {radius} 0 {large} 1 {x1:.1f} {y1:.1f}", whole=False))
        at += share
    return tuple(arcs)


def _on(thousandth: int, radius: int, centre: int) -> tuple[float, float]:
    angle = 2 * pi * thousandth / 1_000 - pi / 2
    return centre + radius * cos(angle), centre + radius * sin(angle)


def shares(amounts: Sequence[int]) -> tuple[int, ...]:
    """Each amount's thousandths of all, which come to exactly a thousand: what is left over goes to the largest remainders."""
    total = sum(amounts)
    if total <= 0:
        return tuple(0 for _ in amounts)
    whole = [each * 1_000 // total for each in amounts]
    rest = sorted(range(len(amounts)), key=lambda place: -(amounts[place] * 1_000 % total))
    for place in rest[: 1_000 - sum(whole)]:
        whole[place] += 1
    return tuple(whole)
