"""The catalogues of each language under locale/: brought up to date with the sources, and asked what they lack."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from deploy.languages import sources

FOLDER = sources.ROOT / "locale"
DOMAINS = ("django", "djangojs", "errors")
UNSAID = tuple(
    f'"{name}:'.encode()
    for name in (
        "Project-Id-Version", "Report-Msgid-Bugs-To", "POT-Creation-Date", "PO-Revision-Date", "Last-Translator",
        "Language-Team", "Generated-By",
    )
)  # fmt: skip


def languages() -> list[str]:
    """Those with a folder. English is what the sources say."""
    return sorted(path.name for path in FOLDER.iterdir() if (path / "LC_MESSAGES").is_dir())


def path_of(language: str, domain: str) -> Path:
    return FOLDER / language / "LC_MESSAGES" / f"{domain}.po"


def read(language: str, domain: str) -> Catalog:
    path = path_of(language, domain)
    if not path.exists():
        return Catalog(locale=language, domain=domain, charset="utf-8", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=language, domain=domain, charset="utf-8")


def update() -> None:
    """Takes in what is new in the sources and drops what is gone. A text that changed is a new text: nothing is guessed."""
    for domain, fresh in sources.catalogues().items():
        for language in languages():
            known = read(language, domain)
            known.update(fresh, no_fuzzy_matching=True)
            known.obsolete.clear()
            known.header_comment = f"# The site in {known.locale.english_name}: {domain}."
            _write(known, path_of(language, domain))


def _write(catalogue: Catalog, path: Path) -> None:
    buffer = BytesIO()
    write_po(buffer, catalogue, width=120, include_lineno=False, ignore_obsolete=True, sort_by_file=True)
    # Without the header's dates and names, which would change with every run and tell nobody anything.
    lines = [line for line in buffer.getvalue().splitlines(keepends=True) if not line.startswith(UNSAID)]
    fresh = path.with_suffix(".po.new")
    fresh.write_bytes(b"".join(lines))
    fresh.replace(path)


def missing() -> Iterator[tuple[str, str, str]]:
    """What the sources say and a language has no words for: language, domain, text."""
    for domain, fresh in sources.catalogues().items():
        for language in languages():
            known = read(language, domain)
            for message in fresh:
                if message.id and not _complete(
                    known.get(message.id, message.context), fresh_plural=message.pluralizable
                ):
                    yield language, domain, message.id if isinstance(message.id, str) else message.id[0]


def _complete(found: object, *, fresh_plural: bool) -> bool:
    if found is None:
        return False
    text = found.string  # type: ignore[attr-defined]
    return all(text) if fresh_plural else bool(text)
