"""Help and legal pages: prose, one file for each topic and language, templates/site/<shelf>/<language>/<topic>.html.

Prose is not cut into a catalogue's sentences: each language tells it in its own words. A language that lacks one
shows the English (a test holds that none lacks any). What must never
happen here: a file named by what somebody typed into an address.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.utils import translation

HELP, LEGAL = "help", "legal"
WORDS_MAX = 100
# Topic → icon, in the order of lists. Nothing else has an address.
SHELVES = {
    HELP: {
        "first-steps": "home",
        "deposits": "arrow-in",
        "withdrawals": "arrow-out",
        "orders": "candles",
        "fees": "receipt",
        "security": "shield",
        "verification": "user",
        "api": "key",
    },
    LEGAL: {"terms": "receipt", "privacy": "lock", "fees": "receipt", "risks": "alert"},
}
_TITLE = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)
_LEAD = re.compile(r'<p class="lead">(.*?)</p>', re.DOTALL)
_SECTION = re.compile(r'<h2 id="([\w-]+)"[^>]*>(.*?)</h2>', re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


@dataclass(frozen=True, slots=True)
class Section:
    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Article:
    """`template` is what prints it; the rest is its words without marks, for lists and the search."""

    topic: str
    icon: str
    template: str
    language: str
    title: str
    lead: str
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """An article that holds every word looked for, and the sections that hold one."""

    article: Article
    sections: tuple[Section, ...]


def find(shelf: str, topic: str) -> Article | None:
    """In the language that is active."""
    return _read(shelf, topic, _language()) if topic in SHELVES[shelf] else None


def topics() -> list[Hit]:
    return [Hit(article=each, sections=()) for each in titles(HELP)]


def titles(shelf: str) -> list[Article]:
    return [_read(shelf, topic, _language()) for topic in SHELVES[shelf]]


def search(wanted: str) -> list[Hit]:
    """Help that holds every word, in titles first. Nothing here is a pattern: words are only compared."""
    words = [word for word in wanted.casefold().split() if len(word) > 1][:10]
    ranked = []
    for article in titles(HELP) if words else []:
        heads = f"{article.title} {article.lead} {' '.join(each.title for each in article.sections)}".casefold()
        whole = f"{heads} {' '.join(each.text for each in article.sections)}".casefold()
        if all(word in whole for word in words):
            sections = tuple(
                each
                for each in article.sections
                if any(word in f"{each.title} {each.text}".casefold() for word in words)
            )
            ranked.append((-sum(word in heads for word in words), Hit(article=article, sections=sections[:4])))
    return [hit for _, hit in sorted(ranked, key=lambda each: each[0])]


def _language() -> str:
    return (translation.get_language() or settings.LANGUAGE_CODE).partition("-")[0]


@cache
def _read(shelf: str, topic: str, language: str) -> Article:
    """Read once in each process and language."""
    name = f"site/{shelf}/{language}/{topic}.html"
    try:
        template = get_template(name)
    except TemplateDoesNotExist:
        if language == settings.LANGUAGE_CODE:
            raise
        return _read(shelf, topic, settings.LANGUAGE_CODE)
    source = template.render({"site_name": settings.SITE_NAME})
    heads = list(_SECTION.finditer(source))
    ends = [*(each.start() for each in heads[1:]), len(source)]
    return Article(
        topic=topic,
        icon=SHELVES[shelf][topic],
        template=name,
        language=language,
        title=_words(_first(_TITLE, source)),
        lead=_words(_first(_LEAD, source)),
        sections=tuple(
            Section(id=each[1], title=_words(each[2]), text=_words(source[each.end() : end]))
            for each, end in zip(heads, ends, strict=True)
        ),
    )


def _first(pattern: re.Pattern[str], source: str) -> str:
    found = pattern.search(source)
    return found[1] if found else ""


def _words(source: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", source)).split())
