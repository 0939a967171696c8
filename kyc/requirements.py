"""What each level asks a customer for: groups of words and pictures. Pure.

What must never happen here: a level that rises with less than what stands here; `missing` decides it, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from kyc import countries
from kyc.screening import names

PERSON, ADDRESS, FUNDS = "person", "address", "funds"
GROUPS: dict[str, tuple[str, ...]] = {
    PERSON: ("given_names", "family_names", "birth_date", "nationality", "country", "document_type"),
    ADDRESS: ("street", "city", "postal_code", "address_country"),
    FUNDS: ("occupation", "source_of_funds"),
}
DOCUMENT_TYPES: dict[str, tuple[str, ...]] = {
    "passport": ("passport",),
    "id_card": ("id_front", "id_back"),
    "driving_licence": ("licence_front", "licence_back"),
}
DOCUMENT_KINDS = frozenset(kind for kinds in DOCUMENT_TYPES.values() for kind in kinds)
KINDS: dict[str, str] = {
    "passport": "Passport, the page with the photo",
    "id_front": "Identity card, front",
    "id_back": "Identity card, back",
    "licence_front": "Driving licence, front",
    "licence_back": "Driving licence, back",
    "selfie": "Photo of yourself holding it",
    "proof_of_address": "Proof of address, not older than three months",
    "proof_of_funds": "Proof of where the money comes from",
}
GROUP_NAMES = {PERSON: "About you", ADDRESS: "Where you live", FUNDS: "Your money"}
NAMES = {**GROUP_NAMES, **KINDS}
FIELD_LENGTH_MAX = {"source_of_funds": 1000}
LENGTH_MAX = 120
_LEVELS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "identity": ((PERSON,), ("selfie",)),
    "address": ((ADDRESS,), ("proof_of_address",)),
    "enhanced": ((FUNDS,), ("proof_of_funds",)),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A field that cannot be taken, and why, for the person who typed it."""

    field: str
    code: str
    message: str


def levels() -> tuple[str, ...]:
    """The codes of the levels that one can apply for."""
    return tuple(_LEVELS)


def groups(level: str) -> tuple[str, ...]:
    """The groups of words that a level asks for."""
    return _LEVELS[level][0]


def fields(level: str) -> tuple[str, ...]:
    return tuple(name for group in groups(level) for name in GROUPS[group])


def kinds(level: str, document_type: str = "") -> tuple[str, ...]:
    """The pictures that a level asks for; those of the document depend on which one it is."""
    own = DOCUMENT_TYPES.get(document_type, ()) if PERSON in groups(level) else ()
    return (*own, *_LEVELS[level][1])


def items(level: str, document_type: str = "") -> tuple[str, ...]:
    """Everything that can be asked for again."""
    return (*groups(level), *kinds(level, document_type))


def filled(level: str, told: Mapping[str, str]) -> list[str]:
    """The groups of which every word is there."""
    return [group for group in groups(level) if all(told.get(name) for name in GROUPS[group])]


def missing(level: str, document_type: str, told_groups: Iterable[str], shown: Iterable[str]) -> list[str]:
    """What is still to be told or shown, by group and kind; empty when the application can be handed in."""
    told, have = set(told_groups), set(shown)
    lacking = [group for group in groups(level) if group not in told]
    return lacking + [kind for kind in kinds(level, document_type) if kind not in have]


def faults(level: str, told: Mapping[str, str], *, today: date, age_min: int, refused: Iterable[str]) -> list[Fault]:
    """What is wrong with the words, all of it."""
    found = []
    for name in fields(level):
        value = told.get(name, "")
        if not value:
            found.append(Fault(name, "field_required", "Please fill this in."))
        elif len(value) > FIELD_LENGTH_MAX.get(name, LENGTH_MAX):
            found.append(Fault(name, "field_too_long", "This is too long."))
        elif not value.isprintable() and name != "source_of_funds":
            found.append(Fault(name, "field_invalid", "There is a character in it that cannot be printed."))
        elif name in ("country", "nationality", "address_country"):
            found += _country(name, value, refused)
        elif name == "document_type" and value not in DOCUMENT_TYPES:
            found.append(Fault(name, "choice_invalid", "Choose one of the documents."))
        elif name == "birth_date":
            found += _birth_date(value, today, age_min)
        elif name.endswith("_names") and not any(letter.isalpha() for letter in value):
            found.append(Fault(name, "field_invalid", "Write it as it stands in your document."))
    return found or _too_many_names(told)


def _too_many_names(told: Mapping[str, str]) -> list[Fault]:
    """Nobody is looked for by a part of his name in silence: he writes it as his document's last lines do."""
    whole = f"{told.get('given_names', '')} {told.get('family_names', '')}"
    if names.length(whole) <= names.WORDS_MAX:
        return []
    message = (
        f"Given and family names may have {names.WORDS_MAX} words together. Write them as they stand in the lines for "
        "machines at the foot of your document."
    )
    return [Fault("given_names", "name_too_long", message)]


def _country(name: str, value: str, refused: Iterable[str]) -> list[Fault]:
    if value not in countries.NAMES:
        return [Fault(name, "choice_invalid", "Choose one of the countries.")]
    if value in {code.strip().upper() for code in refused}:
        return [Fault(name, "country_not_served", f"We cannot serve customers of {countries.NAMES[value]}.")]
    return []


def _birth_date(value: str, today: date, age_min: int) -> list[Fault]:
    try:
        born = date.fromisoformat(value)
    except ValueError:
        return [Fault("birth_date", "field_invalid", "Write it as year-month-day, such as 1990-05-31.")]
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    if born > today or age > 120 or len(value) != len("1990-05-31"):
        return [Fault("birth_date", "field_invalid", "This cannot be a date of birth.")]
    if age < age_min:
        return [Fault("birth_date", "too_young", f"You have to be {age_min} or older.")]
    return []
