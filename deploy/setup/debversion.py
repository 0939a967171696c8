"""Debian's order of version numbers (deb-version(7)), in plain Python. Pure: no I/O.

Needed because set-up chooses packages by the constraints in their Depends fields without the machine's apt, whose own
release may be older than the packages.
"""

import re
from itertools import zip_longest

_PART = re.compile(r"(\D*)(\d*)")


def _weight(char: str) -> int:
    """'~' sorts before everything, even the end; letters before other characters."""
    if char == "~":
        return -1
    if char.isalpha():
        return ord(char)
    return ord(char) + 256


def _compare_text(left: str, right: str) -> int:
    for a, b in zip_longest(left, right):
        weight_a = 0 if a is None else _weight(a)
        weight_b = 0 if b is None else _weight(b)
        if weight_a != weight_b:
            return -1 if weight_a < weight_b else 1
    return 0


def _compare_part(left: str, right: str) -> int:
    """Compares an upstream version, or a revision: text and numbers by turns."""
    pairs = zip_longest(_PART.findall(left), _PART.findall(right), fillvalue=("", ""))
    for (text_a, digits_a), (text_b, digits_b) in pairs:
        order = _compare_text(text_a, text_b)
        if order:
            return order
        number_a, number_b = int(digits_a or 0), int(digits_b or 0)
        if number_a != number_b:
            return -1 if number_a < number_b else 1
    return 0


def _split(version: str) -> tuple[int, str, str]:
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, ""
    return int(epoch), upstream, revision


def compare(left: str, right: str) -> int:
    """-1, 0 or 1, as left is older than, the same as, or newer than right."""
    epoch_a, upstream_a, revision_a = _split(left)
    epoch_b, upstream_b, revision_b = _split(right)
    if epoch_a != epoch_b:
        return -1 if epoch_a < epoch_b else 1
    return _compare_part(upstream_a, upstream_b) or _compare_part(revision_a, revision_b)


def satisfies(version: str, relation: str, wanted: str) -> bool:
    """Whether a version meets a constraint such as `>= 2.38`; the relation is one of Debian's five."""
    order = compare(version, wanted)
    return {
        "<<": order < 0,
        "<=": order <= 0,
        "=": order == 0,
        ">=": order >= 0,
        ">>": order > 0,
    }[relation]
