"""OFAC's list as XML: the file SDN.XML, an `sdnList` of `sdnEntry` elements.

Its elements are those of OFAC's schema (https://ofac.treasury.gov/sdn-list-data-formats-data-schemas): `publshInformation`
(so spelled) with `Publish_Date` and `Record_Count`; for each entry `uid`, `lastName`, `firstName`, `sdnType`, and lists of
programs, other names (`category` "weak" or "strong"), ids (a digital currency's address is an id of the type "Digital
Currency Address - XBT"), addresses, nationalities, citizenships and births. The namespace changed with the years, so it is
not looked at. defusedxml refuses entities and document types, in which such files could hide a bomb or a reading of our own
files.

Pure. What must never happen here: a file that was cut off taken for a whole one, or an entity that is expanded.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from kyc.screening.entries import Entry, Kind, ListBroken, Name, Wallet

CURRENCY_ID = "Digital Currency Address - "
KINDS: dict[str, Kind] = {"individual": "individual", "entity": "entity", "vessel": "vessel", "aircraft": "aircraft"}
DEPTH_MAX = 12


def parse(raw: bytes) -> tuple[list[Entry], date | None]:
    """The entries, and the day of publication. Raises ListBroken."""
    found: list[Entry] = []
    said: dict[str, str] = {}
    try:
        for element in _elements(raw):
            tag = _tag(element)
            if tag == "sdnEntry":
                found.append(_entry(element))
                element.clear()
            elif tag in ("Publish_Date", "Record_Count"):
                said[tag] = _text(element)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise ListBroken(f"SDN.XML cannot be read: {type(error).__name__} {error}.") from None
    count = said.get("Record_Count", "")
    if not count.isdigit() or int(count) != len(found):
        raise ListBroken(f"SDN.XML says that it has {count or 'no number of'} entries, and has {len(found)}.")
    if len({entry.uid for entry in found}) != len(found):
        raise ListBroken("SDN.XML has one number twice.")
    return found, _day(said.get("Publish_Date", ""))


def _elements(raw: bytes) -> Iterator[Any]:
    depth = 0
    for event, element in ElementTree.iterparse(io.BytesIO(raw), events=("start", "end"), forbid_dtd=True):
        depth += 1 if event == "start" else -1
        if depth > DEPTH_MAX:
            raise ListBroken("SDN.XML is nested too deeply.")
        if event == "start" and depth == 1 and _tag(element) != "sdnList":
            raise ListBroken(f"This is no SDN.XML: it begins with <{_tag(element)[:50]}>.")
        if event == "end":
            yield element


def _entry(element: Any) -> Entry:
    uid = _one(element, "uid")
    if not uid.isdigit():
        raise ListBroken("SDN.XML has an entry without its number.")
    names = [_name(element, weak=False)]
    names += [_name(aka, weak=_one(aka, "category").lower() == "weak") for aka in _list(element, "akaList", "aka")]
    named = tuple(dict.fromkeys(name for name in names if name.text))
    if not named:
        raise ListBroken(f"Entry {uid} of SDN.XML has no name.")
    countries = [_one(each, "country") for each in _list(element, "addressList", "address")]
    countries += [_one(each, "country") for each in _list(element, "nationalityList", "nationality")]
    countries += [_one(each, "country") for each in _list(element, "citizenshipList", "citizenship")]
    births = [_one(each, "dateOfBirth") for each in _list(element, "dateOfBirthList", "dateOfBirthItem")]
    wallets = [
        Wallet(_one(each, "idType").removeprefix(CURRENCY_ID).strip().upper(), _one(each, "idNumber"))
        for each in _list(element, "idList", "id")
        if _one(each, "idType").startswith(CURRENCY_ID)
    ]
    return Entry(
        uid=uid,
        kind=KINDS.get(_one(element, "sdnType").lower(), "entity"),
        names=named,
        programs=tuple(_text(each) for each in _list(element, "programList", "program")),
        births=tuple(dict.fromkeys(filter(None, births))),
        countries=tuple(dict.fromkeys(filter(None, countries))),
        wallets=tuple(dict.fromkeys(wallet for wallet in wallets if wallet.address)),
        remarks=_one(element, "remarks"),
    )


def _name(element: Any, *, weak: bool) -> Name:
    surname, given = _one(element, "lastName"), _one(element, "firstName")
    if surname and given:
        return Name(f"{surname}, {given}", surname, given, weak)
    return Name(surname or given, weak=weak)


def _tag(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _text(element: Any) -> str:
    return " ".join((element.text or "").split())


def _one(element: Any, name: str) -> str:
    return next((_text(child) for child in element if _tag(child) == name), "")


def _list(element: Any, name: str, item: str) -> list[Any]:
    return [each for child in element if _tag(child) == name for each in child if _tag(each) == item]


def _day(text: str) -> date | None:
    """As Americans write it: month/day/year."""
    month, _, rest = text.partition("/")
    day, _, year = rest.partition("/")
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
