"""Reads Debian's Packages index and resolves what a program needs to run. Pure: text in, a list of packages out.

It must never pick a package whose SHA256 is missing, nor one that breaks a stated constraint.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from deploy.setup import debversion
from deploy.setup.failures import SetupError

_ATOM = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9+.\-]*)(?::\w+)?\s*(?:\((?P<relation><<|<=|=|>=|>>)\s*(?P<version>[^)]+)\))?$"
)


@dataclass(frozen=True)
class Atom:
    """One alternative of a dependency: a name, perhaps with a constraint on its version."""

    name: str
    relation: str = ""
    version: str = ""

    def accepts(self, version: str) -> bool:
        return not self.relation or debversion.satisfies(version, self.relation, self.version)


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    filename: str
    size_bytes: int
    sha256: str
    needs: str
    provides: tuple[Atom, ...]

    @property
    def depends(self) -> tuple[tuple[Atom, ...], ...]:
        """Read on demand: an index has 65,000 packages, and a closure touches a few dozen."""
        return atoms(self.needs)


@dataclass
class Index:
    """The packages of one or more suites. Earlier suites are preferred, so stable comes before backports."""

    by_name: dict[str, list[Package]] = field(default_factory=dict)
    providers: dict[str, list[tuple[Package, Atom]]] = field(default_factory=dict)

    def add(self, packages: Iterable[Package]) -> None:
        for package in packages:
            self.by_name.setdefault(package.name, []).append(package)
            for provided in package.provides:
                self.providers.setdefault(provided.name, []).append((package, provided))

    def find(self, atom: Atom) -> Package | None:
        """A real package of that name comes first; then one that provides it (a versioned need takes versioned provides)."""
        for package in self.by_name.get(atom.name, []):
            if atom.accepts(package.version):
                return package
        for package, provided in self.providers.get(atom.name, []):
            if not atom.relation or (provided.version and atom.accepts(provided.version)):
                return package
        return None


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    for block in re.split(r"\n\s*\n", text.strip()):
        fields: dict[str, str] = {}
        name = ""
        for line in block.split("\n"):
            if line[:1] in (" ", "\t"):
                fields[name] += "\n" + line.strip()
            elif ":" in line:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
        if fields:
            yield fields


def atoms(text: str) -> tuple[tuple[Atom, ...], ...]:
    """`a (>= 1) | b, c` → groups of alternatives. Architecture and build-profile marks do not occur in binary indexes."""
    groups = []
    for group in text.split(","):
        if not group.strip():
            continue
        alternatives = []
        for part in group.split("|"):
            match = _ATOM.match(part.strip())
            if match is None:
                raise SetupError(f"Debian's package index has a dependency that set-up cannot read: {part.strip()!r}.")
            alternatives.append(Atom(match["name"], match["relation"] or "", (match["version"] or "").strip()))
        groups.append(tuple(alternatives))
    return tuple(groups)


def parse(text: str) -> Iterator[Package]:
    """The packages of an uncompressed Packages file; one without a SHA256 is passed over."""
    for fields in _stanzas(text):
        if not {"Package", "Version", "Filename", "Size", "SHA256"} <= fields.keys():
            continue
        needs = ", ".join(fields[key] for key in ("Pre-Depends", "Depends") if fields.get(key))
        yield Package(
            name=fields["Package"],
            version=fields["Version"],
            filename=fields["Filename"],
            size_bytes=int(fields["Size"]),
            sha256=fields["SHA256"].lower(),
            needs=needs,
            provides=tuple(atom for group in atoms(fields.get("Provides", "")) for atom in group),
        )


def closure(index: Index, *, wanted: Sequence[str], without: Collection[str] = ()) -> list[Package]:
    """Everything that `wanted` needs, each package once, in a stable order.

    `without` names packages whose files are not needed to run the program unpacked (installers, init systems): they and
    what they alone would bring stay out.
    """
    chosen: dict[str, Package] = {}
    queue: list[tuple[Atom, ...]] = [(Atom(name),) for name in wanted]
    while queue:
        alternatives = queue.pop(0)
        if any(atom.name in without for atom in alternatives):
            continue
        if any(atom.name in chosen and atom.accepts(chosen[atom.name].version) for atom in alternatives):
            continue
        package = next((found for atom in alternatives if (found := index.find(atom))), None)
        if package is None:
            asked = " | ".join(f"{atom.name} {atom.relation} {atom.version}".strip() for atom in alternatives)
            raise SetupError(
                f"Debian's package index has nothing for {asked}; try again later or set the program's own path."
            )
        if package.name in chosen:
            if chosen[package.name] != package:
                raise SetupError(f"Debian's index asks for two versions of {package.name}; set the program's own path.")
            continue
        chosen[package.name] = package
        queue.extend(package.depends)
    return sorted(chosen.values(), key=lambda package: package.name)
