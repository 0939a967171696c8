"""Switches each control off in turn and runs its test: with the control it must pass, without it it must fail.

A pytest plugin, loaded by `make controls` alone: `pytest -p tests.controls.switching [--control TEXT]`. Every control's test runs
twice in one session, so that the services start once. What must never happen here: a failure taken for a proof that comes from
elsewhere: a replacement that cannot be put in place, a test that fails before its body, or one that fails with its control too.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import pytest
from _pytest.runner import runtestprotocol

import tests.controls
from tests.controls import Control

FAILED_OF_THE_BENCH = ("ImportError", "ModuleNotFoundError", "SyntaxError", "fixture ")


def all_controls(containing: str = "") -> list[Control]:
    """Those of every room, whose name has this text in it."""
    found: list[Control] = []
    for module in pkgutil.iter_modules(tests.controls.__path__):
        room = importlib.import_module(f"tests.controls.{module.name}")
        found += getattr(room, "CONTROLS", [])
    return [each for each in found if containing in each.name]


@contextmanager
def switched_off(control: Control) -> Iterator[None]:
    """The exchange without this control."""
    with ExitStack() as stack:
        for target, replacement in control.off:
            place, _, path = target.partition(":")
            if place == "settings":
                from django.test import override_settings

                stack.enter_context(override_settings(**{path: ast.literal_eval(replacement)}))
                continue
            owner: Any = importlib.import_module(place)
            *outer, name = path.split(".")
            for each in outer:
                owner = getattr(owner, each)
            getattr(owner, name)  # a control that is not there is not switched off
            stack.enter_context(mock.patch.object(owner, name, _replacement(replacement)))
        yield


def _replacement(text: str) -> Any:
    module, _, path = text.partition(":")
    found: Any = importlib.import_module(module)
    for each in path.split("."):
        found = getattr(found, each)
    return found


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--control", default="", help="only controls whose name has this text in it")


class Switching:
    """One session: what to run, and what came of it."""

    def __init__(self, controls: Sequence[Control]) -> None:
        self.controls = controls
        self.lines: list[tuple[str, str, str]] = []  # verdict, control, why
        self.met: set[str] = set()

    def of(self, nodeid: str) -> list[Control]:
        """A test's controls; a test that is parametrized is meant with all its parameters unless one is named."""
        return [each for each in self.controls if nodeid == each.test or nodeid.startswith(f"{each.test}[")]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        for control in self.of(item.nodeid):
            self.met.add(control.name)
            item.config.get_terminal_writer().line(f"… {control.name}")
            # Its fixtures go with it, so that whatever they prepared under the control is made anew without it.
            if trouble := _outcome(item)[1]:
                self.lines.append(("BROKEN", control.name, f"fails with its control, too: {trouble}"))
                continue
            with switched_off(control):
                where, why = _outcome(item)
            if why is None:
                self.lines.append(("UNPROVED", control.name, f"{item.nodeid} passes without it"))
            elif where != "call" or any(word in why for word in FAILED_OF_THE_BENCH):
                self.lines.append(("BROKEN", control.name, f"fails in its {where}: {why}"))
            else:
                self.lines.append(("proved", control.name, why))
        return True

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        for control in self.controls:
            if control.name not in self.met:
                self.lines.append(("BROKEN", control.name, f"there is no test {control.test}"))
        bad = [line for line in self.lines if line[0] != "proved" and not self._proved_by_another(line[1])]
        session.exitstatus = 1 if bad or not self.lines else 0

    def _proved_by_another(self, name: str) -> bool:
        """Of a test with many parameters some need not notice; one that does is the proof."""
        verdicts = [verdict for verdict, control, _ in self.lines if control == name]
        return "proved" in verdicts and "BROKEN" not in verdicts

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.section("controls")
        for verdict, name, why in sorted(self.lines):
            terminalreporter.write_line(f"{verdict:9} {name:70} {why[:110]}")
        count = sum(self._proved_by_another(each.name) for each in self.controls)
        terminalreporter.write_line(f"{count} of {len(self.controls)} controls: their test turns red without them.")


def _outcome(item: pytest.Item) -> tuple[str, str | None]:
    """Run a test; where it failed first ("setup", "call", "teardown"), and its last words, None where it passed."""
    item._initrequest()  # type: ignore[attr-defined]
    for report in runtestprotocol(item, log=False, nextitem=None):
        if report.failed or report.skipped:
            crash = getattr(report.longrepr, "reprcrash", None)
            words = crash.message if crash is not None else str(report.longrepr)
            return report.when, " ".join(words.split())[:300] or "failed"
    return "call", None


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    controls = all_controls(config.getoption("--control"))
    config.pluginmanager.register(Switching(controls), "switching")
    config.args[:] = sorted({each.test.partition("[")[0] for each in controls})
