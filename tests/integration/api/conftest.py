"""A running exchange for the API's tests: uvicorn (and an engine, for those that trade) as processes of their own on this
worker's database and Valkey, and customers who log in through the same doors as everybody."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis
import requests
from django.conf import settings
from django.db import connections
from django.test import override_settings
from django.utils import timezone

from tests import hashing

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "correct horse battery staple"
START_S = 120
ANSWER_S = 60


@dataclass
class Customer:
    """Somebody logged in by session token, as an app or a bot is."""

    url: str
    user_id: int
    email: str
    token: str
    http: requests.Session = field(default_factory=requests.Session)

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"X-Session-Token": self.token, **options.pop("headers", {})}
        return self.http.request(method, f"{self.url}/api/v1/{path}", headers=headers, timeout=ANSWER_S, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.call("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> requests.Response:
        return self.call("POST", path, json=json, **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        return self.call("DELETE", path, **options)


class Exchange:
    """The processes, and what set-up needs: customers, money, the database's own view."""

    def __init__(self, *, owner_url: str) -> None:
        self.valkey = redis.Redis.from_url(settings.REDIS_URL)
        self.owner = psycopg2.connect(owner_url)
        self.owner.autocommit = True
        self.processes: list[subprocess.Popen[bytes]] = []
        self.url = ""
        self.websocket_url = ""
        self.environment: dict[str, str] = {}  # of the web processes started from now on
        self.log = Path(settings.STATE_DIR) / f"api-{os.getpid()}.log"

    def start(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        variables = {
            **os.environ,
            "BOURSE_DEMO": "0",
            "DJANGO_SETTINGS_MODULE": "config.settings.dev",
            "REDIS_URL": settings.REDIS_URL,
            "WEBSOCKET_LOG_IN_CHECK_S": "1",
            "SECOND_FACTOR_REQUIRED": "0",  # as in the suite's own settings; tests of it have customers with a factor
            "CREDENTIAL_PAUSE_H": "0",  # a key that was just made holds up nobody's withdrawal here
            "VALKEY_CONNECT_S": "30",  # a busy machine is no finding
            "VALKEY_ANSWER_S": "30",
            # A network without a node is shown to nobody; the web process never calls it.
            **{f"{network}_RPC_URL": "http://127.0.0.1:9" for network in ("BITCOIN", "LITECOIN", "ETHEREUM")},
            **(environment or {}),
        }
        with self.log.open("ab") as log:
            process = subprocess.Popen(arguments, cwd=ROOT, env=variables, stdout=log, stderr=subprocess.STDOUT)
        self.processes.append(process)
        return process

    def start_web(self, *, line: bool = True, port: int = 0) -> subprocess.Popen[bytes]:
        """As the Procfile does; without `line`, as any other ASGI server would serve us."""
        if not port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
        self.url, self.websocket_url = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}/ws/"
        process = self.start(
            sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", str(port), "--log-level", "warning",
            "--no-proxy-headers",
            *(("--ws", "config.lines:LineProtocol") if line else ()), environment=self.environment,
        )  # fmt: skip
        self.wait(lambda: requests.get(f"{self.url}/api/v1/time", timeout=ANSWER_S).ok, process)
        self.web = process
        return process

    def start_engine(self) -> subprocess.Popen[bytes]:
        self.valkey.delete("md:BTC-USDT:book")  # written at an engine's start: then it leads
        engine = {"DJANGO_SETTINGS_MODULE": "config.settings.engine"}
        process = self.start(sys.executable, "manage.py", "run_engine", "--shard", "0", environment=engine)
        self.wait(lambda: self.valkey.exists("md:BTC-USDT:book"), process)
        self.engine = process
        return process

    def wait(self, until: Callable[[], Any], process: subprocess.Popen[bytes] | None = None) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                if until():
                    return
            except requests.RequestException:
                pass
            if process is not None and process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"did not come up:\n{self.log.read_text()[-4000:]}")

    def end(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                self.end(process)
        # PostgreSQL notices a moment later; until then the database cannot be made anew.
        self.wait(lambda: self._others() == 0)
        self.owner.close()
        self.valkey.close()

    def _others(self) -> int:
        with self.owner.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND usename LIKE 'bourse_%' AND usename <> current_user"
            )
            row = cursor.fetchone()
        connections.close_all()
        return int(row[0]) if row else 0

    def customer(self, name: str) -> Customer:
        """Opens one and logs in through allauth's headless API."""
        from exchange.accounts.services import customers
        from kyc.services import levels

        email = f"{name}@example.com"
        # The server knows production's hashes, not the suite's fast ones.
        with override_settings(PASSWORD_HASHERS=hashing.HASHERS):
            user_id = customers.open(email=email, password=PASSWORD, email_verified=True, now=timezone.now())
        # Of the highest level: limits are counted in prices, which most tests here have no use for.
        levels.assign(user_id=user_id, level=4, reason="test", actor_id=None, now=timezone.now())
        return Customer(self.url, user_id, email, self.log_in(email))

    def log_in(self, email: str) -> str:
        answer = requests.post(
            f"{self.url}/_allauth/app/v1/auth/login", json={"email": email, "password": PASSWORD}, timeout=ANSWER_S
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["meta"]["session_token"])

    def fund(self, customer: Customer, asset_id: int, amount: int) -> None:
        """Coins from outside, as a deposit books them."""
        from exchange.core.ids import uuid7
        from exchange.ledger.journal import Entry, Transfer
        from exchange.ledger.services import accounts, transfers

        now = timezone.now()
        outside = accounts.open(kind="chain_wallet", asset_id=asset_id, label="test", now=now)
        own = accounts.open_customer(owner_id=customer.user_id, asset_ids=[asset_id], now=now)[asset_id]
        entries = (Entry(outside, -amount), Entry(own, amount))
        transfers.post(transfers=[Transfer(id=uuid7(), kind="deposit", entries=entries)], now=now)

    def deposit(self, customer: Customer) -> None:
        """One that was seen and is in no block yet."""
        from wallets.models import Address, Deposit, Xpub

        now = timezone.now()
        xpub = Xpub.objects.create(network_id=1, purpose="hot", xpub="xpub of a test", path="m", created_at=now)
        address = Address.objects.create(
            network_id=1, address="bcrt1qmfy7tw4yysmk5ksnfn9nsnd2c6vv0kcwx84k4p", script=b"\x00\x14" + bytes(20),
            purpose="deposit", owner_id=customer.user_id, xpub=xpub, index=0, created_at=now,
        )  # fmt: skip
        Deposit.objects.create(
            network_id=1, asset_id=1, address=address, owner_id=customer.user_id, position="0", amount=50_000_000,
            txid="4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b", state="seen",
            confirmations_required=2, seen_at=now, replaceable=True,
        )  # fmt: skip

    def books(self) -> tuple[int, int]:
        """How many transfers there are and how much is held: what "moved nothing" is measured by."""
        with self.owner.cursor() as cursor:
            cursor.execute(
                "SELECT (SELECT count(*) FROM ledger_transfer), (SELECT coalesce(sum(held), 0) FROM ledger_account)"
            )
            row = cursor.fetchone()
        assert row is not None
        return int(row[0]), int(row[1])


@pytest.fixture(scope="module")
def exchange(django_db_setup: Any, django_db_blocker: Any) -> Iterator[Exchange]:
    """One running exchange for a module's tests; its database is made anew before and after."""
    with django_db_blocker.unblock():
        django_db_setup.dirty = True
        django_db_setup.renew()
        django_db_setup.point_django(django_db_setup.name)
        django_db_setup.dirty = True
        running = Exchange(owner_url=django_db_setup.url("owner"))
        running.valkey.flushdb()
        try:
            running.start_web()
            yield running
        finally:
            running.close()
            connections.close_all()


@pytest.fixture(scope="module")
def trading(exchange: Exchange) -> Exchange:
    """The same with an engine."""
    exchange.start_engine()
    return exchange


def error(response: requests.Response) -> dict[str, Any]:
    """The error of an answer, after its shape was checked."""
    body = response.json()
    assert set(body) == {"error"}, body
    assert set(body["error"]) == {"type", "code", "message", "param"}, body
    assert response.headers["Content-Type"].startswith("application/json")
    assert body["error"]["message"]
    return dict(body["error"])
