"""What people read, gathered from the sources: templates, Python, scripts, and the sentences of the domain's errors.

Nothing is imported or run: the sources are read as text, so a catalogue depends on nothing that is installed or switched on.
"""

import ast
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("config", "custody", "exchange", "kyc", "trading", "wallets")
# Which arguments are the texts, by the name of the function: as gettext's own --keyword.
PYTHON = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
SCRIPTS = {"t": None, "tn": (1, 2), "tp": ((1, "c"), 2)}
DOMAIN_ERRORS = ROOT / "exchange" / "core" / "errors.py"


def catalogues() -> dict[str, Catalog]:
    """The three catalogues as the sources have them now, without translations."""
    return {"django": _pages(), "djangojs": _scripts(), "errors": _errors()}


def python_files() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")) if "migrations" not in path.parts]


def templates() -> list[Path]:
    found = (path for path in (ROOT / "templates").rglob("*") if path.suffix in (".html", ".txt", ".svg"))
    return sorted(found)


def scripts() -> list[Path]:
    return sorted((ROOT / "static" / "src").rglob("*.js"))


def _pages() -> Catalog:
    catalogue = Catalog(domain="django", charset="utf-8", fuzzy=False)
    for path in python_files():
        _gather(catalogue, path, "python", path.read_bytes(), PYTHON)
    for path in templates():
        # Indentation means nothing in a template, and would mean something to the reader of Python.
        text = "\n".join(line.strip() for line in templatize(path.read_text(), origin=str(path)).splitlines())
        _gather(catalogue, path, "python", text.encode(), PYTHON)
    return catalogue


def _scripts() -> Catalog:
    catalogue = Catalog(domain="djangojs", charset="utf-8", fuzzy=False)
    for path in scripts():
        _gather(catalogue, path, "javascript", path.read_bytes(), SCRIPTS)
    return catalogue


def _gather(catalogue: Catalog, path: Path, method: str, content: bytes, keywords: dict[str, object]) -> None:
    options = {"encoding": "utf-8"}
    for _, message, comments, context in extract(
        method,
        BytesIO(content),
        keywords=keywords,
        comment_tags=["Translators:"],
        options=options,
        strip_comment_tags=True,
    ):
        catalogue.add(message, locations=[(_name(path), 0)], auto_comments=comments, context=context)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# --- The domain's errors ------------------------------------------------------------------------------------------


def _errors() -> Catalog:
    catalogue = Catalog(domain="errors", charset="utf-8", fuzzy=False)
    trees = {path: ast.parse(path.read_bytes()) for path in python_files()}
    names = error_names(trees.values())
    for path, tree in trees.items():
        for text in sentences(tree, names):
            catalogue.add(text, locations=[(_name(path), 0)])
    return catalogue


def error_names(trees: object) -> set[str]:
    """The names of all classes that descend from the base of the domain's errors."""
    bases: dict[str, set[str]] = {}
    for tree in trees:  # type: ignore[attr-defined]
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases.setdefault(node.name, set()).update(filter(None, map(_last_name, node.bases)))
    known = {"DomainError"}
    while fresh := {name for name, parents in bases.items() if parents & known} - known:
        known |= fresh
    return known


def sentences(tree: ast.AST, names: set[str]) -> Iterator[str]:
    """What the errors of these classes say, where they are made and where a class says it for all of its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _last_name(node.func) in names and node.args:
            yield from _texts(node.args[0])
        elif isinstance(node, ast.ClassDef) and node.name in names:
            for call in ast.walk(node):
                inner = (
                    isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "__init__"
                )
                if inner and call.args:
                    yield from _texts(call.args[0])
                elif isinstance(call, ast.Assign) and [_last_name(each) for each in call.targets] == ["message"]:
                    yield from _texts(call.value)


def _texts(node: ast.expr) -> Iterator[str]:
    """The text of a literal, with a name in braces for each value that is put into it; of both sides of a choice."""
    if isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield _with_names(node)


def _with_names(node: ast.JoinedStr) -> str:
    parts, used = [], set()
    for value in node.values:
        if isinstance(value, ast.Constant):
            parts.append(str(value.value))
        elif isinstance(value, ast.FormattedValue):
            name = _inner_name(value.value)
            while name in used:
                name += "_"
            used.add(name)
            parts.append(f"{{{name}}}")
    return "".join(parts)


def _inner_name(node: ast.expr) -> str:
    found = [each for each in map(_last_name, ast.walk(node)) if each]
    return re.sub(r"\W", "", found[0]).strip("_") if found else "value"


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
