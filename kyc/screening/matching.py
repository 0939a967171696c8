"""Finds the listed names that a person's name may be: fast enough for everybody, forgiving enough for a typing error.

For each word of the list the index keeps hashes of the word with one letter left out, spelled and folded, and of its
consonants. So what is measured (by rapidfuzz) are a few dozen words instead of all. A name's score is the part of both names
that found its like: 100 where nothing is left over. Words weigh by what they are: a surname and a first given name much, a
further given name less, a particle or a title next to nothing.

Pure: no database, no clock. What must never happen here: a listed name that is left out of the index in silence
(`Index.unreadable` counts those without a letter), or a strong hit that a birth date or a country hides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from operator import itemgetter

import numpy as np

from kyc.screening import countries, entries, likeness, names
from kyc.screening.entries import Born, Entry, Name

# In percent. A strong match is one that neither a birth date nor a country can hide.
HIT, STRONG = 82, 97
# Where only the country disagrees, it must be so much; where the birth date agrees, so little is enough.
HIT_OTHER_COUNTRY, HIT_ALL_AGREES = 90, 76
HIT_WEAK_ALIAS = 95
BIRTH_SLACK = timedelta(days=366)
SCREENED_KINDS = frozenset({"individual", "entity"})

_FULL, _SECOND_SURNAME, _FURTHER_GIVEN, _SLIGHT = 1.0, 0.6, 0.35, 0.15
# What a word of the person's costs that found no like, once two words have.
_EXTRA, _EXTRA_SHORT = 0.4, 0.3
_MISPLACED_SPACE = 0.99
# Of the weight of a further given name, where the person writes none.
_UNWRITTEN = 0.5
_ORNAMENTAL = names.PARTICLES | names.ORNAMENTS
_JOINED_LENGTH_MAX = 24
_COLUMNS = ("bits", "alike", "units")
_REMEMBERED_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Person:
    """Who is looked for. The birth date and the country (an ISO code) narrow; neither is needed.

    `called` are shorter forms of what stands in `names`: of many given names the first.
    """

    names: tuple[str, ...]
    birth_date: date | None = None
    country: str = ""
    called: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """A listed entry that a person may be. `place` is the entry's in the index, `name` that of its name that fits best.

    `birth` and `country` are "same", "other", or "" where one side does not say. A strong match is nearly the whole of both
    names, and no weak alias.
    """

    place: int
    name: int
    score: int
    strong: bool
    birth: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two words that were taken for the same, for the explanation that staff read; `alike` in percent."""

    asked: str
    listed: str
    alike: int


@dataclass(slots=True)
class _Listed:
    """One name of the list: what each of its words weighs, and which of them people leave out (as bits)."""

    entry: int
    name: int
    weak: bool
    weights: list[float]
    optional: int


@dataclass(frozen=True, slots=True)
class _Found:
    """Where in the list a word was found, as columns: the name, its worth there, the words it covers as bits, how alike."""

    names: np.ndarray
    worth: np.ndarray
    bits: np.ndarray
    alike: np.ndarray
    units: np.ndarray


_NOWHERE = _Found(*(np.empty(0, kind) for kind in (np.int32, np.float32, np.int32, np.float32, np.int32)))


class Index:
    """A list, ready to be asked. Built once for each version, about two seconds for 25,000 entries; then only read."""

    def __init__(self, listed: Sequence[Entry]) -> None:
        self.entries = tuple(listed)
        self.unreadable = 0
        self._names: list[_Listed] = []
        self._words: list[str] = []
        self._joined_units: set[int] = set()
        self._births = [tuple(b for text in entry.births if (b := entries.born(text))) for entry in listed]
        self._countries = [countries.codes(entry.countries) for entry in listed]
        self._remembered: dict[tuple[str, bool], _Found] = {}
        self._build()

    def __len__(self) -> int:
        return len(self._names)

    def _build(self) -> None:
        known: dict[tuple[str, bool], int] = {}
        keys: list[int] = []
        owners: list[int] = []
        postings: list[list[tuple[int, float, int]]] = []

        def post(word: str, bits: int, weights: Sequence[float], *, joined: bool) -> None:
            number = known.get((word, joined))
            if number is None:
                number = known[word, joined] = len(self._words)
                self._words.append(word)
                postings.append([])
                if joined:
                    self._joined_units.add(number)
                for key in likeness.listed_joined(word) if joined else likeness.listed(word):
                    keys.append(hash(key))
                    owners.append(number)
            postings[number].append((len(self._names), _weigh(weights, bits), bits))

        for place, entry in enumerate(self.entries):
            if entry.kind not in SCREENED_KINDS:
                continue
            for which, name in enumerate(entry.names):
                spelled, weights, optional = _weighed(name, individual=entry.kind == "individual")
                if not spelled:
                    self.unreadable += 1
                    continue
                for at, word in enumerate(spelled):
                    post(word, 1 << at, weights, joined=False)
                for word, bits in _joined(spelled):
                    post(word, bits, weights, joined=True)
                self._names.append(_Listed(place, which, name.weak, weights, optional))
        hashes = np.array(keys, np.int64)
        order = np.argsort(hashes, kind="stable")
        self._owners = np.array(owners, np.int32)[order]
        self._keys, starts = np.unique(hashes[order], return_index=True)
        self._starts = np.append(starts, len(hashes))
        self._postings = [
            (np.array(n, np.int32), np.array(w, np.float32), np.array(b, np.int32))
            for n, w, b in (zip(*rows, strict=True) for rows in postings)
        ]
        # A name is looked at closer where what was found of it is worth so much.
        least = [_left_over(name, 0, known=True, crossed=False) for name in self._names]
        self._floor = np.array(least, np.float32) * np.float32(HIT_ALL_AGREES / 100 - 0.005)

    def search(self, person: Person) -> list[Match]:
        """Every entry that the person may be, the likeliest first."""
        best: dict[int, Match] = {}
        for spelled, bare in _readings(person):
            for number, score, _ in self._scored(spelled, bare):
                match = self._judged(self._names[number], score, person)
                known = best.get(match.place) if match else None
                if match and (known is None or (match.score, match.strong) > (known.score, known.strong)):
                    best[match.place] = match
        return sorted(best.values(), key=lambda match: (-match.score, match.place))

    def explain(self, person: Person, match: Match) -> list[Pair]:
        """Which of the person's words were taken for which of the entry's, where the names fit best."""
        best: tuple[float, list[Pair]] = (-1.0, [])
        for spelled, bare in _readings(person):
            for number, score, pairs in self._scored(spelled, bare):
                name = self._names[number]
                if (name.entry, name.name) == (match.place, match.name) and score > best[0]:
                    best = score, [Pair(word, self._words[unit], round(100 * alike)) for word, unit, alike in pairs]
        return best[1]

    def _scored(
        self, spelled: tuple[str, ...], bare: bool
    ) -> Iterator[tuple[int, float, list[tuple[str, int, float]]]]:
        """(number of a name, its score, the pairs of it) for the names that can reach the lowest score that counts."""
        spans: list[tuple[str, int, bool]] = [(word, 1 << at, True) for at, word in enumerate(spelled)]
        spans += [(word, bits, False) for word, bits in _joined(spelled)]
        found = [self._found(word, single, bare) for word, _, single in spans]
        numbers = np.concatenate([each.names for each in found])
        if not len(numbers):
            return
        worth = np.concatenate([each.worth for each in found])
        reachable = np.bincount(numbers, worth, len(self._names)) >= self._floor
        keep = np.flatnonzero(reachable[numbers])
        if not len(keep):
            return
        alikes = np.concatenate([each.alike for each in found])[keep]
        keep = keep[np.lexsort((-worth[keep], -alikes, numbers[keep]))]
        asked = np.repeat(np.arange(len(spans)), [len(each.names) for each in found])[keep].tolist()
        columns = [np.concatenate([getattr(each, name) for each in found])[keep].tolist() for name in _COLUMNS]
        rows = list(zip(numbers[keep].tolist(), asked, *columns, strict=True))
        for number, group in groupby(rows, key=itemgetter(0)):
            pairs, covered, listed, alike, total = [], 0, 0, 0.0, 0.0
            name = self._names[number]
            for _, at, bits, how, unit in group:
                word, own, _ = spans[at]
                if not (covered & own or listed & bits):
                    weight = _weigh(name.weights, bits)
                    covered, listed = covered | own, listed | bits
                    alike, total = alike + how * weight, total + weight
                    pairs.append((word, unit, how))
            several = listed.bit_count() > 1
            extra = sum(_extra(word, several) for at, word in enumerate(spelled) if not covered >> at & 1)
            left = _left_over(name, listed, known=several, crossed=extra >= _EXTRA_SHORT)
            yield number, alike / (total + extra + left), pairs

    def _judged(self, name: _Listed, score: float, person: Person) -> Match | None:
        """What the birth date and the country make of a score. They drop a doubtful match, and never a strong one."""
        whole = round(score * 100)
        if whole < HIT_ALL_AGREES:
            return None
        birth = _birth(self._births[name.entry], person.birth_date)
        country = countries.compare(self._countries[name.entry], person.country)
        if name.weak:
            if whole < HIT_WEAK_ALIAS or "other" in (birth, country):
                return None
        elif whole < STRONG:
            agrees = birth == "same"
            disagrees = birth == "other" or (country == "other" and not agrees and whole < HIT_OTHER_COUNTRY)
            if disagrees or (whole < HIT and not agrees):
                return None
        return Match(name.entry, name.name, whole, whole >= STRONG and not name.weak, birth, country)

    def _found(self, word: str, single: bool, bare: bool) -> _Found:
        """Where a word stands in the list. Remembered for single words: given names are shared by many."""
        if not single:
            return self._looked_up(word, likeness.asked_joined(word), single=False, bare=False)
        known = self._remembered.get((word, bare))
        if known is None:
            if len(self._remembered) >= _REMEMBERED_MAX:
                self._remembered.clear()
            known = self._looked_up(word, likeness.asked(word, bare=bare), single=True, bare=bare)
            self._remembered[word, bare] = known
        return known

    def _looked_up(self, word: str, keys: set[str], *, single: bool, bare: bool) -> _Found:
        """What two words make together may be one word of the list; of two words of the list only the very same letters, where
        nothing but the space was misplaced."""
        hashes = np.array([hash(key) for key in keys], np.int64)
        places = self._keys.searchsorted(hashes)
        places[places == len(self._keys)] = 0
        units: set[int] = set()
        for at in places[self._keys[places] == hashes].tolist() if len(self._keys) else ():
            units.update(self._owners[self._starts[at] : self._starts[at + 1]].tolist())
        found: list[tuple[int, float]] = []
        for unit in units:
            if not single and unit in self._joined_units:
                alike = _MISPLACED_SPACE if word == self._words[unit] else 0.0
            else:
                alike = likeness.likeness(word, self._words[unit], bare=bare)
            if alike:
                found.append((unit, alike))
        if not found:
            return _NOWHERE
        numbers, weights, bits = (
            np.concatenate(column) for column in zip(*(self._postings[unit] for unit, _ in found), strict=True)
        )
        times = [len(self._postings[unit][0]) for unit, _ in found]
        alikes = np.repeat(np.array([alike for _, alike in found], np.float32), times)
        return _Found(
            numbers, weights * alikes, bits, alikes, np.repeat(np.array([unit for unit, _ in found], np.int32), times)
        )


def _readings(person: Person) -> Iterator[tuple[tuple[str, ...], bool]]:
    for text in (*person.names, *person.called):
        bare = names.vowelless(text)
        for spelled in names.readings(text):
            yield spelled, bare


def _joined(spelled: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Two words that may be written as one: neighbours, and the first and the last in either order, for what lies between is left
    out and names are turned round."""
    ends = (0, len(spelled) - 1)
    places = dict.fromkeys(
        [(at, at + 1) for at in range(len(spelled) - 1)] + ([ends, ends[::-1]] if len(spelled) > 1 else [])
    )
    for first, second in places:
        joined = spelled[first] + spelled[second]
        if len(joined) <= _JOINED_LENGTH_MAX:
            yield joined, 1 << first | 1 << second


def _weighed(name: Name, *, individual: bool) -> tuple[tuple[str, ...], list[float], int]:
    """A listed name's words in the order in which people say them, what each weighs, and which are left out at will (as bits)."""
    parts: tuple[tuple[tuple[str, ...], float], ...]
    if individual and name.surname:
        parts = ((names.words(name.given), _FURTHER_GIVEN), (names.words(name.surname), _SECOND_SURNAME))
    else:
        parts = ((names.words(name.text), _FURTHER_GIVEN if individual else _FULL),)
    spelled: list[str] = []
    weights: list[float] = []
    optional = 0
    for part, further in parts:
        first = True
        for at, word in enumerate(part):
            weight = _weight(word, part)
            if weight == _FULL and not first and (len(parts) == 2 or at < len(part) - 1):
                weight = further
                optional |= (further == _FURTHER_GIVEN) << len(spelled)
            first = first and weight == _SLIGHT
            spelled.append(word)
            weights.append(weight)
    return tuple(spelled), weights, optional


def _weight(word: str, beside: Sequence[str]) -> float:
    """A particle or a title weighs little, unless there is nothing else."""
    return _SLIGHT if word in _ORNAMENTAL and any(other not in _ORNAMENTAL for other in beside) else _FULL


def _weigh(weights: Sequence[float], bits: int) -> float:
    return sum(weight for at, weight in enumerate(weights) if bits >> at & 1)


def _left_over(name: _Listed, listed: int, *, known: bool, crossed: bool) -> float:
    """What the listed words cost that found no like. A further given name that the person just does not write costs less than
    one

    where the person has another one (`crossed`).
    """
    total = 0.0
    for at, weight in enumerate(name.weights):
        if not listed >> at & 1:
            total += weight * _UNWRITTEN if name.optional >> at & 1 and known and not crossed else weight
    return total


def _extra(word: str, known: bool) -> float:
    if word in _ORNAMENTAL or len(word) < 3:
        return _SLIGHT
    if not known:
        return _FULL
    return _EXTRA_SHORT if len(word) == 3 else _EXTRA


def _birth(listed: Sequence[Born], birth_date: date | None) -> str:
    """A year to either side counts as the same: lists and papers often disagree by that."""
    if birth_date is None or not listed:
        return ""
    near = any(born.first - BIRTH_SLACK <= birth_date <= born.last + BIRTH_SLACK for born in listed)
    return "same" if near else "other"
