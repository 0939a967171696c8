"""`make bench-screening`: how many names a second are screened against a list of 25,000 entries, and how well.

The list is made by a seed, in OFAC's own format, and read by the same code as a published one; nothing is copied from a real
list. Recall is measured without birth date and country, the hardest way: of every question the entry it was made from must be
among the hits. A false positive is a made-up customer who is on no list and has any hit at all, screened as customers are:
with birth date and country (`false_positive_rate`), and by name alone. Many of those are true namesakes: list and population
draw from one stock of names.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Iterable

from benchmarks import screening_names as made
from benchmarks.screening_names import Row
from kyc.screening import publications
from kyc.screening.matching import Index, Person

ENTRIES = 25_000
ASKED = 2_000
POPULATION = 5_000
ROUNDS = 3
SEED = 1
LEAST = {"recall_one_edit": 0.99, "recall_exact": 1.0, "recall_transliterated": 0.95, "names_per_s": 500}
MOST = {"false_positive_rate": 0.03}
SCRIPTS = {"Cyrillic": ("\u0400", "\u04ff"), "Arabic": ("\u0600", "\u06ff"), "Chinese": ("\u4e00", "\u9fff")}


def measure(entries: int) -> tuple[dict[str, float], list[tuple[str, str]]]:
    """The figures, and the lines of the table."""
    rows = made.listed(entries, SEED)
    files = made.files(rows)
    began = time.perf_counter()
    publication = publications.read(files)
    read_s = time.perf_counter() - began
    began = time.perf_counter()
    index = Index(publication.entries)
    build_s = time.perf_counter() - began
    assert len(publication.entries) == entries and not index.unreadable
    people = [row for row in rows if row.names]
    rng = random.Random(f"asked {SEED}")
    asked = [rng.choice(people) for _ in range(ASKED)]
    figures = {
        "names_per_s": speed(index),
        "recall_exact": recall(index, ((row.names[0].said, row) for row in asked)),
        "recall_one_edit": recall(index, ((made.one_edit(row.names[0].said, rng), row) for row in asked)),
    }
    lines = [
        (f"{entries:,} entries, {len(index):,} names", f"read {read_s:.1f} s, indexed {build_s:.1f} s"),
        ("names a second, one core", f"{figures['names_per_s']:,.0f}"),
        ("found as written", f"{figures['recall_exact']:.2%}"),
        ("found with one typing error", f"{figures['recall_one_edit']:.2%}"),
    ]
    figures |= transliterated(index, people, rng, lines)
    figures |= strangers(index, lines)
    return figures, lines


def speed(index: Index) -> float:
    """Customers of a made population with birth date and country, one by one in one thread; the best of a few rounds."""
    rates = []
    for number in range(ROUNDS):
        people = [Person((name,), birth, country) for name, birth, country in made.population(2_000, 100 + number)]
        began = time.perf_counter()
        for person in people:
            index.search(person)
        rates.append(len(people) / (time.perf_counter() - began))
    return max(rates)


def recall(index: Index, questions: Iterable[tuple[str, Row]]) -> float:
    place = {entry.uid: number for number, entry in enumerate(index.entries)}
    found = [
        any(match.place == place[str(row.uid)] for match in index.search(Person((name,)))) for name, row in questions
    ]
    return statistics.fmean(found)


def transliterated(
    index: Index, people: list[Row], rng: random.Random, lines: list[tuple[str, str]]
) -> dict[str, float]:
    """Of each script as many names in that script, and in each other romanisation of it; the mean of all these ways."""
    ways: list[float] = []
    for script, (first, last) in SCRIPTS.items():
        of_script = [row for row in people if row.names[0].others and first <= row.names[0].others[0][0] <= last]
        for way in range(len(of_script[0].names[0].others)):
            asked = rng.sample(of_script, min(ASKED // 4, len(of_script)))
            ways.append(recall(index, ((row.names[0].others[way], row) for row in asked)))
            lines.append(
                (
                    f"found in {script if not way else f'another spelling of {script} names'}, {_shown(asked[0], way)}",
                    f"{ways[-1]:.2%}",
                )
            )
    return {"recall_transliterated": statistics.fmean(ways), "recall_transliterated_least": min(ways)}


def strangers(index: Index, lines: list[tuple[str, str]]) -> dict[str, float]:
    people = made.population(POPULATION, SEED)
    ways: dict[str, Callable[[str, object, str], Person]] = {
        "false_positive_rate": lambda name, birth, country: Person((name,), birth, country),  # type: ignore[arg-type]
        "false_positive_rate_by_name_alone": lambda name, birth, country: Person((name,)),
    }
    figures = {}
    for figure, person in ways.items():
        figures[figure] = statistics.fmean(bool(index.search(person(*stranger))) for stranger in people)
        lines.append((figure.replace("_", " "), f"{figures[figure]:.2%} of {POPULATION:,}"))
    return figures


def _shown(row: Row, way: int) -> str:
    return f"such as {row.names[0].others[way]} for {row.names[0].listed}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=ENTRIES)
    figures, lines = measure(parser.parse_args().entries)
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print(f"{name:<{width}}  {value}")
    figures = {name: round(value, 4 if value <= 1 else 0) for name, value in figures.items()}
    missed = [f"{name} {figures[name]} < {least}" for name, least in LEAST.items() if figures[name] < least]
    missed += [f"{name} {figures[name]} > {most}" for name, most in MOST.items() if figures[name] > most]
    if missed:
        print(f"beside the target: {', '.join(missed)}")
    print(json.dumps({"bench": "screening", "figures": figures}))


if __name__ == "__main__":
    main()
