"""The compiled core is the same engine: the same commands, the same events, the same hash of state after each.

Where this machine cannot compile it, what is tested is that this is noticed, said, and costs nothing but speed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.setup import engine_build
from trading import compiled

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 25


def run(**environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.properties.core_run", str(SEEDS)], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, **environment}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.slow
@pytest.mark.enable_socket
def test_the_compiled_core_says_and_becomes_what_its_source_does(capsys):
    engine_build.prepare()  # does nothing where it stands
    said = capsys.readouterr().out
    source = run(**{compiled.VARIABLE: "0"})
    assert not source["compiled"]
    assert len(set(source["digests"])) == SEEDS
    machine = run(**{compiled.VARIABLE: "1"})
    assert machine["digests"] == source["digests"]
    if engine_build.lacking():
        assert "the engine runs from its source" in said
        assert not machine["compiled"]
    else:
        assert machine["compiled"], said


def test_a_machine_without_a_compiler_is_told_so_and_runs_the_source(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(compiled, "folder", lambda: tmp_path / "none")
    monkeypatch.setenv("CC", "no-such-compiler")
    engine_build.prepare()
    assert "no C compiler here (no-such-compiler): the engine runs from its source" in capsys.readouterr().out
    assert not compiled.use()


def test_a_failed_build_leaves_the_source_running(monkeypatch, tmp_path, capsys):
    def fails() -> Path:
        raise engine_build.SetupError("the last lines of the compiler")

    monkeypatch.setattr(compiled, "folder", lambda: tmp_path / "none")
    monkeypatch.setattr(engine_build, "lacking", lambda: "")
    monkeypatch.setattr(engine_build, "build", fails)
    engine_build.prepare()
    assert "could not be compiled and runs from its source" in capsys.readouterr().out
    assert not compiled.use()


def test_another_source_never_meets_an_old_binary(tmp_path):
    package = tmp_path / "trading" / "engine"
    package.mkdir(parents=True)
    (package / "book.py").write_text("PRICE = 1\n")
    before = compiled.key(tmp_path)
    (package / "book.py").write_text("PRICE = 2\n")
    assert compiled.key(tmp_path) != before
    (package / "book.py").write_text("PRICE = 1\n")
    assert compiled.key(tmp_path) == before
    (package / "more.py").touch()
    assert compiled.key(tmp_path) != before
