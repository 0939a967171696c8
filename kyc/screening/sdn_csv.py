"""OFAC's list in its delimited form: sdn.csv with alt.csv (other names), add.csv (addresses) and sdn_comments.csv (long
remarks).

The columns are those of OFAC's "Specially Designated Nationals and Blocked Persons: Data Specification" (dat_spec.txt, 25
September 2023, https://ofac.treasury.gov/sdn-list-data-formats-data-schemas): no header line, "-0-" for nothing, rows of one
entry joined by the number in the first column. Births, nationalities, weak aliases ("a.k.a. 'TIGER'") and "Digital Currency
Address - XBT 1abc…" stand in the remarks, parted by semicolons. A file may end with the control character 26.

Pure. What must never happen here: a file that was cut off taken for a whole one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from kyc.screening.entries import Entry, Kind, ListBroken, Name, Wallet, split

NOTHING = "-0-"
END = "\x1a"
# Columns of each file; OFAC may add some at the end.
SDN_COLUMNS, ALT_COLUMNS, ADD_COLUMNS, COMMENTS_COLUMNS = 12, 5, 6, 2
FIELD_LENGTH_MAX = 200_000
KINDS: dict[str, Kind] = {"individual": "individual", "vessel": "vessel", "aircraft": "aircraft"}
CURRENCY_ADDRESS = re.compile(r"Digital Currency Address - ([A-Za-z0-9]{2,8}):? +([!-:<-~]{6,200}?)[.,]?(?=$|[\s;])")
_WEAK = re.compile(r"(?:a|f|n)\.k\.a\. ['\"](.+?)['\"]\s*(?:\(.*\))?\.?$")
_BIRTH = re.compile(r"(?:alt\. )?DOB (.+?)\.?$")
_COUNTRY = re.compile(r"(?:alt\. )?(?:nationality|citizen) (.+?)\.?$")


@dataclass(slots=True)
class _Gathered:
    names: list[Name]
    kind: Kind
    programs: tuple[str, ...]
    remarks: str
    countries: list[str] = field(default_factory=list)


def parse(files: Mapping[str, str]) -> list[Entry]:
    """The entries of the files, by their names in small letters; "sdn.csv" is needed, the others may be left out.

    Raises ListBroken where a file is cut off, a row has too few columns, a number stands twice, or a row belongs to nobody.
    """
    if "sdn.csv" not in files:
        raise ListBroken("sdn.csv is missing.")
    _ended_alike(files)
    found: dict[str, _Gathered] = {}
    for uid, name, kind, program, *rest in _rows(files, "sdn.csv", SDN_COLUMNS):
        if uid in found:
            raise ListBroken(f"Entry {uid} stands twice in sdn.csv.")
        found[uid] = _Gathered([split(name)], KINDS.get(kind.lower(), "entity"), _programs(program), rest[7])
    for uid, text in _rows(files, "sdn_comments.csv", COMMENTS_COLUMNS):
        _of(found, uid, "sdn_comments.csv").remarks += f" {text}"
    for uid, _, _, name, *_ in _rows(files, "alt.csv", ALT_COLUMNS):
        if name:
            _of(found, uid, "alt.csv").names.append(split(name))
    for uid, _, _, _, country, *_ in _rows(files, "add.csv", ADD_COLUMNS):
        if country:
            _of(found, uid, "add.csv").countries.append(country)
    return [_entry(uid, gathered) for uid, gathered in found.items()]


def _ended_alike(files: Mapping[str, str]) -> None:
    """Where one file of a publication has OFAC's closing character, one without it was cut off."""
    ended = {name: text.rstrip("\r\n").endswith(END) for name, text in files.items()}
    if any(ended.values()) and not all(ended.values()):
        raise ListBroken(
            f"{', '.join(sorted(name for name in ended if not ended[name]))}: cut off, the end is missing."
        )


def _rows(files: Mapping[str, str], name: str, columns: int) -> Iterator[list[str]]:
    if name not in files:
        return
    text = files[name].removeprefix("\ufeff")
    if text and not text.endswith(("\n", "\r", END)):
        raise ListBroken(f"{name}: cut off within its last line.")
    text = text.rstrip("\r\n").removesuffix(END)
    csv.field_size_limit(FIELD_LENGTH_MAX)
    try:
        for number, row in enumerate(csv.reader(text.splitlines(), strict=True), start=1):
            if not row:
                continue
            if len(row) < columns or not row[0].strip().isdigit():
                raise ListBroken(f"{name}, line {number}: no row of {columns} columns that begins with a number.")
            yield [_value(cell) for cell in row]
    except csv.Error as error:
        raise ListBroken(f"{name}: {error}.") from None


def _value(cell: str) -> str:
    cell = cell.strip()
    return "" if cell == NOTHING else cell


def _of(found: Mapping[str, _Gathered], uid: str, name: str) -> _Gathered:
    gathered = found.get(uid)
    if gathered is None:
        raise ListBroken(f"{name} tells of entry {uid}, which sdn.csv does not have: one of them was cut off.")
    return gathered


def _programs(text: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"\]? ?\[|\]|; ?", text) if part)


def _entry(uid: str, gathered: _Gathered) -> Entry:
    births: list[str] = []
    weak: list[Name] = []
    for part in (piece.strip() for piece in gathered.remarks.split(";")):
        if match := _BIRTH.match(part):
            births.append(match[1])
        elif match := _COUNTRY.match(part):
            gathered.countries.append(match[1])
        elif match := _WEAK.match(part):
            known = split(match[1])
            weak.append(Name(known.text, known.surname, known.given, weak=True))
    wallets = dict.fromkeys(Wallet(found[1].upper(), found[2]) for found in CURRENCY_ADDRESS.finditer(gathered.remarks))
    return Entry(
        uid=uid,
        kind=gathered.kind,
        names=tuple(dict.fromkeys([*gathered.names, *weak])),
        programs=gathered.programs,
        births=tuple(dict.fromkeys(births)),
        countries=tuple(dict.fromkeys(gathered.countries)),
        wallets=tuple(wallets),
        remarks=gathered.remarks.strip(),
    )
