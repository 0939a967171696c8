"""What the domain says, in the reader's language.

The rooms beneath raise their errors in plain English, with codes, and so the API answers. A page shows the same sentence from the
catalogue `errors`, gathered from the sources: what was put into a sentence is found again by its pattern and put into the
translation. What must never happen here: a sentence that says less in another language than in English; one without a translation
is shown as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from gettext import GNUTranslations
from pathlib import Path

from django.conf import settings
from django.utils import translation

_NAME = re.compile(r"\\\{(\w+)\\\}")


@dataclass(frozen=True, slots=True)
class Sentences:
    """What one language has: whole sentences, and patterns of those that hold something."""

    whole: dict[str, str]
    patterns: tuple[tuple[re.Pattern[str], str], ...]


def said(what: Exception | str) -> str:
    """The sentence of an error (or the sentence itself) in the language that is active."""
    text = str(getattr(what, "message", what))
    language = (translation.get_language() or settings.LANGUAGE_CODE).partition("-")[0]
    if language == settings.LANGUAGE_CODE:
        return text
    sentences = _of(language)
    if (known := sentences.whole.get(text)) is not None:
        return known
    for pattern, words in sentences.patterns:
        if found := pattern.fullmatch(text):
            return words.format(
                **{name: sentences.whole.get(value, value) for name, value in found.groupdict().items()}
            )
    return text


@cache
def _of(language: str) -> Sentences:
    """Read once in each process. A language that was not compiled has none, and English is shown."""
    path = Path(settings.LOCALE_PATHS[0]) / language / "LC_MESSAGES" / "errors.mo"
    if not path.exists():
        return Sentences(whole={}, patterns=())
    with path.open("rb") as file:
        catalogue: dict[str, str] = GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    texts = {english: words for english, words in catalogue.items() if english and words}
    holding = sorted((english for english in texts if "{" in english), key=len, reverse=True)
    return Sentences(
        whole={english: words for english, words in texts.items() if "{" not in english},
        patterns=tuple((_pattern(english), texts[english]) for english in holding),
    )


def _pattern(english: str) -> re.Pattern[str]:
    return re.compile(_NAME.sub(r"(?P<\1>.+?)", re.escape(english)), re.DOTALL)
