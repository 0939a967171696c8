"""The engine beside a naive exchange, over every order type: the same commands give the same events, orders, balances and holds.

What is looked at after every command is in side_by_side.py. Here are two ways of finding commands: a state machine, which
shrinks what it finds, and seeded runs, which are many and fast. PROPERTY_SCALE=20 makes both that much longer; a seed that
fails runs alone with PROPERTY_SEED=7.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from deploy.setup import engine_build
from tests.properties.orders_grammar import Drawn, Grammar
from tests.properties.runs import begin, seeded_run, small_tables
from trading import compiled

SCALE = int(os.environ.get("PROPERTY_SCALE", "1"))
SEEDS = [int(os.environ["PROPERTY_SEED"])] if "PROPERTY_SEED" in os.environ else range(200 * SCALE)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seeded_run(seed: int) -> None:
    seeded_run(seed)


@pytest.mark.enable_socket
def test_the_compiled_core_is_the_same_engine() -> None:
    """What production runs, where it can be compiled, is held against the naive exchange as well."""
    engine_build.prepare()  # does nothing where it stands
    if not compiled.stands():
        assert engine_build.lacking(), "there is a compiler, and no compiled core"
        return
    command = [sys.executable, "-m", "tests.properties.compiled_runs", "0", str(60 * SCALE)]
    done = subprocess.run(command, cwd=compiled.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Beside(RuleBasedStateMachine):
    """One rule a production of the grammar, so that Hypothesis may leave out whole kinds of orders, and shrink."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = ExitStack()
        self.tables.enter_context(small_tables())

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        self.grammar = Grammar(Drawn(data))
        self.pair = begin(self.grammar)

    def draw(self, data: st.DataObject, production: str) -> None:
        self.grammar.source = Drawn(data)
        self.grammar.now += 1
        self.pair.do(getattr(self.grammar, production)(self.pair.naive.state))

    @rule(data=st.data())
    def limit(self, data: st.DataObject) -> None:
        self.draw(data, "limit")

    @rule(data=st.data())
    def at_market(self, data: st.DataObject) -> None:
        self.draw(data, "at_market")

    @rule(data=st.data())
    def trigger(self, data: st.DataObject) -> None:
        self.draw(data, "trigger")

    @rule(data=st.data())
    def oco(self, data: st.DataObject) -> None:
        self.draw(data, "oco")

    @rule(data=st.data(), production=st.sampled_from(["amend", "amend", "cancel", "cancel_all"]))
    def change(self, data: st.DataObject, production: str) -> None:
        self.draw(data, production)

    @rule(
        data=st.data(), production=st.sampled_from(["tick", "tick", "countdown", "fees", "set_market", "market_state"])
    )
    def clock_and_staff(self, data: st.DataObject, production: str) -> None:
        self.draw(data, production)

    @rule(data=st.data(), undone_first=st.booleans(), overlapped=st.booleans())
    def end_batch(self, data: st.DataObject, undone_first: bool, overlapped: bool) -> None:
        cut = data.draw(st.integers(0, len(self.pair.batch)))
        self.pair.end_batch(cut=cut, undone_first=undone_first, overlapped=overlapped)

    @rule(steps=st.integers(1, 12))
    def go_back_and_repeat(self, steps: int) -> None:
        self.pair.go_back_and_repeat(steps)

    @rule(keep=st.integers(0, 4))
    def settle(self, keep: int) -> None:
        self.pair.settle(keep)

    @rule()
    def load_anew(self) -> None:
        self.pair.load_anew()

    def teardown(self) -> None:
        with self.tables:
            if hasattr(self, "pair"):
                self.pair.finish()


# The suite looks at the same examples each time; the longer profile goes looking for new ones.
Beside.TestCase.settings = settings(
    max_examples=150 * SCALE, stateful_step_count=50, deadline=None, derandomize=SCALE == 1, database=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
TestEngineBesideNaive = Beside.TestCase
