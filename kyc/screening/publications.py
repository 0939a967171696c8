"""Files of one publication of a list, in whichever of OFAC's formats they came, read whole or refused.

Pure. What must never happen here: a list that is taken although a part of it is missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from kyc.screening import sdn_csv, sdn_xml
from kyc.screening.entries import ListBroken, Publication

FILES_MAX = 8
BYTES_MAX = 150_000_000
FEW = 5  # so few less are never suspicious: a short list may lose them on any day
DELIMITED = ("sdn.csv", "alt.csv", "add.csv", "sdn_comments.csv")
# OFAC's other list comes in the same columns under names of its own.
OTHER_NAMES = {
    "cons_prim.csv": "sdn.csv",
    "cons_alt.csv": "alt.csv",
    "cons_add.csv": "add.csv",
    "cons_comments.csv": "sdn_comments.csv",
}


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a publication holds."""

    entries: int
    names: int
    addresses: int


def read(files: Mapping[str, bytes]) -> Publication:
    """The publication in these files, by their names. Raises ListBroken."""
    if not files or len(files) > FILES_MAX or sum(map(len, files.values())) > BYTES_MAX:
        raise ListBroken(f"One to {FILES_MAX} files of together at most {BYTES_MAX} bytes are read.")
    named = {OTHER_NAMES.get(name.lower(), name.lower()): raw for name, raw in files.items()}
    if len(named) == 1 and (raw := next(iter(named.values()))).lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        found, published = sdn_xml.parse(raw)
    elif unknown := sorted(set(named) - set(DELIMITED)):
        raise ListBroken(f"{unknown[0]} is no file of this list: {', '.join(DELIMITED)}, or one XML file.")
    else:
        found, published = sdn_csv.parse({name: _decoded(name, raw) for name, raw in named.items()}), None
    if not found:
        raise ListBroken("The list has no entry.")
    return Publication(tuple(found), digest(files), published)


def digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over the files' names, lengths and bytes."""
    sum_ = hashlib.sha256()
    for name in sorted(files):
        sum_.update(f"{name.lower()}\0{len(files[name])}\0".encode() + files[name])
    return sum_.hexdigest()


def counts(publication: Publication) -> Counts:
    return Counts(
        entries=len(publication.entries),
        names=sum(len(entry.names) for entry in publication.entries),
        addresses=sum(len(entry.wallets) for entry in publication.entries),
    )


def shrunken(before: Counts, after: Counts, *, percent: int) -> str:
    """What became suspiciously less, in words; "" where nothing did."""
    for name in ("entries", "names", "addresses"):
        was, now = getattr(before, name), getattr(after, name)
        if was - now > max(was * percent // 100, FEW):
            return f"{name}: {now} where there were {was}"
    return ""


def _decoded(name: str, raw: bytes) -> str:
    """UTF-8, which OFAC writes today, or the older Latin-1, in which every byte is a letter."""
    if b"\0" in raw:
        raise ListBroken(f"{name} is no text.")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
