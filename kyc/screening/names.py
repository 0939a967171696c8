"""Names in one form, so that the same name in another spelling, order, script or disguise is found.

A name becomes words of small ASCII letters. What is written in another script is transliterated; a word that mixes scripts,
or is made of letters that all look Latin, is read as it looks as well. Then each word is folded (spellings of one sound
become one) and stripped to its consonants, which is all that some scripts write.

Pure. What must never happen here: a letter that is dropped although it means something, or work without a limit (a name is
cut at NAME_LENGTH_MAX characters and WORDS_MAX words: what tells least apart goes first, and never the two ends).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from anyascii import anyascii

NAME_LENGTH_MAX = 300
WORDS_MAX = 12
WORD_LENGTH_MAX = 40


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# What looks like a Latin letter and is none.
_LOOKS = dict(
    zip(
        "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0455\u0456\u0458\u051b\u051d\u04bb\u04cf\u0501"
        "\u04af\u0433\u043f\u044c\u04e9\u03b1\u03b2\u03b5\u03b6\u03b7\u03b9\u03ba\u03bc\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03b3\u03cc\u03c3",
        "abekmhopctyxsijqwhldyrnboabezhikmnoptyxyoo",
        strict=True,
    )
)
# Words that stand before or between names and tell nobody apart.
PARTICLES = frozenset(
    _words(
        """
        al el ul ad as ash ar az at an bin ben ibn bint bt de da di do du del della der den des dos das la le los las van
        von zu zur ter ten te y e i af av ap mac mc st san santa
        """
    )
)
# Titles, and the legal forms of companies.
ORNAMENTS = frozenset(
    _words(
        """
        mr mrs ms miss dr prof sir lord haji hajji hajj mullah mawlawi maulana sheikh shaykh shaikh sayyid sayed syed
        general colonel jr sr ii iii iv llc ltd limited inc incorporated co company corp corporation gmbh ag sa sarl srl
        spa bv nv plc oao ooo zao pao ao pte pvt pty llp lp fze fzco fzc dmcc kft doo jsc pjsc ojsc cjsc the and of for
        group holding holdings
        """
    )
)
# A capital S stands for what hushes: sh, ch, zh, j.
_FOLDS = (
    (re.compile(r"shch|tsch|sch|tch|dzh|sh|ch|zh|cz|sz|dj|j|g(?=[eiy])"), "S"),
    (re.compile(r"ts|tz|dz|ks|x|z|c(?=[eiy])"), "s"),
    (re.compile(r"kh|gh|h"), "h"),
    (re.compile(r"ph|w|v"), "f"),
    (re.compile(r"q|ck|c"), "k"),
    (re.compile(r"th|dh"), "t"),
    (re.compile(r"ou|oo|o|u"), "u"),
    (re.compile(r"y|ee|ea|e"), "i"),
    (re.compile(r"(?<=[aiu])h$"), ""),
)
_DOUBLED = re.compile(r"(.)\1+")
_SOFT_ENDING = re.compile(r"(?:iu|ia|ii)$")
_VOWELS = re.compile(r"[aiu]")
_NO_WORD = re.compile(r"[^a-z0-9]+")
_SILENT = re.compile("['’‘`´ʻʼʿʾ\u02b9\u02ba\u0640·.]")
_ARTICLE = re.compile("(?<![\u0600-\u06ff])\u0627\u0644([\u0600-\u06ff]{2})")
_VOWELLESS_WORD = re.compile("[\u0590-\u077f\ufb1d-\ufdff\ufe70-\ufeff]+")
_SPOKEN = {"\u0629": "a", "\u0649": "a", "\u0622": "a", "\u0623": "a", "\u0625": "i", "\u0621": "", "\u0639": "a"}
_CONTINENTAL = re.compile("j|ch")
_VOWELLESS = re.compile("[\u0590-\u077f\ufb1d-\ufdff\ufe70-\ufeff]")


def words(text: str) -> tuple[str, ...]:
    """The name's words, transliterated: "Мария de los Ángeles" gives ("mariia", "de", "los", "angeles")."""
    return _split(_romanised(_clean(text)))


def length(text: str) -> int:
    """How many words of it tell people apart: of more than WORDS_MAX, some would not be looked for."""
    return len(_telling(_NO_WORD.split(_SILENT.sub("", _romanised(_clean(text)).lower()))))


def readings(text: str) -> tuple[tuple[str, ...], ...]:
    """Every way to read a name, the likeliest first; more than one where a word may be a disguise."""
    cleaned = _clean(text)
    read = [_split(_romanised(cleaned))]
    first = " ".join(read[0])
    if _CONTINENTAL.search(first):
        read.append(_split(_continental(first)))
    if len(set(read[0])) < len(read[0]):
        read.append(tuple(dict.fromkeys(read[0])))
    looked = " ".join(_as_it_looks(word) for word in cleaned.split())
    if looked != cleaned:
        read.append(_split(_romanised(looked)))
    return tuple(dict.fromkeys(reading for reading in read if reading))


def vowelless(text: str) -> bool:
    """Whether a name is written in a script that leaves out short vowels: then only its consonants can be compared."""
    return bool(_VOWELLESS.search(text[:NAME_LENGTH_MAX]))


@lru_cache(maxsize=65_536)
def folded(word: str) -> str:
    """Spellings of one sound as one: "kadyrov" and "qadiroff", "wang" and "vang"."""
    for pattern, letter in _FOLDS:
        word = pattern.sub(letter, word)
    return _DOUBLED.sub(r"\1", _SOFT_ENDING.sub("i", word))


@lru_cache(maxsize=65_536)
def skeleton(word: str) -> str:
    """A folded word's consonants. Of "w" and "y" nobody knows whether they were vowels, so they go, too."""
    return _DOUBLED.sub(r"\1", _VOWELS.sub("", folded(word.replace("w", "u"))))


def _clean(text: str) -> str:
    """One form for each character; what has no width or steers something is gone."""
    text = unicodedata.normalize("NFKC", text[:NAME_LENGTH_MAX])
    text = "".join(" " if unicodedata.category(c) in ("Cc", "Zs", "Zl", "Zp") else c for c in text)
    return _SILENT.sub("", "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Co", "Cn", "Cs"))).strip()


def _as_it_looks(word: str) -> str:
    """A word of mixed scripts, or one whose every letter looks Latin, as a reader's eye takes it."""
    low = word.lower()
    latin = any("a" <= c <= "z" for c in low)
    alike = sum(c in _LOOKS for c in low)
    letters = sum(c.isalpha() for c in low)
    if alike and (latin or alike == letters):
        return "".join(_LOOKS.get(c, c) for c in low)
    return word


def _continental(text: str) -> str:
    """As German, Polish and their neighbours write sounds: "jaruchow" for "yarukhov"."""
    for pattern, letters in (("tsch", "\0"), ("sch", "sh"), ("ch", "kh"), ("\0", "ch"), ("j", "y")):
        text = text.replace(pattern, letters)
    return text


def _bare(word: str) -> str:
    """Consonants without their vowels, letter by letter: an "a" between them keeps t and s apart from ts."""
    letters = [anyascii(_SPOKEN.get(c, c)) for c in word]
    return "a".join(letter for letter in letters if letter)


def _romanised(text: str) -> str:
    """ASCII. A Chinese character or a Korean syllable is a word of its own until it is joined again in matching."""
    if text.isascii():
        return text
    if _VOWELLESS.search(text):
        # In Arabic the article is written in one with its name.
        text = _VOWELLESS_WORD.sub(lambda word: _bare(word[0]), _ARTICLE.sub(r"al \1", text))
    spaced = "".join(f" {c} " if "\u3400" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7a3" else c for c in text)
    return anyascii(spaced)


def _split(text: str) -> tuple[str, ...]:
    low = _SILENT.sub("", text.lower())
    found = [word[:WORD_LENGTH_MAX] for word in _NO_WORD.split(low) if word]
    return tuple(found) if len(found) <= WORDS_MAX else _cut(found)


def _cut(found: list[str]) -> tuple[str, ...]:
    """A name of too many words. Whoever fills his name up cannot push his surname out: it stands at one of the ends."""
    left = _telling(found) or list(dict.fromkeys(found))
    if len(left) <= WORDS_MAX:
        return tuple(left)
    half = WORDS_MAX // 2
    return (*left[:half], *left[-half:])


def _telling(found: Iterable[str]) -> list[str]:
    """Without particles, titles, single letters and what is said twice."""
    once = dict.fromkeys(found)
    return [word for word in once if len(word) > 1 and word not in PARTICLES and word not in ORNAMENTS]
