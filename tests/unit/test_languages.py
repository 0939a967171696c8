"""Every sentence has its words in every language of the site, and none stands in a template where no catalogue sees it."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation

from deploy.languages import catalogues, compiling, sources
from exchange.core.errors import NotFound
from exchange.site import typed
from exchange.site.said import said
from exchange.site.selectors import articles
from exchange.site.templatetags import bourse

ROOT = Path(__file__).resolve().parents[2]
OTHERS = [code for code, _ in settings.LANGUAGES if code != "en"]
# Prose: each language has a file of its own.
PROSE = re.compile(r"site/(help|legal)/\w\w/")
STAFF = re.compile(r"^(admin|backoffice|proposals|unfold)/|/admin/")
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}")
# What is the same in every language: names, codes, units, examples.
UNTRANSLATED = {
    "API", "REST", "HTML", "QR", "UTC", "TradingView", "HMAC-SHA256", "Ed25519", "GET", "POST", "BTC", "CSV", "PDF", "SMS",
    "txid", "px", "id", "MA", "EMA", "RSI", "GTC", "GTD", "IOC", "FOK", "OCO", "Bourse", "No", "Esc", "Enter", "Ctrl", "Shift",
    "make", "mail", "pay", "TO", "AMOUNT", "ASSET", "openapi.json", "ms", "min", "kB", "MB", "xmlns", "nbsp", "middot",
}  # fmt: skip
ATTRIBUTES = r"aria-label|title|placeholder|alt|data-confirm|aria-valuetext|aria-description"


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT / "templates"))


TEMPLATES = sorted(
    path
    for path in (ROOT / "templates").rglob("*")
    if path.suffix in (".html", ".txt") and not PROSE.search(_name(path)) and not STAFF.search(_name(path))
)


def literals(text: str) -> list[str]:
    """Words that a person reads and no catalogue has: between tags, and in attributes that are read out or shown."""
    text = re.sub(r"{% comment %}.*?{% endcomment %}|{#.*?#}|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(
        r"{% block (container_class|body_class|page_class)\b.*?{% endblock( \w+)? %}", "", text, flags=re.DOTALL
    )
    text = re.sub(r"{% blocktrans.*?{% endblocktrans\w* %}", "", text, flags=re.DOTALL)
    text = re.sub(r"<(script|style|code|kbd|samp|pre)\b.*?</\1>", "", text, flags=re.DOTALL)
    attributes = re.findall(rf'\s(?:{ATTRIBUTES})="((?:[^"{{]|{{{{.*?}}}}|{{%.*?%}})*)"', text)
    text = re.sub(r"{%.*?%}|{{.*?}}", "\u0000", text, flags=re.DOTALL)
    text = re.sub(r"<[^<>]*>", "\u0000", text)
    attributes = [re.sub(r"{%.*?%}|{{.*?}}", "\u0000", each) for each in attributes]
    words = []
    for piece in [*text.split("\u0000"), *(part for each in attributes for part in each.split("\u0000"))]:
        read = re.sub(r"&\w+;", " ", piece)
        words += [word for word in re.findall(r"[A-Za-z][\w.-]*[A-Za-z]", read) if word not in UNTRANSLATED]
    return words


@pytest.mark.parametrize("path", TEMPLATES, ids=_name)
def test_a_template_says_nothing_past_the_catalogues(path: Path) -> None:
    assert literals(path.read_text()) == []


def test_literals_are_found_where_they_stand() -> None:
    assert literals('<p title="Close it">Hello {{ name }}, <b>you</b></p>') == ["Hello", "you", "Close", "it"]
    assert (
        literals(
            '{% translate "Hello" %}<p title="{% translate "Close" %}">{% blocktranslate %}Hi{% endblocktranslate %}'
        )
        == []
    )


def test_every_language_has_words_for_everything() -> None:
    assert list(catalogues.missing()) == []
    assert sorted(OTHERS) == catalogues.languages()


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("domain", catalogues.DOMAINS)
def test_a_translation_holds_what_its_sentence_holds(language: str, domain: str) -> None:
    for message in catalogues.read(language, domain):
        if not message.id:
            continue
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        texts = [message.string] if isinstance(message.string, str) else list(message.string)
        wanted = set(PLACEHOLDER.findall(" ".join(ids)))
        for text in texts:
            assert set(PLACEHOLDER.findall(text)) == wanted, (ids[0], text)
            assert sorted(re.findall(r"</?\w+", text)) == sorted(re.findall(r"</?\w+", ids[-1])), (ids[0], text)


def test_a_script_says_only_what_was_read_out_of_it() -> None:
    """t() with anything but a literal would never find a translation."""
    for path in sources.scripts():
        if path.name != "words.js":
            strange = re.findall(r"(?<![\w.])(?:t|tn|tp)\((?![\s]*[\"'`)])[^)]*\)", path.read_text())
            assert strange == [], path.name


def test_every_language_tells_every_topic() -> None:
    for shelf, topics in articles.SHELVES.items():
        for topic in topics:
            english = None
            for language, _ in settings.LANGUAGES:
                with translation.override(language):
                    article = articles.find(shelf, topic)
                assert article is not None and article.language == language and article.title and article.lead
                english = english or [each.id for each in article.sections]
                assert [each.id for each in article.sections] == english, f"{shelf}/{language}/{topic}"


def test_help_finds_the_word_in_the_language_it_is_read_in() -> None:
    found = articles.search("withdrawal paused")
    assert found[0].article.topic in ("withdrawals", "security") and found[0].sections
    with translation.override("de"):
        assert articles.search("Auszahlung pausiert")[0].article.topic == "withdrawals"
        assert articles.search("zzzz") == []


def test_what_the_domain_says_keeps_what_was_put_into_it() -> None:
    english = "The least you can send is 0.001 BTC."
    assert said(NotFound(english)) == english
    with translation.override("de"):
        assert said(NotFound(english)) == "Sie können mindestens 0.001 BTC senden."
        assert said("There is no such market.") == "Diesen Markt gibt es nicht."
        assert said("This order is filled already.") == "Diese Order ist bereits ausgeführt."
        assert said("Something nobody ever wrote.") == "Something nobody ever wrote."


def test_no_amount_can_be_read_two_ways() -> None:
    assert bourse.grouped("1234567.5") == "1,234,567.5"
    with translation.override("de"):
        assert bourse.grouped("1234567.5") == "1\u202f234\u202f567.5"
        assert bourse.amount(150_000, 4, 2) == "15.00"


@pytest.mark.parametrize(
    ("text", "english", "german"),
    [
        ("1234.56", "1234.56", "1234.56"),
        ("1,234.56", "1234.56", "1234.56"),
        ("1.234,56", "1234.56", "1234.56"),
        ("1\u202f234.56", "1234.56", "1234.56"),
        ("0,5", "0.5", "0.5"),
        ("12,75", "12.75", "12.75"),
        ("1,500", "1500", None),
        ("1,23,4", None, None),
        ("0,500", "0.500", "0.500"),
        ("", "", ""),
    ],
)
def test_a_comma_is_what_its_writer_meant_or_refused(text: str, english: str | None, german: str | None) -> None:
    for language, wanted in (("en", english), ("de", german)):
        with translation.override(language):
            if wanted is None:
                with pytest.raises(typed.AmountUnclear):
                    typed.amount(text)
            else:
                assert typed.amount(text) == wanted


def test_a_moments_month_is_a_word_in_every_language() -> None:
    from datetime import UTC, datetime

    moment = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    assert "04 Mar 2026, 05:06 UTC" in bourse.when(moment)
    with translation.override("de"):
        assert "4. März 2026, 05:06 UTC" in bourse.when(moment)


def test_a_language_from_right_to_left_turns_the_page() -> None:
    page = {"site_name": "Bourse", "status": 404, "title": "x", "advice": "x", "reference": "X"}
    with translation.override("ar"):
        assert '<html lang="ar" dir="rtl"' in render_to_string("site/error.html", page)
    assert 'dir="ltr"' in render_to_string("site/error.html", page)


def test_no_sheet_knows_left_from_right() -> None:
    """Start and end turn with the language; left and right do not. A chart runs from left to right in every one."""
    physical = re.compile(
        r"^\s*(?:(?:margin|padding|border)-(?:left|right)\b|(?:left|right)\s*:|text-align:\s*(?:left|right)|float:\s*(?:left|right)"
        r"|inset: *\S+ +(\S+) +\S+ +(?!\1;)\S+;)",
        re.MULTILINE,
    )
    for path in sorted((ROOT / "static" / "src").rglob("*.css")):
        if path.name != "chart.css":
            assert physical.search(path.read_text()) is None, path.name


def test_the_script_of_a_language_is_one_assignment() -> None:
    words = catalogues.read("de", "djangojs")
    script = compiling.script_of(words, catalogues.read("de", "errors"))
    assert script.startswith("globalThis.bourseWords={") and script.count("\n") == 1
    assert compiling.FORMULA.fullmatch("(n != 1)") and not compiling.FORMULA.fullmatch("alert(1)")
