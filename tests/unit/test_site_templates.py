"""Every template compiles, and none of them holds what the content security policy would refuse."""

import re
from pathlib import Path

import pytest
from django.template.loader import get_template
from django.urls import get_resolver

from exchange.site import icons

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*.html"))
# E-mails are read in mail programs, which know no style sheets of ours and run no scripts.
PAGES = [path for path in TEMPLATES if "email" not in path.relative_to(ROOT / "templates").parts[:-1]]
FORBIDDEN = {
    "an inline script": re.compile(r"<script(?![^>]*\bsrc=)[^>]*>", re.IGNORECASE),
    "a style element": re.compile(r"<style\b", re.IGNORECASE),
    "a style attribute": re.compile(r"\sstyle\s*=", re.IGNORECASE),
    "an event handler attribute": re.compile(r"\son[a-z]+\s*=\s*[\"']", re.IGNORECASE),
    "a javascript: address": re.compile(r"javascript:", re.IGNORECASE),
    "an htmx expression that needs eval": re.compile(r"hx-(?:on|vars|vals)\b|hx-trigger=\"[^\"]*\[", re.IGNORECASE),
}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT / "templates"))


@pytest.mark.parametrize("path", TEMPLATES, ids=_name)
def test_it_compiles(path: Path) -> None:
    get_template(_name(path))


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_it_holds_nothing_that_the_policy_refuses(path: Path) -> None:
    text = path.read_text()
    assert [what for what, pattern in FORBIDDEN.items() if pattern.search(text)] == []


def test_the_patterns_find_what_they_look_for() -> None:
    bad = '<script>x</script><style></style><p style="a" onclick="b" hx-on="c"><a href="javascript:d">'
    assert all(pattern.search(bad) for pattern in FORBIDDEN.values())
    assert not FORBIDDEN["an inline script"].search('<script type="module" src="/static/app.js"></script>')


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_its_icons_and_addresses_exist(path: Path) -> None:
    text = path.read_text()
    unknown = [name for name in re.findall(r'{% icon "([^"]+)"', text) if name not in icons.ICONS]
    site = next(item for item in get_resolver().url_patterns if getattr(item, "namespace", None) == "site")
    known = {pattern.name for pattern in site.url_patterns}
    unknown += [name for name in re.findall(r'{% url "site:(\w+)"', text) if name not in known]
    assert unknown == []


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_its_static_files_have_a_source(path: Path) -> None:
    for name in re.findall(r'{% static "([^"]+)"', path.read_text()):
        assert (ROOT / "static" / "src" / name).exists() or (ROOT / "static" / "public" / name).exists(), name
