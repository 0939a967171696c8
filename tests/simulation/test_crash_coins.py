"""A short share of `make crash`'s part on real nodes: the boundaries behind which coins are on their way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
POINTS = ("payout.keep", "payout.broadcast.after_send", "signer.after_reserve", "deposit.credit.before")


@pytest.mark.slow
@pytest.mark.node
@pytest.mark.timeout(900)  # somewhat over a minute on two idle cores
def test_sigkill_while_coins_are_on_their_way(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
    command = [
        "-m",
        "tests.simulation.coins",
        "--rounds",
        "1",
        "--seed",
        "20261120",
        "--state",
        str(tmp_path / "coins"),
    ]
    done = subprocess.run(
        [sys.executable, *command, "--control", "--points", *POINTS],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    print(done.stdout[-20_000:], done.stderr[-5_000:])
    assert done.returncode == 0
    assert "are both named" in done.stdout
    figures = json.loads(done.stdout.splitlines()[-1])["figures"]
    assert figures["coin_kills"] == 5 and figures["paid_twice"] == 0
    assert figures["deposits_credited"] >= 12 and figures["withdrawals_final"] > 0
