"""`make demo` as a person runs it: it comes up, survives the death of a part, and leaves no process behind however it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

from deploy.demo import marked
from deploy.setup import places

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

COLD_START_S = 240
PATIENCE_S = 180
# The test process has URLs of the test database in its environment; a person's terminal has none of them.
NOT_A_PERSONS = ("DATABASE_URL", "DATABASE_OWNER_URL", "ENGINE_DATABASE_URL", "SIGNER_DATABASE_URL", "REDIS_URL")


def eventually(what: str, ask: Callable[[], object], *, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not ask():
        assert time.monotonic() < deadline, f"waited {within_s} s in vain: {what}"
        time.sleep(0.1)


class Demo:
    """A terminal in which `python -m deploy.demo` runs."""

    def __init__(self, state: Path) -> None:
        self.state = state
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.screen = state.parent / "screen.txt"
        self.environment = {name: value for name, value in os.environ.items() if name not in NOT_A_PERSONS}
        self.environment |= {
            "BOURSE_STATE": str(state),
            "PORT": str(self.port),
            "DJANGO_SETTINGS_MODULE": "config.settings.dev",
        }
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.screen.open("wb") as screen:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "deploy.demo"],
                cwd=places.ROOT,
                env=self.environment,
                stdout=screen,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run_again(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "deploy.demo", *words]
        return subprocess.run(
            command,
            cwd=places.ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    @property
    def text(self) -> str:
        return self.screen.read_text(errors="replace")

    def ready(self) -> bool:
        assert self.child is not None
        assert self.child.poll() is None, self.text
        return "the site is ready" in self.text

    def mark(self) -> str:
        """The run's mark, which the supervisor's environment shows."""
        assert self.child is not None
        environment = Path(f"/proc/{self.child.pid}/environ").read_bytes()
        found = re.search(rb"(?:^|\0)BOURSE_DEMO_RUN=([\w-]+)", environment)
        assert found, "the supervisor has no mark"
        return found[1].decode()

    def pid_of(self, words: str) -> int | None:
        for pid in marked.processes(self.mark()):
            if words in marked.command_line(pid):
                return pid
        return None

    def page(self, path: str) -> str:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.port}{path}", timeout=60) as response:
            return response.read().decode()

    def leftovers(self, mark: str) -> list[str]:
        """Anything of the run that still lives, the embedded servers too."""
        servers = [
            pid
            for file in (self.state / "postgres/data/postmaster.pid", self.state / "valkey/pid")
            if file.exists() and Path(f"/proc/{pid_in(file)}").exists()
            for pid in [pid_in(file)]
        ]
        return [marked.command_line(pid) for pid in [*marked.processes(mark), *servers]]


def pid_in(file: Path) -> int:
    return int(file.read_text().split()[0])


def pending(child: subprocess.Popen[bytes] | None, number: signal.Signals) -> bool:
    """Whether a signal waits for a stopped process."""
    assert child is not None
    status = Path(f"/proc/{child.pid}/status").read_text()
    masks = re.findall(r"^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)$", status, re.MULTILINE)
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo(tmp_path_factory.mktemp("demo") / "state")
    yield running
    if running.child is not None and running.child.poll() is None:
        running.child.send_signal(signal.SIGTERM)
        running.child.wait(PATIENCE_S)


def test_it_comes_up_and_says_how_to_log_in(demo: Demo):
    demo.start()
    eventually("the site to be ready", demo.ready, within_s=COLD_START_S)
    assert re.search(r"demo@bourse\.example\s+password\s+\S{8,}", demo.text)
    assert re.search(r"staff@bourse\.example\s+password\s+\S{8,}", demo.text)
    assert "`make code` prints what it shows" in demo.text
    assert "BTC" in demo.page("/")


def test_no_process_but_the_signer_holds_the_signers_secrets(demo: Demo):
    mark = demo.mark()
    holders = set()
    for pid in marked.processes(mark):
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:  # a short-lived one that has ended meanwhile
            continue
        if b"KEYSTORE_PASSPHRASE_FILE=" in environment or b"SIGNER_DATABASE_URL=" in environment:
            holders.add(marked.command_line(pid))
    assert holders, "the signer does not run"
    assert all("custody.signer_app" in name for name in holders), holders


def test_a_second_demo_on_the_same_state_is_told_of_the_first(demo: Demo):
    assert demo.child is not None
    refused = demo.run_again()
    assert refused.returncode == 1
    assert f"runs already (process {demo.child.pid})" in refused.stderr
    assert demo.child.poll() is None


@pytest.mark.parametrize("words", ["run_engine", "celery -A config worker", "uvicorn config.asgi", "signer_app"])
def test_a_killed_process_comes_back(demo: Demo, words: str):
    before = demo.pid_of(words)
    assert before is not None
    os.kill(before, signal.SIGKILL)
    eventually(f"another {words}", lambda: demo.pid_of(words) not in (None, before), within_s=PATIENCE_S)


def test_a_killed_node_comes_back_and_nothing_else_ends(demo: Demo):
    before = demo.pid_of("anvil")
    assert before is not None
    os.kill(before, signal.SIGKILL)
    eventually("another anvil", lambda: demo.pid_of("anvil") not in (None, before), within_s=PATIENCE_S)
    assert demo.ready()


def test_ctrl_c_ends_everything(demo: Demo):
    mark = demo.mark()
    assert demo.child is not None
    os.killpg(demo.child.pid, signal.SIGINT)
    assert demo.child.wait(PATIENCE_S) == 0
    assert demo.leftovers(mark) == []


def test_a_second_start_finds_what_the_first_one_made(demo: Demo):
    demo.start()
    eventually("the site to be ready again", demo.ready, within_s=COLD_START_S)
    assert "tables, keystore and people stand from before" in demo.text


def test_a_killed_supervisor_leaves_nothing_behind(demo: Demo):
    mark = demo.mark()
    assert demo.child is not None
    demo.child.kill()
    demo.child.wait()
    eventually("everything to end", lambda: not demo.leftovers(mark), within_s=PATIENCE_S)


def test_an_interrupted_preparation_leaves_nothing_behind(demo: Demo):
    demo.start()
    eventually("the servers", lambda: "PostgreSQL and Valkey" in demo.text, within_s=PATIENCE_S)
    mark = demo.mark()
    assert demo.child is not None
    demo.child.send_signal(signal.SIGSTOP)  # in the midst of it, however slow the other command is
    assert "the site is ready" not in demo.text, "the preparation was over before it could be interrupted"
    stopping = subprocess.Popen(
        [sys.executable, "-m", "deploy.demo", "stop"], cwd=places.ROOT, env=demo.environment, stdout=subprocess.DEVNULL
    )
    eventually("the signal", lambda: pending(demo.child, signal.SIGTERM), within_s=PATIENCE_S)
    demo.child.send_signal(signal.SIGCONT)
    assert stopping.wait(PATIENCE_S) == 0
    assert demo.child.wait(PATIENCE_S) == 130, demo.text
    assert demo.leftovers(mark) == []


def test_a_taken_port_is_named_before_anything_starts(demo: Demo):
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", demo.port))
        holder.listen()
        refused = demo.run_again()
    assert refused.returncode == 1
    assert re.search(rf"Port {demo.port} is taken by .* PORT={demo.port + 1}", refused.stderr)
    assert "answer" not in refused.stdout


def test_half_a_set_of_database_urls_is_refused(demo: Demo):
    demo.environment["DATABASE_URL"] = "postgresql://somebody@localhost/bourse"
    try:
        refused = demo.run_again()
    finally:
        del demo.environment["DATABASE_URL"]
    assert refused.returncode == 1
    assert "DATABASE_OWNER_URL, ENGINE_DATABASE_URL, SIGNER_DATABASE_URL" in refused.stderr
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(dbname="bourse", host=str(demo.state / "run"), user="bourse_app", connect_timeout=2)


def test_production_settings_refuse_the_demo(demo: Demo):
    demo.environment["DJANGO_SETTINGS_MODULE"] = "config.settings.prod"
    try:
        refused = demo.run_again()
    finally:
        demo.environment["DJANGO_SETTINGS_MODULE"] = "config.settings.dev"
    assert refused.returncode == 1
    assert "config.settings.prod" in refused.stderr
