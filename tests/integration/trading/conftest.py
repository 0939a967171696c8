"""The real engine process on the test's own database and Valkey, and a few customers with money."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis

from exchange.core import amounts
from exchange.core.errors import DomainError
from exchange.ledger import selectors as ledger
from exchange.ledger.journal import Entry, Kind, Transfer
from exchange.ledger.services import accounts, transfers
from tests.integration.trading.desk import Desk
from trading import selectors, wire
from trading.presentation import BookView, OrderView
from trading.services import catalogue

ROOT = Path(__file__).resolve().parents[3]
ASSETS = {"BTC": (1, 8), "LTC": (2, 8), "ETH": (3, 18), "USDT": (4, 6)}
ALICE, BOB, CAROL = 101, 102, 103


def now() -> datetime:
    return datetime.now(UTC)


def eventually(what: str, ask: Callable[[], Any], *, seconds: float = 60.0) -> Any:
    """Ask until there is an answer other than None, False or empty: for what follows a reply by a moment."""
    until = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < until, f"waited {seconds:.0f} s in vain: {what}"
        time.sleep(0.02)
    return answer


def soon(placed: Callable[[float], OrderView]) -> OrderView:
    """An order that ends in a second, or, on a machine too busy to have it at the engine by then, in ten or a hundred."""
    for seconds in (1, 10):
        with contextlib.suppress(DomainError):
            order = placed(seconds)
            if order.state == "open":
                return order
    return placed(100)


def shown_book(symbol: str = "BTC-USDT") -> BookView | None:
    """The stored book, where there is one yet: it follows what it shows by a tenth of a second."""
    try:
        return selectors.book(symbol)
    except selectors.BookUnavailable:
        return None


class Engine:
    """One `manage.py run_engine` at a time or several; each is a process of its own."""

    def __init__(self, folder: Path, valkey: redis.Redis) -> None:
        self.folder = folder
        self.valkey = valkey
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str, fault: str = "", wait: bool = True, **variables: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.engine", **variables}
        if fault:
            environment |= {"ENGINE_FAULT": fault, "ENGINE_FAULT_LOG": str(self.folder / "hits")}
        log = (self.folder / f"engine-{len(self.processes)}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run_engine", "--shard", "0", *arguments],
            cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.processes.append(process)
        if wait:
            self.wait_until_leading(process)
        return process

    def wait_until_leading(self, process: subprocess.Popen[bytes], seconds: float = 120.0) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            leader = self.valkey.get(wire.leader(0))
            if leader and leader.decode().endswith(f":{process.pid}") and self.log(process).count("engine leads"):
                return
            assert process.poll() is None, f"the engine ended:\n{self.log(process)}"
            time.sleep(0.02)
        raise AssertionError(f"the engine does not lead:\n{self.log(process)}")

    def log(self, process: subprocess.Popen[bytes]) -> str:
        return (self.folder / f"engine-{self.processes.index(process)}.log").read_text()

    def wait_dead(self, process: subprocess.Popen[bytes], seconds: float = 120.0) -> int:
        return process.wait(timeout=seconds)

    def hits(self) -> list[str]:
        """Each fault that struck: "point nth SIGNAL"."""
        return [" ".join(line[:3]) for line in self._hit_lines()]

    def struck_at(self) -> list[float]:
        """When, by time.monotonic(), which all processes of a machine share."""
        return [int(line[3]) / 1e9 for line in self._hit_lines()]

    def _hit_lines(self) -> list[list[str]]:
        path = self.folder / "hits"
        return [line.split() for line in path.read_text().split("\n")[:-1]] if path.exists() else []

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            print(self.log(process))  # shown by pytest where the test failed


@pytest.fixture
def engine(tmp_path: Path, valkey: redis.Redis, database_url: Callable[[str], str]) -> Iterator[Engine]:
    """Not started yet, on markets that were taken up before: so a first batch is the test's own."""
    catalogue.forget()
    before = Desk(valkey, database_url("engine"), now=now())
    before.start()
    before.leave()
    engine = Engine(tmp_path, valkey)
    yield engine
    engine.end()


class Money:
    """Deposits from nowhere but the chain wallet's account, and balances as decimal strings."""

    def fund(self, user_id: int, **given: str) -> None:
        for code, text in given.items():
            asset_id, decimals = ASSETS[code]
            units = amounts.parse(text, decimals=decimals)
            wallet = accounts.open(kind=Kind.CHAIN_WALLET, asset_id=asset_id, label="test", now=now())
            account = accounts.open(kind=Kind.CUSTOMER, asset_id=asset_id, owner_id=user_id, now=now())
            transfer = Transfer(uuid4(), "deposit", (Entry(wallet, -units), Entry(account, units)))
            transfers.post(transfers=[transfer], now=now())

    def of(self, user_id: int) -> dict[str, tuple[str, str]]:
        """(balance, held) of each asset that is not empty."""
        codes = {asset_id: (code, decimals) for code, (asset_id, decimals) in ASSETS.items()}
        found = {}
        for balance in ledger.balances(owner_id=user_id):
            code, decimals = codes[balance.asset_id]
            if balance.balance:
                found[code] = (
                    amounts.format(balance.balance, decimals=decimals),
                    amounts.format(balance.held, decimals=decimals),
                )
        return found

    def fees(self, code: str) -> str:
        asset_id, decimals = ASSETS[code]
        return next(
            amounts.format(total.balance, decimals=decimals)
            for total in ledger.totals()
            if total.asset_id == asset_id and total.kind == Kind.HOUSE_FEES
        )


@pytest.fixture
def money() -> Money:
    return Money()


@pytest.fixture
def desk(valkey: redis.Redis, database_url: Callable[[str], str]) -> Iterator[Desk]:
    """The engine in this process, started."""
    desk = Desk(valkey, database_url("engine"))
    desk.start()
    yield desk
    desk.die()
