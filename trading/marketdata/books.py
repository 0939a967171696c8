"""A copy of one market's book, kept from a snapshot and the differences after it.

Pure. Every difference names the range U..u that it covers; the copy is right only while each begins where the last ended.
What must never happen here: a difference applied over a hole, or a book shown that is known to be wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from enum import Enum
from typing import Any

DEPTH_MAX = 1000
WAITING_MAX = 2000


class Verdict(Enum):
    """What became of a difference."""

    APPLIED = "applied"
    REPEAT = "repeat"  # seen before: an engine that restarts publishes its last message again
    WAITING = "waiting"  # no snapshot yet: kept until there is one
    GAP = "gap"  # something in between was lost


class Book:
    """Levels by price text. Quantities are absolute, so the same difference twice changes nothing."""

    def __init__(self) -> None:
        self.u: int | None = None
        self._sides: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
        self._waiting: deque[dict[str, Any]] = deque(maxlen=WAITING_MAX)

    @property
    def ready(self) -> bool:
        return self.u is not None

    def lose(self) -> None:
        """Forget what stands here: from now on differences wait for the next snapshot."""
        self.u = None
        self._sides = {"bids": {}, "asks": {}}
        self._waiting.clear()

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
        self.u = snapshot["u"]
        self._sides = {side: dict(_pairs(snapshot[side])) for side in ("bids", "asks")}
        self._waiting.clear()
        for diff in waiting:
            if diff["u"] > self.u:
                self._change(diff)
        return True

    def levels(self, depth: int = DEPTH_MAX) -> dict[str, list[list[str]]]:
        """The best `depth` levels of each side, best first."""
        return {
            side: [[price, levels[price]] for price in sorted(levels, key=Decimal, reverse=side == "bids")[:depth]]
            for side, levels in self._sides.items()
        }

    def _change(self, diff: dict[str, Any]) -> None:
        for side, levels in self._sides.items():
            for price, quantity in diff.get(side, ()):
                if Decimal(quantity) == 0:
                    levels.pop(price, None)
                else:
                    levels[price] = quantity
        self.u = diff["u"]


def merged(diffs: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """One difference that does what `diffs`, in order and without a hole, do: the last quantity of each price."""
    diffs = list(diffs)
    sides: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
    for diff in diffs:
        for side, levels in sides.items():
            levels.update(_pairs(diff[side]))
    return {
        **diffs[-1],
        "U": diffs[0]["U"],
        **{side: [[price, quantity] for price, quantity in levels.items()] for side, levels in sides.items()},
    }


def _pairs(levels: Iterable[Iterable[str]]) -> Iterable[tuple[str, str]]:
    return ((price, quantity) for price, quantity in levels)
