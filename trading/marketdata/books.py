"""A copy of one market's book, kept from a snapshot and the differences after it.

Pure. Every difference names the range U..u that it covers; the copy is right only while each begins where the last ended.
What must never happen here: a difference applied over a hole, or a level shown where others beside it may be missing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from enum import Enum
from typing import Any

DEPTH_MAX = 1000
STORED_MAX = 1000  # levels a side in the engine's stored book: one so long goes on beyond what it shows
KNOWN_MIN = 500  # with fewer known levels on such a side, the stored book is to be looked at again
WAITING_MAX = 2000
RECENT_MAX = 500  # differences kept beside a book that was cut off: a stored one is a moment older than ours
SIDES = ("bids", "asks")


class Verdict(Enum):
    """What became of a difference."""

    APPLIED = "applied"
    REPEAT = "repeat"  # seen before: an engine that restarts publishes its last message again
    WAITING = "waiting"  # no snapshot yet: kept until there is one
    GAP = "gap"  # something in between was lost


class _Side:
    """One side's levels, best first: places are prices, those of bids below zero."""

    def __init__(self, sign: int, levels: Iterable[Iterable[str]] = ()) -> None:
        self._sign = sign
        self._quantities: dict[str, str] = {}
        self._places: list[tuple[Decimal, str]] = []
        for price, quantity in levels:
            self._quantities[price] = quantity
            self._places.append((sign * Decimal(price), price))
        self._places.sort()
        # Beyond the last level of a book that was cut off there may be others, which nobody has told us of.
        self._cut = self._places[-1] if len(self._places) >= STORED_MAX else None

    def change(self, price: str, quantity: str) -> None:
        if quantity.strip("0."):
            if price not in self._quantities:
                insort(self._places, (self._sign * Decimal(price), price))
            self._quantities[price] = quantity
        elif self._quantities.pop(price, None) is not None:
            place = bisect_left(self._places, (self._sign * Decimal(price), price))
            del self._places[place]

    @property
    def known(self) -> int:
        """How many levels stand in a row without a hole."""
        return len(self._places) if self._cut is None else bisect_right(self._places, self._cut)

    @property
    def cut(self) -> bool:
        return self._cut is not None

    @property
    def thin(self) -> bool:
        return self._cut is not None and self.known < KNOWN_MIN

    def best(self, depth: int) -> list[list[str]]:
        quantities = self._quantities
        return [[price, quantities[price]] for _, price in self._places[: min(depth, self.known)]]


class Book:
    """Levels by price text. Quantities are absolute, so the same difference twice changes nothing."""

    def __init__(self) -> None:
        self.u: int | None = None
        self.time = ""
        self._sides = {"bids": _Side(-1), "asks": _Side(1)}
        self._waiting: deque[dict[str, Any]] = deque(maxlen=WAITING_MAX)
        self._recent: deque[dict[str, Any]] = deque(maxlen=RECENT_MAX)

    @property
    def ready(self) -> bool:
        return self.u is not None

    @property
    def thin(self) -> bool:
        """So many levels have gone from a book that was cut off, that what stood beyond it is needed."""
        return self._sides["bids"].thin or self._sides["asks"].thin

    def lose(self) -> None:
        """Forget what stands here: from now on differences wait for the next snapshot."""
        self.u = None
        self._sides = {"bids": _Side(-1), "asks": _Side(1)}
        self._waiting.clear()
        self._recent.clear()

    def apply(self, diff: dict[str, Any]) -> Verdict:
        """Take a difference in. After GAP the book is lost and waits for a snapshot, this difference being kept."""
        if self.u is None:
            self._waiting.append(diff)
            return Verdict.WAITING
        if diff["u"] <= self.u:
            return Verdict.REPEAT
        if diff["U"] > self.u + 1:
            self.lose()
            self._waiting.append(diff)
            return Verdict.GAP
        self._change(diff)
        return Verdict.APPLIED

    def restore(self, snapshot: dict[str, Any]) -> bool:
        """Start over from `snapshot` and the differences that waited; False when it is older than the hole between them."""
        waiting = [diff for diff in self._waiting if diff["u"] > snapshot["u"]]
        reach = snapshot["u"]
        for diff in waiting:
            if diff["U"] > reach + 1:
                return False
            reach = max(reach, diff["u"])
        self.u, self.time = snapshot["u"], snapshot.get("time", "")
        self._sides = {"bids": _Side(-1, snapshot["bids"]), "asks": _Side(1, snapshot["asks"])}
        self._waiting.clear()
        for diff in waiting:
            if diff["u"] > self.u:
                self._change(diff)
        return True

    def deepen(self, snapshot: dict[str, Any]) -> bool:
        """Take the levels beyond what is known from a stored book; False where it is too new, or too old for what is kept."""
        if self.u is None or snapshot["u"] > self.u:
            return False
        later = [diff for diff in self._recent if diff["u"] > snapshot["u"]]
        if (later[0]["U"] if later else self.u + 1) > snapshot["u"] + 1:
            return False
        self._sides = {"bids": _Side(-1, snapshot["bids"]), "asks": _Side(1, snapshot["asks"])}
        for diff in later:
            self._apply_to_sides(diff)
        return True

    def levels(self, depth: int = DEPTH_MAX) -> dict[str, list[list[str]]]:
        """The best `depth` levels of each side, best first."""
        return {name: self._sides[name].best(depth) for name in SIDES}

    def _change(self, diff: dict[str, Any]) -> None:
        self._apply_to_sides(diff)
        self.u, self.time = diff["u"], diff.get("time", "")
        if self._sides["bids"].cut or self._sides["asks"].cut:
            self._recent.append(diff)

    def _apply_to_sides(self, diff: dict[str, Any]) -> None:
        for name, side in self._sides.items():
            for price, quantity in diff.get(name, ()):
                side.change(price, quantity)


def merged(diffs: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """One difference that does what `diffs`, in order and without a hole, do: the last quantity of each price."""
    diffs = list(diffs)
    sides: dict[str, dict[str, str]] = {name: {} for name in SIDES}
    for diff in diffs:
        for side, levels in sides.items():
            levels.update(diff[side])
    return {
        **diffs[-1],
        "U": diffs[0]["U"],
        **{side: [[price, quantity] for price, quantity in levels.items()] for side, levels in sides.items()},
    }
