"""What a published list says of one entry, in plain values that every format is read into.

Pure. What must never happen here: a name of an entry that gets lost because its form was not foreseen.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

Kind = Literal["individual", "entity", "vessel", "aircraft"]
MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], start=1
    )
}
_DAY = re.compile(r"(?:(\d{1,2}) +)?(?:([A-Za-z]{3})[a-z]* +)?(\d{4})")


class ListBroken(Exception):
    """A file that is not, or not wholly, what it should be. The text is for staff."""


@dataclass(frozen=True, slots=True)
class Name:
    """One name of an entry, as the list writes it. `surname` is "" where the list does not tell the parts apart.

    A weak alias is one that the publisher calls broad or generic: it may point to somebody, it identifies nobody.
    """

    text: str
    surname: str = ""
    given: str = ""
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Born:
    """A birth as lists know it: from the first day that it may have been to the last."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Wallet:
    """An address of a digital currency. `currency` is the list's own word (XBT, ETH, USDT); it does not name a network."""

    currency: str
    address: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One listed person, company or ship. `uid` is the publisher's number, unique within one list."""

    uid: str
    kind: Kind
    names: tuple[Name, ...]
    programs: tuple[str, ...] = ()
    births: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    wallets: tuple[Wallet, ...] = ()
    remarks: str = ""

    def body(self) -> dict[str, Any]:
        """As it is kept; `read` is the way back."""
        return asdict(self)

    def digest(self) -> str:
        """Equal for equal contents: an entry that changed in any way has another one."""
        return hashlib.sha256(json.dumps(self.body(), sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Publication:
    """One publication of one list, read whole. `sha256` is of the bytes as they came."""

    entries: tuple[Entry, ...]
    sha256: str
    published: date | None


def read(body: dict[str, Any]) -> Entry:
    """The entry that `Entry.body` wrote, also after it went through JSON."""
    plain: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in body.items()}
    plain["names"] = tuple(Name(**name) for name in body["names"])
    plain["wallets"] = tuple(Wallet(**wallet) for wallet in body["wallets"])
    return Entry(**plain)


def born(text: str) -> Born | None:
    """The span that a birth's text names: "12 Aug 1962", "Aug 1962", "1962", "circa 1962", "1960 to 1962"; None where none is
    read.

    "circa" is taken for two years to either side.
    """
    parts = [_span(match) for match in _DAY.finditer(text)]
    known = [part for part in parts if part is not None]
    if not known:
        return None
    first, last = min(part.first for part in known), max(part.last for part in known)
    if "circa" in text.lower() or text.lower().startswith("c."):
        first = first.replace(year=max(1, first.year - 2), day=min(first.day, 28))
        last = last.replace(year=min(9998, last.year + 2), day=min(last.day, 28))
    return Born(first, last)


def _span(match: re.Match[str]) -> Born | None:
    day, month_name, year = match[1], match[2], int(match[3])
    if not 1 <= year <= 9998:
        return None
    month = MONTHS.get(month_name.lower()[:3]) if month_name else None
    if month is None:
        return Born(date(year, 1, 1), date(year, 12, 31))
    following = date(year + month // 12, month % 12 + 1, 1)
    last = date.fromordinal(following.toordinal() - 1)
    if day is not None and 1 <= int(day) <= last.day:
        exact = date(year, month, int(day))
        return Born(exact, exact)
    return Born(date(year, month, 1), last)


def split(text: str) -> Name:
    """A name as the files write it: "SURNAME, Given Middle" for people; without a comma the parts are not told apart."""
    surname, comma, given = text.partition(",")
    if comma and surname.strip() and given.strip():
        return Name(text, surname.strip(), given.strip())
    return Name(text)
