"""Programs of set-up: one that fetches something is tried again, and what it said stands in the error in the end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from deploy.setup import places, running
from deploy.setup.failures import SetupError

# Fails until it has been started as often as its second argument says.
PROGRAM = """
import pathlib, sys
book, good = pathlib.Path(sys.argv[1]), int(sys.argv[2])
starts = len(book.read_text()) + 1 if book.exists() else 1
book.write_text("x" * starts)
print(f"start {starts}")
sys.exit(0 if starts >= good else 1)
"""


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """How long it paused; nobody waits."""
    seen: list[float] = []
    monkeypatch.setattr(running.time, "sleep", seen.append)
    monkeypatch.setattr(places, "ROOT", tmp_path)
    return seen


def run(tmp_path: Path, *, good: int, tries: int) -> int:
    """How often the program was started."""
    book = tmp_path / "book"
    try:
        running.run(
            [sys.executable, "-c", PROGRAM, book, str(good)], step="test", failing="It failed.", folder=tmp_path, tries=tries
        )  # fmt: skip
    finally:
        starts = len(book.read_text())
    return starts


def test_it_is_tried_again_with_a_growing_pause(tmp_path: Path, pauses: list[float]) -> None:
    assert run(tmp_path, good=3, tries=3) == 3
    assert pauses == [running.PAUSE_S, 2 * running.PAUSE_S]


def test_in_the_end_its_own_words_are_the_error(tmp_path: Path, pauses: list[float]) -> None:
    with pytest.raises(SetupError, match=r"(?s)start 2.*It failed"):
        run(tmp_path, good=9, tries=2)


def test_what_fetches_nothing_is_tried_once(tmp_path: Path, pauses: list[float]) -> None:
    with pytest.raises(SetupError):
        run(tmp_path, good=2, tries=1)
    assert (tmp_path / "book").read_text() == "x" and pauses == []
