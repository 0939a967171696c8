"""The policy's rules as they are stored, read, worded and compared. No Django, no database.

A stored rule is a JSON object of known fields; amounts are base units as decimal digits. Whatever comes from outside is read
here and nowhere else, and a mistake is named by its place ("rules.2.amount_above").
What must never happen here: a field that is passed over in silence, or an amount of no asset in particular.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from custody.policy import WINDOW_NAMES, Destination, Effect, Initiator, Rule, Scope, Window
from exchange.core import amounts
from exchange.core.errors import InvalidRequest

RULES_MAX = 300
APPROVERS_MAX = 10
NAME_LENGTH_MAX = 80
_CODE = re.compile(r"[a-z][a-z_]{2,39}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,78}", re.ASCII)
_FIELDS = frozenset(
    {
        "name",
        "effect",
        "code",
        "assets",
        "networks",
        "destinations",
        "initiators",
        "amount_above",
        "window",
        "approvers",
    }
)
_Word = TypeVar("_Word", bound=StrEnum)


class RulesInvalid(InvalidRequest):
    """Not a set of rules. `param` names the place."""

    code = "policy_invalid"


@dataclass(frozen=True, slots=True)
class Known:
    """What rules may name: assets with their decimals, and networks."""

    decimals: Mapping[str, int]
    networks: frozenset[str]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a difference: "same", "added" or "removed"."""

    change: str
    text: str


def read(body: object, *, known: Known) -> tuple[Rule, ...]:
    """The rules of a JSON list. Raises RulesInvalid with the first mistake's place."""
    if not isinstance(body, list | tuple) or not body:
        raise RulesInvalid("A policy is a list of at least one rule.", param="rules")
    if len(body) > RULES_MAX:
        raise RulesInvalid(f"A policy has at most {RULES_MAX} rules.", param="rules")
    rules = tuple(_rule(item, f"rules.{number}", known) for number, item in enumerate(body))
    seen: set[str] = set()
    for number, rule in enumerate(rules):
        if rule.name in seen:
            raise RulesInvalid(f"Two rules are called “{rule.name}”.", param=f"rules.{number}.name")
        seen.add(rule.name)
    return rules


def stored(body: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """The rules of a row that was checked when it was written: what it names may have been renamed or removed since."""
    named = {code for item in body for code in item.get("assets") or ()}
    networks = {code for item in body for code in item.get("networks") or ()}
    return read(list(body), known=Known(dict.fromkeys(named, 0), frozenset(networks)))


def write(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """As JSON; `read` gives the same rules again."""
    return [_body(rule) for rule in rules]


def digest(rules: Iterable[Rule]) -> str:
    """Names a set of rules, order included."""
    text = json.dumps(write(rules), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def sentence(rule: Rule, *, known: Known) -> str:
    """One rule in words, with amounts as people read them."""
    verdict = {
        Effect.ALLOW: "allow",
        Effect.BLOCK: f"refuse ({rule.refusal_code()})",
        Effect.REVIEW: f"{rule.approvers} {'approval' if rule.approvers == 1 else 'approvals'}",
    }[rule.effect]
    return f"{rule.name}: {_conditions(rule, known)} → {verdict}"


def difference(old: Iterable[Rule], new: Iterable[Rule], *, known: Known) -> list[Line]:
    """What an edit changes, line by line, in the new order."""
    before = [sentence(rule, known=known) for rule in old]
    after = [sentence(rule, known=known) for rule in new]
    lines: list[Line] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            lines += [Line("same", text) for text in before[a:b]]
            continue
        lines += [Line("removed", text) for text in before[a:b]]
        lines += [Line("added", text) for text in after[c:d]]
    return lines


def _conditions(rule: Rule, known: Known) -> str:
    parts = ["any asset" if rule.assets is None else " or ".join(sorted(rule.assets))]
    if rule.networks is not None:
        parts.append("on " + " or ".join(sorted(rule.networks)))
    if rule.destinations is not None:
        parts.append("to " + " or ".join(sorted(name.replace("_", "-") for name in rule.destinations)) + " addresses")
    if rule.initiators is not None:
        parts.append("asked by " + " or ".join(sorted(rule.initiators)))
    if rule.amount_above is not None:
        parts.append(f"above {_amount(rule, rule.amount_above, known)}")
    if rule.window is not None:
        whose = "by one customer" if rule.window.scope is Scope.CUSTOMER else "by the whole house"
        parts.append(
            f"more than {_amount(rule, rule.window.amount_max, known)} {whose} within {WINDOW_NAMES[rule.window.seconds]}"
        )
    return ", ".join(parts)


def _amount(rule: Rule, base_units: int, known: Known) -> str:
    (asset,) = rule.assets or ("",)
    if asset not in known.decimals:
        return f"{base_units} base units"
    return f"{amounts.format(base_units, decimals=known.decimals[asset])} {asset}"


def _body(rule: Rule) -> dict[str, Any]:
    body: dict[str, Any] = {"name": rule.name, "effect": rule.effect.value}
    if rule.code:
        body["code"] = rule.code
    for name in ("assets", "networks", "destinations", "initiators"):
        values = getattr(rule, name)
        if values is not None:
            body[name] = sorted(str(value) for value in values)
    if rule.amount_above is not None:
        body["amount_above"] = str(rule.amount_above)
    if rule.window is not None:
        window = rule.window
        body["window"] = {"scope": window.scope.value, "seconds": window.seconds, "amount_max": str(window.amount_max)}
    if rule.approvers:
        body["approvers"] = rule.approvers
    return body


def _rule(item: object, place: str, known: Known) -> Rule:
    if not isinstance(item, dict):
        raise RulesInvalid("A rule is an object.", param=place)
    for name in item:
        if name not in _FIELDS:
            raise RulesInvalid(f"A rule has no field “{name}”.", param=f"{place}.{str(name)[:40]}")
    effect = _word(Effect, item.get("effect"), f"{place}.effect")
    assets = _codes(item, "assets", frozenset(known.decimals), place)
    amount_above = _base_units(item.get("amount_above"), f"{place}.amount_above") if "amount_above" in item else None
    window = _window(item["window"], f"{place}.window") if "window" in item else None
    if (amount_above is not None or window is not None) and (assets is None or len(assets) != 1):
        raise RulesInvalid("A rule with an amount names the one asset it is of.", param=f"{place}.assets")
    return Rule(
        name=_name(item.get("name"), f"{place}.name"),
        effect=effect,
        code=_refusal_code(item, effect, place),
        assets=assets,
        networks=_codes(item, "networks", known.networks, place),
        destinations=_words(Destination, item, "destinations", place),
        initiators=_words(Initiator, item, "initiators", place),
        amount_above=amount_above,
        window=window,
        approvers=_approvers(item, effect, place),
    )


def _name(value: object, place: str) -> str:
    good = isinstance(value, str) and value.strip() and len(value) <= NAME_LENGTH_MAX and value.isprintable()
    if not isinstance(value, str) or not good or ":" in value:
        raise RulesInvalid(f"A rule has a name of 1 to {NAME_LENGTH_MAX} characters without a colon.", param=place)
    return value.strip()


def _refusal_code(item: Mapping[str, Any], effect: Effect, place: str) -> str:
    code = item.get("code", "")
    if code == "":
        return ""
    if effect is not Effect.BLOCK or not isinstance(code, str) or not _CODE.fullmatch(code):
        raise RulesInvalid(
            "Only a rule that blocks has a code, in small letters and underscores.", param=f"{place}.code"
        )
    return code


def _approvers(item: Mapping[str, Any], effect: Effect, place: str) -> int:
    value = item.get("approvers", 0)
    least, most = (1, APPROVERS_MAX) if effect is Effect.REVIEW else (0, 0)
    if type(value) is not int or not least <= value <= most:
        raise RulesInvalid(
            f"A review needs 1 to {APPROVERS_MAX} approvers, and no other rule has any.", param=f"{place}.approvers"
        )
    return value


def _window(value: object, place: str) -> Window:
    if not isinstance(value, dict) or set(value) != {"scope", "seconds", "amount_max"}:
        raise RulesInvalid("A window has scope, seconds and amount_max.", param=place)
    if type(value["seconds"]) is not int or value["seconds"] not in WINDOW_NAMES:
        raise RulesInvalid("A window is one hour (3600) or 24 hours (86400).", param=f"{place}.seconds")
    scope = _word(Scope, value["scope"], f"{place}.scope")
    return Window(scope, value["seconds"], _base_units(value["amount_max"], f"{place}.amount_max"))


def _base_units(value: object, place: str) -> int:
    if not isinstance(value, str) or not _DIGITS.fullmatch(value):
        raise RulesInvalid("An amount is a whole number of base units, as digits.", param=place)
    return int(value)


def _word(kind: type[_Word], value: object, place: str) -> _Word:
    try:
        return kind(str(value))
    except ValueError:
        raise RulesInvalid(f"It is one of: {', '.join(kind)}.", param=place) from None


def _words(kind: type[_Word], item: Mapping[str, Any], name: str, place: str) -> frozenset[_Word] | None:
    if name not in item:
        return None
    value = item[name]
    if not isinstance(value, list) or not value:
        raise RulesInvalid("A list of at least one; leave it away to mean any.", param=f"{place}.{name}")
    return frozenset(_word(kind, word, f"{place}.{name}") for word in value)


def _codes(item: Mapping[str, Any], name: str, allowed: frozenset[str], place: str) -> frozenset[str] | None:
    if name not in item:
        return None
    value = item[name]
    if not isinstance(value, list) or not value:
        raise RulesInvalid("A list of at least one; leave it away to mean any.", param=f"{place}.{name}")
    for code in value:
        if not isinstance(code, str) or code not in allowed:
            raise RulesInvalid(f"There is no {str(code)[:40]} here.", param=f"{place}.{name}")
    return frozenset(value)
