"""A fixed share of `make simulate`: the same seeds each time, on databases of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.simulation.rig.house import ROOT

SEEDS = 20


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_seeded_runs_with_faults() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation.simulate", "--seeds", str(SEEDS), "--workers", "1"],
        cwd=ROOT, env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.dev"}, capture_output=True, text=True,
    )  # fmt: skip
    print(done.stdout[-20_000:], done.stderr[-5_000:])
    assert done.returncode == 0
    figures = json.loads(done.stdout.splitlines()[-1])["figures"]
    assert figures["seeds"] == SEEDS and figures["failed"] == 0
    assert figures["faults"] > SEEDS and figures["trades"] > SEEDS, "hardly anything happened"
