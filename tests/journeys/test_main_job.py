"""The main job under fire: processes killed at random, Valkey emptied, nodes killed; the same books."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SEED = 20261120


@pytest.mark.slow
@pytest.mark.node
@pytest.mark.timeout(900)
def test_kills_change_nothing_that_a_customer_or_the_books_see(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deploy.journey", "--state", str(tmp_path / "journey")]
    faults = ["--kills", str(SEED), "--lose-valkey", "--kill-nodes"]
    environment = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
    done = subprocess.run(
        [*command, *faults], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=860, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    hits = done.stdout.split("kills: ", 1)[1].splitlines()[0]
    # A point that was never hit proves nothing.
    for victim in ("web", "engine", "worker", "signer", "beat", "postgres", "valkey"):
        assert f"'{victim}'" in hits, hits
    assert "all its data thrown away" in done.stdout
    assert done.stdout.count("it came back as") == 3
    assert "The journey went well" in done.stdout
