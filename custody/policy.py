"""Who may move how much: ordered rules, the first that matches decides; if none does, nothing moves.

Pure: a request and what was spent come in, a decision with its reason goes out. What must never happen here: a clock, a
database, or an amount that no rule has looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """What a rule says of a request that it matches."""

    ALLOW = "allow"
    BLOCK = "block"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Window:
    """More than `amount_max` base units within `seconds`, this request included."""

    seconds: int
    amount_max: int


@dataclass(frozen=True, slots=True)
class Rule:
    """Matches when every condition that is set holds. `code` is what a refused program is told.

    `amount_above`: the request alone moves more than this. `window`: together with what was spent it goes over.
    `approvers` counts for REVIEW: how many people must agree.
    """

    name: str
    effect: Effect
    code: str = ""
    assets: frozenset[str] | None = None
    amount_above: int | None = None
    window: Window | None = None
    approvers: int = 0

    def matches(self, request: Request) -> bool:
        if self.assets is not None and request.asset not in self.assets:
            return False
        if self.amount_above is not None and request.amount <= self.amount_above:
            return False
        return self.window is None or request.total_within(self.window.seconds) > self.window.amount_max


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be moved. `amount` counts for a single movement, `charge` (amount and fee) for windows.

    `spent` maps a window's seconds to what was moved within it before. A window that is not in it stops everything.
    """

    asset: str
    amount: int
    charge: int
    spent: Mapping[int, int]

    def total_within(self, seconds: int) -> int:
        return self.spent[seconds] + self.charge


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome, the rule behind it, and a sentence that explains it."""

    effect: Effect
    rule: str
    code: str
    explanation: str
    approvers: int = 0


def evaluate(rules: Sequence[Rule], request: Request) -> Decision:
    """The first matching rule's decision; BLOCK when none matches."""
    for rule in rules:
        if rule.matches(request):
            return Decision(rule.effect, rule.name, rule.code, _explain(rule, request), rule.approvers)
    return Decision(Effect.BLOCK, "", "asset_not_allowed", f"no rule allows moving {request.asset}")


def _explain(rule: Rule, request: Request) -> str:
    if rule.window is not None:
        total = request.total_within(rule.window.seconds)
        return f"{rule.name}: {total} base units of {request.asset} in {rule.window.seconds} s, at most {rule.window.amount_max}"
    if rule.amount_above is not None:
        return f"{rule.name}: {request.amount} base units of {request.asset}, at most {rule.amount_above}"
    return f"{rule.name}: {request.asset}"
