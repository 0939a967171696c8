"""Every control that `make controls` switches off names a place that is there and a test that is there."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.controls import Control
from tests.controls.switching import all_controls, switched_off

ROOT = Path(__file__).resolve().parents[2]
CONTROLS = all_controls()


@cache
def named_in(file: str) -> frozenset[str]:
    """The names of the file's tests, with their class where they have one."""
    found = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
    return frozenset(found)


def test_there_are_many_and_no_two_of_one_name() -> None:
    names = [each.name for each in CONTROLS]
    assert len(names) >= 100 and len(set(names)) == len(names)


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)
def test_its_place_and_its_test_are_there(control: Control) -> None:
    file, _, name = control.test.partition("::")
    assert name.partition("[")[0] in named_in(file)
    with switched_off(control):
        pass
