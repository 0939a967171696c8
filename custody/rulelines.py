"""Rules as people write them: one line a rule, in the very words in which `rulebook.sentence` shows it.

    BTC, large: BTC, above 0.25 BTC → 1 approval
    strangers: ETH, to one-time addresses, more than 5 ETH by one customer within 24 hours → refuse
    the rest: any asset, on bitcoin or litecoin, asked by customer → allow

What must never happen here: a word that is passed over in silence. A line is understood whole, or refused with its number.
"""

from __future__ import annotations

import re
from typing import Any

from custody.policy import WINDOW_NAMES
from custody.rulebook import Known, RulesInvalid
from exchange.core import amounts
from exchange.core.errors import InvalidRequest

TEXT_MAX = 60_000
_LINE = re.compile(r"(?P<name>[^:]+):\s+(?P<conditions>.+?)\s*(?:→|->)\s*(?P<verdict>.+)")
_ABOVE = re.compile(r"above (?P<amount>\S+) (?P<asset>\S+)")
_WINDOW = re.compile(
    r"more than (?P<amount>\S+) (?P<asset>\S+) by (?P<scope>one customer|the whole house) within (?P<span>one hour|24 hours)"
)
_TO = re.compile(r"to (?P<words>.+) addresses")
_REFUSE = re.compile(r"refuse(?: \((?P<code>[a-z_]+)\))?")
_REVIEW = re.compile(r"(?P<count>[0-9]{1,2}) approvals?")
_SCOPES = {"one customer": "customer", "the whole house": "house"}
_SECONDS = {name: seconds for seconds, name in WINDOW_NAMES.items()}
_DEFAULT_CODES = frozenset({"policy_blocked", "policy_amount", "policy_window"})


def read(text: str, *, known: Known) -> list[dict[str, Any]]:
    """Rules in the form that is stored, for `rulebook.read` to check. Empty lines are passed over. Raises RulesInvalid."""
    if len(text) > TEXT_MAX:
        raise RulesInvalid("This is longer than any policy.", param="rules")
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    return [_rule(number, line, known) for number, line in lines if line]


def _rule(number: int, line: str, known: Known) -> dict[str, Any]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise _wrong(number, "a rule is “name: conditions → allow, refuse, or 1 approval”")
    rule: dict[str, Any] = {"name": found["name"].strip()}
    first, *others = found["conditions"].split(", ")
    if first != "any asset":
        rule["assets"] = _either(first)
    for words in others:
        name, value = _condition(number, words, known)
        if name in rule:
            raise _wrong(number, f"“{words}” says again what was said")
        rule[name] = value
    return rule | _verdict(number, found["verdict"])


def _condition(number: int, words: str, known: Known) -> tuple[str, Any]:
    if words.startswith("on "):
        return "networks", _either(words.removeprefix("on "))
    if words.startswith("asked by "):
        return "initiators", _either(words.removeprefix("asked by "))
    if found := _TO.fullmatch(words):
        return "destinations", [word.replace("-", "_") for word in _either(found["words"])]
    if found := _ABOVE.fullmatch(words):
        return "amount_above", _base_units(number, found["amount"], found["asset"], known)
    if found := _WINDOW.fullmatch(words):
        amount = _base_units(number, found["amount"], found["asset"], known)
        return "window", {"scope": _SCOPES[found["scope"]], "seconds": _SECONDS[found["span"]], "amount_max": amount}
    raise _wrong(number, f"“{words[:60]}” is no condition")


def _verdict(number: int, words: str) -> dict[str, Any]:
    if words == "allow":
        return {"effect": "allow"}
    if found := _REVIEW.fullmatch(words):
        return {"effect": "review", "approvers": int(found["count"])}
    if found := _REFUSE.fullmatch(words):
        # What a rule would say of itself anyway is not kept as a word of its own.
        code = found["code"] or ""
        return {"effect": "block"} | ({"code": code} if code and code not in _DEFAULT_CODES else {})
    raise _wrong(number, f"“{words[:60]}” is neither allow, nor refuse, nor a number of approvals")


def _either(words: str) -> list[str]:
    return [word.strip() for word in words.split(" or ")]


def _base_units(number: int, amount: str, asset: str, known: Known) -> str:
    if asset not in known.decimals:
        raise _wrong(number, f"there is no asset {asset[:20]}")
    try:
        return str(amounts.parse(amount, decimals=known.decimals[asset]))
    except InvalidRequest as error:
        raise _wrong(number, str(error)) from None


def _wrong(number: int, why: str) -> RulesInvalid:
    return RulesInvalid(f"Line {number}: {why}.", param=f"rules.{number - 1}")
