"""Who may move how much, to whom: ordered rules, the first that matches decides; if none does, nothing moves.

Pure: a request and what was moved before come in, a decision with its reason goes out. Amounts are base units of the request's
asset. What must never happen here: a clock, a database, an amount that no rule has looked at, or a window that was not measured
and counts as empty.

Amounts in a reference currency have their place here: a condition `worth_above` of `Rule` beside `amount_above`, judged in
`Rule.matches` and worded in `Rule.conditions`, against a worth that the caller puts into `Request` from his prices; a
request whose worth is not known must then match (and so not pass) every such rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from exchange.core import amounts

HOUR_S = 3_600
DAY_S = 86_400
WINDOW_NAMES = {HOUR_S: "one hour", DAY_S: "24 hours"}


class Effect(StrEnum):
    """What a rule says of a request that it matches."""

    ALLOW = "allow"
    BLOCK = "block"
    REVIEW = "review"


class Scope(StrEnum):
    """Whose movements a window adds up."""

    CUSTOMER = "customer"
    HOUSE = "house"


class Destination(StrEnum):
    """What sort of address is paid: the house's own, one of the customer's list past its cool-down, or any other."""

    OWN = "own"
    LISTED = "listed"
    ONE_TIME = "one_time"


class Initiator(StrEnum):
    """Who asks."""

    CUSTOMER = "customer"
    STAFF = "staff"
    SYSTEM = "system"


# Everything a rule can look back on; whoever asks measures all of them.
WINDOWS = tuple((scope, seconds) for scope in Scope for seconds in (HOUR_S, DAY_S))


class WindowNotMeasured(LookupError):
    """A rule looks back on a window that the request says nothing of. A fault of the caller, never a decision."""


@dataclass(frozen=True, slots=True)
class Window:
    """More than `amount_max` base units within `seconds`, this request included."""

    scope: Scope
    seconds: int
    amount_max: int

    def __post_init__(self) -> None:
        if (self.scope, self.seconds) not in WINDOWS or self.amount_max < 0:
            raise ValueError("a window is an hour or a day, of a customer or the house, and its amount is not negative")


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be moved. `amount` counts for a single movement, `charge` (amount and fee) for windows.

    `spent` maps (scope, seconds) to what was moved within that window before. `symbol` and `decimals` only word the explanation.
    """

    asset: str
    network: str
    amount: int
    charge: int
    spent: Mapping[tuple[Scope, int], int]
    destination: Destination = Destination.ONE_TIME
    initiator: Initiator = Initiator.CUSTOMER
    symbol: str = ""
    decimals: int = 0

    def total_within(self, window: Window) -> int:
        """With this request. Raises WindowNotMeasured."""
        measured = self.spent.get((window.scope, window.seconds))
        if measured is None:
            raise WindowNotMeasured(f"nobody measured what the {window.scope} moved within {window.seconds} s")
        return measured + self.charge

    def text(self, base_units: int) -> str:
        """An amount as people read it."""
        return f"{amounts.format(base_units, decimals=self.decimals)} {self.symbol or self.asset}"


@dataclass(frozen=True, slots=True)
class Rule:
    """Matches when every condition that is set holds; one without conditions matches everything.

    `amount_above`: the request alone moves more than this. `window`: together with what was moved it goes over. `code` is what a
    refused program is told (BLOCK only), `approvers` how many people must agree (REVIEW only).
    """

    name: str
    effect: Effect
    code: str = ""
    assets: frozenset[str] | None = None
    networks: frozenset[str] | None = None
    destinations: frozenset[Destination] | None = None
    initiators: frozenset[Initiator] | None = None
    amount_above: int | None = None
    window: Window | None = None
    approvers: int = 0

    def __post_init__(self) -> None:
        if (self.approvers > 0) != (self.effect is Effect.REVIEW) or self.approvers < 0:
            raise ValueError("a review has approvers, and nothing else has")
        if self.code and self.effect is not Effect.BLOCK:
            raise ValueError("only a rule that blocks has a code")
        if self.amount_above is not None and self.amount_above < 0:
            raise ValueError("an amount is not negative")

    def matches(self, request: Request) -> bool:
        """Raises WindowNotMeasured where the window decides and nobody measured it."""
        return (
            _among(self.assets, request.asset)
            and _among(self.networks, request.network)
            and _among(self.destinations, request.destination)
            and _among(self.initiators, request.initiator)
            and (self.amount_above is None or request.amount > self.amount_above)
            and (self.window is None or request.total_within(self.window) > self.window.amount_max)
        )

    def refusal_code(self) -> str:
        """The rule's own code, or one that says which of its conditions refuses."""
        if self.code:
            return self.code
        if self.window is not None:
            return "policy_window"
        return "policy_amount" if self.amount_above is not None else "policy_blocked"


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome, the rule behind it ("" when none matched), and a sentence that explains it with its numbers."""

    effect: Effect
    rule: str
    code: str
    explanation: str
    approvers: int = 0


def evaluate(rules: Sequence[Rule], request: Request) -> Decision:
    """The first matching rule's decision; BLOCK when none matches. Raises WindowNotMeasured."""
    if request.amount < 0 or request.charge < request.amount:
        raise ValueError("an amount is not negative, and a charge holds its amount")
    for rule in rules:
        if rule.matches(request):
            code = rule.refusal_code() if rule.effect is Effect.BLOCK else ""
            return Decision(rule.effect, rule.name, code, _explain(rule, request), rule.approvers)
    asked = f"{request.text(request.amount)} on {request.network}"
    return Decision(Effect.BLOCK, "", "asset_not_allowed", f"Refused: no rule allows moving {asked}.")


def _among(allowed: frozenset[str] | None, found: str) -> bool:
    return allowed is None or found in allowed


def _explain(rule: Rule, request: Request) -> str:
    verdict = {
        Effect.ALLOW: "Allowed",
        Effect.BLOCK: "Refused",
        Effect.REVIEW: f"Needs {rule.approvers} {'approval' if rule.approvers == 1 else 'approvals'}",
    }[rule.effect]
    reasons = []
    if rule.amount_above is not None:
        reasons.append(f"{request.text(request.amount)} is more than {request.text(rule.amount_above)}")
    if rule.window is not None:
        whose = "of this customer's" if rule.window.scope is Scope.CUSTOMER else "of the whole house's"
        reasons.append(
            f"with this one, {request.text(request.total_within(rule.window))} {whose} within"
            f" {WINDOW_NAMES[rule.window.seconds]} is more than {request.text(rule.window.amount_max)}"
        )
    if not reasons:
        reasons.append(f"{request.text(request.amount)} on {request.network}")
    if rule.destinations is not None:
        reasons.append(f"the address is {request.destination.replace('_', '-')}")
    if rule.initiators is not None:
        reasons.append(f"asked by {request.initiator}")
    return f"{verdict} by the rule “{rule.name}”: {', and '.join(reasons)}."
