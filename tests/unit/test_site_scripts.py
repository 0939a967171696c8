"""The browser's money arithmetic and its order book, run by Node's own test runner."""

import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "js"
NODE = shutil.which("node") or str(Path(__file__).resolve().parents[2] / ".venv" / "bin" / "node")


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.test.mjs")))
def test_the_scripts_own_tests_pass(name: str) -> None:
    ran = subprocess.run([NODE, "--test", str(FOLDER / name)], capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "# pass 0" not in ran.stdout


def test_there_is_something_to_run() -> None:
    assert len(list(FOLDER.glob("*.test.mjs"))) >= 2
