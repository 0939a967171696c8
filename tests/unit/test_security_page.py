"""What docs/security.md claims of OWASP ASVS 5.0: every requirement stands there once, and every test it names is there."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest

from tests.asvs import LEVELS
from tests.controls.switching import all_controls

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text().partition("## OWASP ASVS 5.0.0")[2]
CLAIMS = re.findall(r"^\| (V[\d.]+) \| (\d) \| (.+?) \| (.+) \|$", PAGE, re.MULTILINE)
REST = re.findall(r"^\| [^|]+ \| ((?:V[\d.]+(?:, )?)+) \|$", PAGE.partition("Not claimed:")[2], re.MULTILINE)
NODES = sorted({node for *_, proofs in CLAIMS for node in re.findall(r"`([^`]+)`", proofs)})


@lru_cache
def _body(path: Path) -> list[ast.stmt]:
    return ast.parse(path.read_text()).body


def is_there(node: str) -> bool:
    """Is there such a file, and in it such a class and test?"""
    place, _, inside = node.partition("::")
    path = ROOT / "tests" / place.removeprefix("tests/")
    if not path.is_file():
        return False
    body = _body(path)
    for name in filter(None, inside.partition("[")[0].split("::")):
        kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        found = next((each for each in body if isinstance(each, kinds) and each.name == name), None)
        if found is None:
            return False
        body = found.body
    return True


def test_every_requirement_stands_in_one_of_the_two_tables() -> None:
    listed = Counter([name for name, *_ in CLAIMS] + [name for row in REST for name in row.split(", ")])
    assert sorted(set(listed) - set(LEVELS)) == []
    assert sorted(set(LEVELS) - set(listed)) == []
    assert [name for name, times in listed.items() if times > 1] == []


def test_levels_and_sums_are_right() -> None:
    assert {name: int(level) for name, level, *_ in CLAIMS if LEVELS[name] != int(level)} == {}
    sums = [sum(LEVELS[name] == level for name, *_ in CLAIMS) for level in (1, 2, 3)]
    totals = [sum(level == each for each in LEVELS.values()) for level in (1, 2, 3)]
    assert totals == [70, 183, 92]
    said = "({} of 70 of level 1, {} of 183 of level 2, {} of 92 of level 3)".format(*sums)
    assert f"Claimed: {len(CLAIMS)} of 345 {said}." in PAGE


@pytest.mark.parametrize("node", NODES)
def test_the_named_test_is_there(node: str) -> None:
    assert is_there(node)


def test_every_claim_names_one() -> None:
    assert [name for name, _, what, proofs in CLAIMS if "`" not in proofs or not what.strip()] == []
    assert not is_there("unit/test_security_page.py::test_that_is_not_there") and not is_there("unit/test_nowhere.py")


def test_every_control_names_a_test_and_requirements_that_are_there() -> None:
    controls = all_controls()
    assert len(controls) > 100
    assert [control.name for control in controls if not is_there(control.test)] == []
    assert {name for control in controls for name in control.asvs} - set(LEVELS) == set()
    assert [name for name, times in Counter(control.name for control in controls).items() if times > 1] == []
