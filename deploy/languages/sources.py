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
# Sentences of rooms that know no gettext and raise no error with them: by file, the tables and functions that hold them.
SAID_ELSEWHERE = {
    "exchange/accounts/services/closing.py": ("hindrances",),
    "exchange/accounts/whence.py": ("browser",),
    "exchange/site/taking_along.py": (
        "_money_left",
        "_debts",
        "_open_orders",
        "_withdrawals_under_way",
        "_deposits_under_way",
        "_bank_transfers",
        "_open_invoices",
    ),
    "kyc/kinds.py": ("TITLES", "PERIODS"),
    "kyc/reasons.py": ("WORDS",),
    "kyc/requirements.py": ("GROUP_NAMES", "KINDS", "faults", "_birth_date", "_country", "_too_many_names"),
}
# What stands in rows that a migration made, and on no line of a source that is read.
IN_ROWS = ("E-mail", "Identity", "Address", "Enhanced")
# States as sentences name them: "This order is filled already."
STATES = (
    "open",
    "filled",
    "cancelled",
    "expired",
    "rejected",
    "credited",
    "announced",
    "posted",
    "voided",
    "closed",
    "decided",
)
# What only staff and operators read, in English: the back office, commands, set-up, and what chains are told by their nodes.
STAFF_ALONE = re.compile(
    r"custody/|config/|exchange/(audit|secrets|proposals|backoffice)/|exchange/site/demo/|wallets/(chains|cold)/"
    r"|exchange/assets/services/networks|trading/services/(markets|fees|states)|trading/engine/market_rules"
    r"|templates/(admin|backoffice|proposals)/|.*/(admin\w*|management)(/|\.py)|(exchange/\w+|trading|kyc)/(proposing|desk)\.py"
)


def catalogues() -> dict[str, Catalog]:
    """The three catalogues as the sources have them now, without translations."""
    return {"django": _pages(), "djangojs": _scripts(), "errors": _errors()}


def python_files() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")) if "migrations" not in path.parts]


def templates() -> list[Path]:
    found = (path for path in (ROOT / "templates").rglob("*") if path.suffix in (".html", ".txt", ".svg"))
    return sorted(path for path in found if not STAFF_ALONE.match(_name(path)))


def scripts() -> list[Path]:
    return sorted((ROOT / "static" / "src").rglob("*.js"))


def _pages() -> Catalog:
    catalogue = Catalog(domain="django", charset="utf-8", fuzzy=False)
    for path in (each for each in python_files() if not STAFF_ALONE.match(_name(each))):
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
        if not STAFF_ALONE.match(_name(path)):
            found = [*sentences(tree, names), *_elsewhere(tree, SAID_ELSEWHERE.get(_name(path), ()))]
            for text in filter(_says_something, found):
                catalogue.add(text, locations=[(_name(path), 0)])
    for text in (*IN_ROWS, *STATES):
        catalogue.add(text)
    return catalogue


def _says_something(text: str) -> bool:
    """Not only values with a sign between them."""
    return re.search(r"[A-Za-z]{2}", re.sub(r"\{\w+\}", "", text)) is not None


def _elsewhere(tree: ast.Module, names: tuple[str, ...]) -> Iterator[str]:
    """The texts in these tables and functions of a module: values, not keys; results, not explanations."""
    for node in tree.body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        if getattr(node, "name", "") in names or any(_last_name(each) in names for each in targets):
            keys = {id(key) for each in ast.walk(node) if isinstance(each, ast.Dict) for key in each.keys}
            inner = {id(part) for each in ast.walk(node) if isinstance(each, ast.JoinedStr) for part in each.values}
            said = (each for each in ast.walk(node) if id(each) not in keys | inner and not _is_docstring(each, node))
            for each in said:
                if isinstance(each, ast.Constant | ast.JoinedStr):
                    yield from _texts(each)


def _is_docstring(each: ast.AST, node: ast.AST) -> bool:
    told = ast.get_docstring(node, clean=False) if isinstance(node, ast.FunctionDef) else None
    return told is not None and told == getattr(each, "value", None)


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
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_sentence(node.value):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield _with_names(node)


def _is_sentence(text: str) -> bool:
    return " " in text or text[:1].isupper()


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
