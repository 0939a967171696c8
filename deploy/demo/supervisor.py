"""One run of the demo, from the first server to the last process ended.

What must never happen here: a process that outlives the run. Three things see to it: every child is ended in order; what is
left with the run's mark is ended after them; and a guard does the same when this process itself is killed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TextIO

from config import embedded
from deploy.demo import guard, marked, preparing, processes, record
from deploy.demo.nodes import Keeper
from deploy.setup import machine, places
from deploy.setup.failures import SetupError
from deploy.setup.progress import say

STEP = "demo"
READY_TIMEOUT_S = 120.0
DATABASE_URLS = ("DATABASE_URL", "DATABASE_OWNER_URL", "ENGINE_DATABASE_URL", "SIGNER_DATABASE_URL")


class Interrupted(Exception):
    """Ctrl-C, or another request to end, while the demo was still being prepared."""


def run(*, port: int, verbose: bool) -> int:
    """Prepares, runs until told to end, and cleans up. Returns the exit code."""
    _marked_from_the_start()
    state = places.state()
    state.mkdir(parents=True, exist_ok=True)
    with _only_one(state, port), _guarded() as mark:
        _listen_to_signals()
        environment = _environment(state, port, mark)
        keeper = None
        try:
            keeper = Keeper(state=state, environment=environment)
            environment |= _services(environment)
            nodes = keeper.wait()
            say(STEP, "bitcoind, litecoind and anvil answer, each on a private chain")
            remembered = record.load(state)
            signer = preparing.Signer(state / "signer")
            preparing.prepare(record=remembered, signer=signer, environment=environment, nodes=nodes, state=state)
            remembered.save()
            everything = {**environment, **nodes, **signer.environment}
            return _run_processes(everything, state=state, port=port, verbose=verbose, remembered=remembered)
        except Interrupted:
            return 130
        finally:
            _end(mark, keeper)


def _marked_from_the_start() -> None:
    """Begins this program anew with the run's mark in its environment, where the kernel shows it to others.

    A mark that was set later would not be seen on processes that are forked without starting another program.
    """
    if os.environ.get(marked.VARIABLE, "").startswith(f"{os.getpid()}-"):
        return
    os.environ[marked.VARIABLE] = f"{os.getpid()}-{secrets.token_hex(8)}"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


class _only_one:  # noqa: N801 - a context manager that reads like a function
    """Holds the state folder's lock; a second demo on it is refused with the first one's process."""

    def __init__(self, state: Path, port: int) -> None:
        self.path = state / "demo.lock"
        self.port = port
        self.file: TextIO | None = None

    def __enter__(self) -> None:
        self.file = self.path.open("a+")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.file.seek(0)
            holder = self.file.read().strip()
            raise SetupError(
                f"The demo runs already (process {holder}): end it with `make stop`, or give a second one its own "
                "BOURSE_STATE= and PORT=."
            ) from None
        machine.check_port(self.port)
        self.file.truncate(0)
        self.file.write(str(os.getpid()))
        self.file.flush()

    def __exit__(self, *_: object) -> None:
        assert self.file is not None
        self.file.close()


class _guarded:  # noqa: N801 - see above
    """Starts the guard and gives the run its mark."""

    def __enter__(self) -> str:
        mark = os.environ[marked.VARIABLE]
        environment = {name: value for name, value in os.environ.items() if name != marked.VARIABLE}
        self.child = subprocess.Popen(
            [sys.executable, "-m", guard.__name__, mark, str(os.getpid())],
            cwd=places.ROOT,
            env=environment,  # without the mark: it must not end itself
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        return mark

    def __exit__(self, *_: object) -> None:
        assert self.child.stdin is not None
        with suppress(BrokenPipeError):
            self.child.stdin.write(guard.DONE)
            self.child.stdin.close()
        self.child.wait()


def _listen_to_signals() -> None:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def _environment(state: Path, port: int, mark: str) -> dict[str, str]:
    """What every process of the demo may know."""
    return {
        **os.environ,
        marked.VARIABLE: mark,
        "PATH": f"{places.venv() / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "config.settings.dev",
        "BOURSE_STATE": str(state),
        "BOURSE_DEMO": "1",
        "PORT": str(port),
        "SITE_URL": f"http://127.0.0.1:{port}",
        "BITCOIN_NETWORK": "regtest",
        "LITECOIN_NETWORK": "regtest",
        "ETHEREUM_CHAIN_ID": "31337",
    }


def _services(environment: Mapping[str, str]) -> dict[str, str]:
    """The embedded PostgreSQL and Valkey, or the person's own where their URLs are set."""
    given = [name for name in DATABASE_URLS if environment.get(name)]
    if given and len(given) < len(DATABASE_URLS):
        missing = ", ".join(name for name in DATABASE_URLS if name not in given)
        raise SetupError(
            f"{given[0]} is set, so the demo needs {missing} as well (docs/operations.md names the roles)."
        )
    if given and environment.get("REDIS_URL"):
        say(STEP, "uses the PostgreSQL and the Valkey that the environment names")
        return {}
    started = embedded.ensure().environment
    say(STEP, "PostgreSQL and Valkey answer on unix sockets")
    return {name: value for name, value in started.items() if not environment.get(name)}


def _run_processes(
    environment: Mapping[str, str], *, state: Path, port: int, verbose: bool, remembered: record.Record
) -> int:
    printer = processes.LoggingPrinter(folder=state / "log", output=sys.stdout, verbose=verbose)
    manager = processes.KeepingManager(printer)
    manager.end_on(signal.SIGHUP)
    for name, command in processes.commands(places.ROOT / "Procfile", places.ROOT / "Procfile.demo").items():
        manager.add(name, command, environment=processes.environment_of(name, environment), folder=places.ROOT)
    threading.Thread(target=_welcome, args=(port, remembered, state), daemon=True).start()
    manager.loop()
    asked_to_end = (128 + signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGHUP)
    return 0 if manager.returncode in asked_to_end else int(manager.returncode or 0)


def _welcome(port: int, remembered: record.Record, state: Path) -> None:
    """Waits until the site is ready, then says where it is and how to log in."""
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + READY_TIMEOUT_S
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            with opener.open(f"{address}/readyz", timeout=5):
                break
        except (OSError, urllib.error.URLError):
            if time.monotonic() > deadline:
                say(STEP, f"the site is not ready after {READY_TIMEOUT_S:.0f} s; see {state / 'log' / 'web.log'}")
                return
        time.sleep(0.2)
    say(STEP, "the site is ready")
    sys.stdout.write(
        f"""
  Bourse            {address}/
  a customer        {record.CUSTOMER}      password  {remembered.customer_password}
  a staff member    {record.STAFF}     password  {remembered.staff_password}      {address}/admin/
  of each office    support@, compliance@, treasury@, operator@, auditor@ likewise, with the staff member's password and code
  Both have an authenticator app: `make code` prints what it shows, for the log-in and for each withdrawal.

  Play money on private chains; demo traders make the market, blocks are mined by the clock.
  Deposit:   make pay TO=<your deposit address> AMOUNT=0.1          (from another terminal)
  Logs:      {state / "log"}
  Ctrl-C ends everything.

"""
    )
    sys.stdout.flush()


def _end(mark: str, keeper: Keeper | None) -> None:
    """Ends what is left, in the order in which it depends on each other. Runs to its end whatever signal comes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    say(STEP, "ending; data is kept for the next start")
    if keeper is not None:
        keeper.stop()
    servers = frozenset(guard.embedded_pids())
    for pid in marked.end(mark, patience_s=guard.PATIENCE_S, spare=servers):
        say(STEP, f"process {pid} did not end by itself and was killed")
    embedded.stop()
    left = marked.processes(mark)
    say(STEP, f"processes left behind: {left}" if left else "everything has ended")


def stop() -> int:
    """Ends the demo that another terminal runs on this state folder."""
    lock = places.state() / "demo.lock"
    if not lock.exists():
        say(STEP, "no demo runs here")
        return 0
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = int(file.read().strip())
            os.kill(pid, signal.SIGTERM)
            fcntl.flock(file, fcntl.LOCK_EX)  # held until its last process is gone
            say(STEP, "ended")
            return 0
    say(STEP, "no demo runs here")
    return 0
