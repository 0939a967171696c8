"""A real engine process on the test's own database, for jobs that cancel real orders."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from trading import wire
from trading.services import catalogue

ROOT = Path(__file__).resolve().parents[3]


class Engine:
    """`manage.py run_engine --shard 0`, started and ended at will."""

    def __init__(self, log: Path, valkey: redis.Redis) -> None:
        self.log, self.valkey, self.process = log, valkey, None

    def start(self) -> None:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.engine"}
        command = [sys.executable, "manage.py", "run_engine", "--shard", "0"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        until = time.monotonic() + 120
        while not (self.valkey.get(wire.leader(0)) or b"").endswith(f":{self.process.pid}".encode()):
            assert self.process.poll() is None and time.monotonic() < until, self.log.read_text()
            time.sleep(0.05)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=120)


@pytest.fixture
def engine(tmp_path: Path, valkey: redis.Redis) -> Iterator[Engine]:
    catalogue.forget()
    engine = Engine(tmp_path / "engine.log", valkey)
    yield engine
    engine.end()
