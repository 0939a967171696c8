"""Where the story is played: real nodes, embedded servers, and every process of the Procfile, on a state of their own.

A process that ends is started again, as an operator's service manager would do; so a kill is a fault, not the end. What must
never happen here: a process left behind, or a touch of the demo's or a developer's data.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import psycopg2

from config import embedded
from config.regtest import Anvil, Bitcoind, Litecoind
from config.regtest.process import free_port
from deploy.demo import guard, marked, preparing, processes
from deploy.demo.nodes import VARIABLES
from deploy.journey.person import JourneyError, Person, patiently
from deploy.setup import places

HOUSE_FUNDS = {"ETH": 10 * 10**18, "USDT": 20_000 * 10**6}
TOKEN = "TestToken"  # noqa: S105 - a contract's name
WATCH_EVERY_S = 0.1
RESTART_S = 120.0


class Stage:
    """The exchange and the world around it. Use as a context manager."""

    def __init__(self, *, state: Path, say: Callable[[str], None], kill_nodes: bool = False) -> None:
        self.state = state
        self.kill_nodes = kill_nodes
        self.say = say
        self.port = free_port()
        self.site = f"http://127.0.0.1:{self.port}"
        self.mark = secrets.token_hex(8)
        self.signer = preparing.Signer(state / "signer")
        self.token = ""
        self.bitcoind = Bitcoind(folder=state / "nodes" / "bitcoind")
        self.litecoind = Litecoind(folder=state / "nodes" / "litecoind")
        self.anvil = Anvil(folder=state / "nodes" / "anvil")
        self.environment: dict[str, str] = {}
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._servers = threading.Lock()  # a server is killed, emptied and started by one thread at a time
        self._ending = threading.Event()
        self._watch = threading.Thread(target=self._keep, daemon=True)

    # --- from nothing to running ------------------------------------------------------------------------------------
    def __enter__(self) -> Stage:
        self._claim()
        os.environ["BOURSE_STATE"] = str(self.state)
        os.environ[marked.VARIABLE] = self.mark
        embedded.stop()
        shutil.rmtree(self.state, ignore_errors=True)
        (self.state / "log").mkdir(parents=True)
        try:
            self._prepare()
            for name in self.commands:
                self._start(name)
            self._watch.start()
            patiently("the site to be ready", self._ready)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        if self._watch.is_alive():
            self._watch.join()
        for node in (self.bitcoind, self.litecoind, self.anvil):
            node.stop()
        marked.end(self.mark, patience_s=guard.PATIENCE_S, spare=frozenset(guard.embedded_pids()))
        embedded.stop()

    def _claim(self) -> None:
        """One journey a state folder: a second would throw the first one's servers away."""
        self.state.parent.mkdir(parents=True, exist_ok=True)
        self._lock = self.state.with_name(self.state.name + ".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JourneyError(f"another journey runs in {self.state}; give this one its own --state") from None

    def _prepare(self) -> None:
        with ThreadPoolExecutor(max_workers=3) as pool:
            starts = [pool.submit(node.start) for node in (self.bitcoind, self.litecoind, self.anvil)]
            services = embedded.ensure().environment
            for start in starts:
                start.result()
        self.token = self.anvil.deploy(TOKEN)
        nodes = {"bitcoin": self.bitcoind, "litecoin": self.litecoind, "ethereum": self.anvil}
        self.environment = {
            **os.environ,
            **services,
            **{VARIABLES[network]: node.url for network, node in nodes.items()},
            **self.signer.environment,
            marked.VARIABLE: self.mark,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "config.settings.dev",
            "BOURSE_STATE": str(self.state),
            "BOURSE_DEMO": "1",
            "PORT": str(self.port),
            "SITE_URL": self.site,
            "BITCOIN_NETWORK": "regtest",
            "LITECOIN_NETWORK": "regtest",
            "ETHEREUM_CHAIN_ID": "31337",
        }
        self.commands = processes.commands(places.ROOT / "Procfile")
        self.say("bitcoind, litecoind, anvil, PostgreSQL and Valkey answer")
        with ThreadPoolExecutor(max_workers=2) as pool:
            for work in [pool.submit(self._keys), pool.submit(self._tables)]:
                work.result()
        self._manage("wallets", "import_xpubs", str(self.signer.public))
        self._manage("assets", "set_contract", "USDT", "ethereum", self.token)
        self._fund_the_house()

    def _keys(self) -> None:
        self.signer.folder.mkdir(mode=0o700, parents=True)
        signer = {"DJANGO_SETTINGS_MODULE": "config.settings.signer"}
        self._manage("custody", "init", "--public", str(self.signer.public), **signer)
        limits = ("--each", "50000", "--hour", "200000", "--day", "500000", "--fee", "0.05")
        asset = ("--asset-id", "4", "--symbol", "USDT", "--decimals", "6")
        self._manage("custody", "limit", f"ethereum:{self.token}", *asset, *limits, **signer)
        self.say("the signer made its keystore; its limits name the test token")

    def _tables(self) -> None:
        self._manage("migrate", "--database", "owner", "--verbosity", "0")
        self.say("the tables stand")

    def _fund_the_house(self) -> None:
        """The hot wallet's own ETH and USDT; the books show them as the house's capital."""
        printed = self._manage("wallets", "hot")
        hot = next(
            word for line in printed.splitlines() if "ethereum" in line for word in line.split() if word[:2] == "0x"
        )
        self.anvil.send(hot, HOUSE_FUNDS["ETH"])
        self.anvil.transact(TOKEN, self.token, "mint", [hot, HOUSE_FUNDS["USDT"]])
        self.anvil.transact(TOKEN, self.token, "mint", [self.anvil.outside, 1_000_000 * 10**6])
        self.anvil.mine(1)

    def _manage(self, *words: str, **more: str) -> str:
        return preparing.manage(
            *words, environment={**self.environment, **more}, what=f"manage.py {words[0]} {words[1]}"
        )

    # --- processes --------------------------------------------------------------------------------------------------
    def _start(self, name: str) -> None:
        with (self.state / "log" / f"{name}.log").open("ab") as log:
            self._children[name] = subprocess.Popen(
                ["/bin/sh", "-c", self.commands[name]],
                cwd=places.ROOT,
                env={**processes.environment_of(name, self.environment), "BOURSE_PROCESS": name},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def _keep(self) -> None:
        while not self._ending.wait(WATCH_EVERY_S):
            for name, child in list(self._children.items()):
                if child.poll() is not None and not self._ending.is_set():
                    self._start(name)

    def _ready(self) -> bool:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.site}/readyz", timeout=5):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def pid(self, name: str) -> int:
        return self._children[name].pid

    def kill(self, name: str) -> int:
        """SIGKILL to one process (its pool children with it) or to a server; it comes back by itself. Returns the pid."""
        if name in {"postgres", "valkey"}:
            with self._servers:
                return self._kill_server(name)
        pid = self.pid(name)
        os.killpg(pid, signal.SIGKILL)
        return pid

    def _kill_server(self, name: str) -> int:
        file = {"postgres": "postgres/data/postmaster.pid", "valkey": "valkey/pid"}[name]
        pid = int((self.state / file).read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + RESTART_S
        while time.monotonic() < until:
            time.sleep(0.2)
            try:
                embedded.ensure()
            except (embedded.EmbeddedServiceError, psycopg2.Error, subprocess.SubprocessError):
                continue  # its own children are still ending
            return pid
        raise JourneyError(f"{name} does not start again after a kill")

    def lose_valkey(self) -> int:
        """Kills Valkey and throws all its data away before it comes back."""
        with self._servers:
            pid = int((self.state / "valkey" / "pid").read_text())
            os.kill(pid, signal.SIGKILL)
            embedded._wait_until_gone(pid, RESTART_S)
            shutil.rmtree(self.state / "valkey")
            embedded.ensure()
            return pid

    def fault_nodes(self) -> None:
        """Where asked for: SIGKILL to the nodes while payouts wait in their mempools, which are lost with them."""
        if not self.kill_nodes:
            return
        for node in (self.bitcoind, self.litecoind, self.anvil):
            pid = node.pid
            node.kill()
            node.start()
            self.say(f"kill -9 {node.name} (process {pid}); it came back as {node.pid} at height {node.height()}")

    # --- what the story asks ----------------------------------------------------------------------------------------
    def person(self, name: str) -> Person:
        return Person(
            site=self.site,
            inbox=self.state / "mail",
            address=f"{name}@journey.example",
            password=secrets.token_urlsafe(16),
        )

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """Rows, read as the owner: for the last check and for what the story prints of the ledger."""
        connection = psycopg2.connect(self.environment["DATABASE_OWNER_URL"])
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def change(self, statement: str) -> None:
        """Changes the tables as the owner could: to see that what should notice does."""
        connection = psycopg2.connect(self.environment["DATABASE_OWNER_URL"])
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    def signer_and_web(self) -> list[str]:
        """Who signed, by what the signature's own row says, beside the web process's pid and role."""
        signed = self.ask("SELECT DISTINCT signer_pid, database_role FROM custody_signature ORDER BY 1")
        web_role = self.environment["DATABASE_URL"].split("//")[1].split(":")[0]
        web = self.pid("web")
        if any(row[1] != "bourse_signer" or row[0] == web for row in signed) or not signed:
            raise JourneyError(f"signatures by {signed}, web is {web}")
        return [
            *(f"signed in process {pid} as database role {role}" for pid, role in signed),
            f"web is process {web} as database role {web_role}",
        ]

    def manage(self, *words: str) -> str:
        return self._manage(*words)
