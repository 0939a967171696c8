"""Real engine processes, several at once: leaders, standbys, shards. Each is `manage.py run_engine`, and nothing less.

Database and Valkey come from the environment (ENGINE_DATABASE_URL, REDIS_URL), so tests and command lines use the same.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import redis

from trading import wire

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Hit:
    """A fault that struck. `at` is time.monotonic(), which all processes of a machine share."""

    point: str
    nth: int
    signal: str
    at: float


class EngineProcess:
    """One `run_engine`, with its log and the faults that struck it."""

    def __init__(
        self, folder: Path, number: int, shard: int, arguments: tuple[str, ...], *, faulty: bool, heartbeat_ms: int = 0
    ) -> None:
        self.shard = shard
        self._order = folder / f"order-{number}"
        self._log = folder / f"engine-{number}.log"
        self._hits = folder / f"hits-{number}"
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.engine", "LOG_LEVEL": "INFO"}
        environment["PYTHONFAULTHANDLER"] = "1"
        if faulty:
            environment |= {"ENGINE_FAULT": f"@{self._order}", "ENGINE_FAULT_LOG": str(self._hits)}
        if heartbeat_ms:
            environment["ENGINE_HEARTBEAT_MS"] = str(heartbeat_ms)
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run_engine", "--shard", str(shard), *arguments],
                cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self._log.read_text()

    def count(self, words: str) -> int:
        """How many lines of the log have these words."""
        return self.log.count(words)

    def codes(self) -> list[str]:
        """SQLSTATEs of the batches that were undone and tried again."""
        return re.findall(r"batch undone, trying again .*code=['\"]?([0-9A-Z]{5})", self.log)

    def arm(self, point: str, number: signal.Signals) -> None:
        """Have it send itself this signal when it next passes the point. For those started `faulty`."""
        draft = self._order.with_suffix(".draft")
        draft.write_text(f"{point}:{number.name}")
        draft.rename(self._order)

    def disarm(self) -> None:
        self._order.unlink(missing_ok=True)

    def hits(self) -> list[Hit]:
        if not self._hits.exists():
            return []
        lines = [line.split() for line in self._hits.read_text().splitlines() if line.count(" ") == 3]
        return [Hit(point, int(nth), name, int(at) / 1e9) for point, nth, name, at in lines]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait_until_stopped(self, seconds: float = 120.0) -> None:
        """A process notes that it will stop, and then does: SIGCONT in between would be lost."""
        until = time.monotonic() + seconds
        while Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "T":
            assert time.monotonic() < until, "it does not stop"
            time.sleep(0.0005)

    def last_words(self) -> str:
        """Its log, ending in where each of its threads stood: for one that hangs. It does not live on."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGABRT)
        self.process.wait()
        return self.log

    def alive(self) -> bool:
        return self.process.poll() is None


class Engines:
    """All engine processes of a run; a context that ends what it started."""

    def __init__(self, folder: Path, client: redis.Redis, *, heartbeat_ms: int = 0) -> None:
        """`heartbeat_ms`: how long a leader may be silent, where it is not to be as short as the engine's own: for runs on a
        machine so busy that a leader who only waits for his turn would be taken for a dead one."""
        self.folder = folder
        self._heartbeat_ms = heartbeat_ms
        self.started: list[EngineProcess] = []
        self._client = client

    def __enter__(self) -> Engines:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(
        self, *arguments: str, shard: int = 0, faulty: bool = False, heartbeat_ms: int | None = None
    ) -> EngineProcess:
        self.folder.mkdir(parents=True, exist_ok=True)
        process = EngineProcess(
            self.folder, len(self.started), shard, arguments, faulty=faulty,
            heartbeat_ms=self._heartbeat_ms if heartbeat_ms is None else heartbeat_ms,
        )  # fmt: skip
        self.started.append(process)
        return process

    def leads(self, process: EngineProcess) -> bool:
        leader = self._client.get(wire.leader(process.shard)) or b""
        return leader.endswith(f":{process.pid}".encode())

    def wait_until_leading(self, process: EngineProcess, seconds: float = 120.0) -> None:
        until = time.monotonic() + seconds
        while not self.leads(process):
            assert process.alive(), f"the engine ended:\n{process.log}"
            if time.monotonic() > until:
                raise AssertionError(f"the engine does not lead:\n{process.last_words()}")
            time.sleep(0.005)

    def wait_until_standing_by(self, process: EngineProcess, times: int = 1, seconds: float = 120.0) -> None:
        self._wait_for_words(process, "engine stands by", times, seconds)

    def wait_until_fenced(self, process: EngineProcess, times: int = 1, seconds: float = 120.0) -> None:
        self._wait_for_words(process, "engine fenced", times, seconds)

    def _wait_for_words(self, process: EngineProcess, words: str, times: int, seconds: float) -> None:
        until = time.monotonic() + seconds
        while process.count(words) < times:
            assert process.alive(), f"the engine ended:\n{process.log}"
            if time.monotonic() > until:
                raise AssertionError(f"never said {words!r}:\n{process.last_words()}")
            time.sleep(0.01)

    def end(self) -> None:
        """SIGTERM to all, also to the stopped ones; SIGKILL to those that do not listen."""
        for each in self.started:
            if each.alive():
                each.send(signal.SIGCONT)
                each.send(signal.SIGTERM)
        for each in self.started:
            try:
                each.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                each.process.kill()
                each.process.wait()
