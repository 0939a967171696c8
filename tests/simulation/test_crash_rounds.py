"""A short share of `make crash`, on a server of its own: the suite's must not die under other tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from config import embedded
from tests.simulation.rig.house import ROOT

ROUNDS, CONTROL_ROUNDS = 8, 4


@pytest.mark.slow
@pytest.mark.timeout(900)  # a minute and a half on two idle cores
def test_sigkill_of_engine_and_postgres() -> None:
    environment = {
        **os.environ, "BOURSE_STATE": str(embedded.state_folder() / "crash"), "DJANGO_SETTINGS_MODULE": "config.settings.dev",
    }  # fmt: skip
    command = ["-m", "tests.simulation.crash", "--rounds", str(ROUNDS), "--control-rounds", str(CONTROL_ROUNDS)]
    try:
        done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True)
    finally:
        subprocess.run([sys.executable, "-m", "config.embedded", "stop"], cwd=ROOT, env=environment, check=True)
    print(done.stdout[-20_000:], done.stderr[-5_000:])
    assert done.returncode == 0
    figures = json.loads(done.stdout.splitlines()[-1])["figures"]
    assert figures["engine_kills"] == ROUNDS and figures["postgres_kills"] == ROUNDS
    assert (figures["lost"], figures["doubled"]) == (0, 0) and figures["control_lost"] > 0
