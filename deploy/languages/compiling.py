"""Catalogues as programs read them: .mo files for Django, and a script for each language with what scripts say in it.

A running site never sees a half-written file: each is written beside its place and moved there.
"""

import json
import re
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from deploy.languages import catalogues, sources

WORDS = sources.ROOT / "static" / "words"
# What a plural formula of gettext may consist of; it becomes part of a script.
FORMULA = re.compile(r"[\sn0-9!=<>%&|?:()+\-*/]+")


class StrangeFormula(ValueError):
    """A catalogue's plural formula is none."""


def compile_all() -> list[Path]:
    """Writes what changed since the last time; the files written."""
    written = []
    for language in catalogues.languages():
        found = {domain: catalogues.read(language, domain) for domain in catalogues.DOMAINS}
        for domain in ("django", "errors"):
            path = catalogues.path_of(language, domain).with_suffix(".mo")
            written += _machine(found[domain], path)
        script = script_of(found["djangojs"], found["errors"])
        written += _replace(WORDS / f"{language}.js", script.encode())
    return written


def script_of(words: Catalog, errors: Catalog) -> str:
    """The catalogue of scripts as a script. It only sets one name; words.js reads it."""
    formula = words.plural_expr
    if not FORMULA.fullmatch(formula):
        raise StrangeFormula(formula)
    content = {"words": _strings(words), "said": _strings(errors)}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    # U+2028 and U+2029 end a line in older scripts.
    text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f"globalThis.bourseWords={{...{text},plural:(n)=>Number({formula})}};\n"


def _strings(catalogue: Catalog) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    for message in catalogue:
        text = list(message.string) if message.pluralizable else message.string
        if message.id and (all(text) if message.pluralizable else text):
            key = message.id[0] if message.pluralizable else message.id
            found[f"{message.context}\x04{key}" if message.context else key] = text
    return found


def _machine(catalogue: Catalog, path: Path) -> list[Path]:
    buffer = BytesIO()
    write_mo(buffer, catalogue)
    return _replace(path, buffer.getvalue())


def _replace(path: Path, content: bytes) -> list[Path]:
    if path.exists() and path.read_bytes() == content:
        return []
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(content)
    fresh.replace(path)
    return [path]
