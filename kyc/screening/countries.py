"""Countries as lists write them ("Korea, North") and as we keep them ("KP"), brought together.

The names are those of the tz database's own table of ISO 3166 codes (`iso3166.tab`, in the package tzdata), and a few that
OFAC writes otherwise. Pure. What must never happen here: a country that is not known taken for another one; it counts as not
said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

# As OFAC's files spell them: https://ofac.treasury.gov/specially-designated-nationals-list-sdn-list
_OTHER_NAMES = {
    "burma": "MM",
    "congo, democratic republic of the": "CD",
    "congo, republic of the": "CG",
    "korea, north": "KP",
    "korea, south": "KR",
    "the gambia": "GM",
    "bahamas, the": "BS",
    "cabo verde": "CV",
    "cote d ivoire": "CI",
    "holy see": "VA",
    "macau": "MO",
    "sao tome and principe": "ST",
    "turkiye": "TR",
    "united kingdom": "GB",
    "united states": "US",
    "bosnia and herzegovina": "BA",
    "czech republic": "CZ",
    "north macedonia, the republic of": "MK",
    "swaziland": "SZ",
    "timor-leste": "TL",
    "west bank": "PS",
    "palestinian": "PS",
    "trinidad and tobago": "TT",
    "antigua and barbuda": "AG",
    "saint kitts and nevis": "KN",
    "saint vincent and the grenadines": "VC",
}


def codes(texts: Iterable[str]) -> frozenset[str]:
    """The ISO codes of those that are known."""
    return frozenset(code for text in texts if (code := _code(text)))


def compare(listed: frozenset[str], country: str) -> str:
    """ "same", "other", or "" where one side does not say."""
    code = _code(country)
    if not listed or not code:
        return ""
    return "same" if code in listed else "other"


def _code(text: str) -> str:
    text = text.strip()
    if len(text) == 2:
        return text.upper() if text.upper() in _known().values() else ""
    return _known().get(text.casefold(), "")


@cache
def _known() -> dict[str, str]:
    table = resources.files("tzdata").joinpath("zoneinfo/iso3166.tab").read_text(encoding="utf-8")
    lines = (line.split("\t") for line in table.splitlines() if line and not line.startswith("#"))
    known = {re.sub(r" *\(.*\)$", "", name).casefold(): code for code, name in lines}
    # Two Koreas and two Congos differ in the brackets alone.
    known.pop("korea", None)
    known.pop("congo", None)
    return known | _OTHER_NAMES
