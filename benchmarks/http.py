"""Orders a second through one web process, over REST and over the websocket, with the real engine behind it.

One `uvicorn config.asgi:application` with everything on: log-in by session token, limits counted, host and body checks,
metrics; one engine that commits each order with the full ledger. Beside it, in the same run, a bare async Django view that
parses and echoes the same JSON (`benchmarks.bare`), on the same server with the same options. The three are measured in turn,
ROUNDS times; printed is the middle of each, and of the ratios within each round, so that a busy neighbour meets all alike.
Afterwards every order that was acknowledged must be in the database, and the ledger must verify.
What must never happen here: a figure from a run with a refusal, an error or a check switched off.

Run by `make bench-http`; BENCH_SECONDS, BENCH_ROUNDS, BENCH_CONNECTIONS set the size.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import redis
import requests

from benchmarks import ground

ROOT = Path(__file__).resolve().parent.parent
DATABASE = "bench_http"
SECONDS = float(os.environ.get("BENCH_SECONDS", "5"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
CONNECTIONS = int(os.environ.get("BENCH_CONNECTIONS", "48"))
SOCKETS, IN_FLIGHT = 8, 64
CUSTOMERS = 16
WARM_UP_S = 1.0
ORDERS_A_SECOND_MAX = 12_000
PASSWORD = "correct horse battery staple"
SEED = 41
START_S = 60
SERVER = (  # as in the Procfile
    "--no-access-log", "--no-server-header", "--no-proxy-headers", "--log-level", "warning",
    "--ws", "config.lines:LineProtocol", "--ws-max-size", "65536",
)  # fmt: skip


def open_customers() -> list[str]:
    """Customers with plenty of BTC and USDT, and a market without a limit on their open orders; their e-mail addresses."""
    from django.db import connections

    from exchange.accounts.services import customers
    from exchange.ledger.journal import Entry, Kind, Transfer
    from exchange.ledger.services import accounts, transfers
    from kyc.services import levels

    now = datetime.now(UTC)
    wallets = {asset: accounts.open(kind=Kind.CHAIN_WALLET, asset_id=asset, label="bench", now=now) for asset in (1, 4)}
    emails, posts = [], []
    for number in range(CUSTOMERS):
        emails.append(f"bench-{number}@example.com")
        user_id = customers.open(email=emails[-1], password=PASSWORD, email_verified=True, now=now)
        # Verified customers, whom nothing limits: what a limited one's orders cost is another figure.
        levels.assign(user_id=user_id, level=4, reason="Benchmark", actor_id=None, now=now)
        for asset, account in accounts.open_customer(owner_id=user_id, asset_ids=[1, 4], now=now).items():
            posts.append(Transfer(uuid4(), "deposit", (Entry(wallets[asset], -(10**16)), Entry(account, 10**16))))
    transfers.post(transfers=posts, now=now)
    with connections[
        "owner"
    ].cursor() as cursor:  # before the engine opens it; afterwards its rules change by command alone
        cursor.execute("UPDATE trading_market SET max_open_orders = 0 WHERE symbol = 'BTC-USDT'")
    return emails


def orders(count: int, rng: random.Random) -> list[str]:
    """Limit orders around one price: about half of them meet another and fill, the rest wait for those that follow."""
    run = uuid4().hex[:8]
    return [
        json.dumps(
            {
                "market": "BTC-USDT", "side": rng.choice(("buy", "sell")), "type": "limit",
                "price": f"{60_000 + rng.randint(-20, 20) / 10:.2f}", "quantity": f"{rng.randint(1, 20) / 1000:.4f}",
                "client_order_id": f"{run}-{number}",
            },
            separators=(",", ":"),
        )
        for number in range(count)
    ]  # fmt: skip


class Servers:
    """The processes of the benchmark."""

    def __init__(self) -> None:
        from config import embedded

        self.log = (embedded.state_folder() / "bench-http.log").open("wb")
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            arguments, cwd=ROOT, stdout=self.log, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
        self.processes.append(process)
        return process

    def web(self, application: str, *, path: str, **environment: str) -> tuple[subprocess.Popen[bytes], int]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = (sys.executable, "-m", "uvicorn", application, "--port", str(port), *SERVER)
        process = self.start(*command, **environment)
        self.wait(process, lambda: bool(requests.get(f"http://127.0.0.1:{port}{path}", timeout=5).status_code))
        return process, port

    def wait(self, process: subprocess.Popen[bytes], until: Any) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if until():
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.05)
        raise SystemExit(f"a server did not come up: see {self.log.name}")

    def end(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(timeout=30)


def load(told: dict[str, Any]) -> dict[str, Any]:
    """One measurement by the load's own process."""
    told = {"seconds": SECONDS, "warm_up_s": WARM_UP_S, "connections": CONNECTIONS, "in_flight": IN_FLIGHT, **told}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"], cwd=ROOT, input=json.dumps(told).encode(), stdout=subprocess.PIPE,
        check=True,
    )  # fmt: skip
    got: dict[str, Any] = json.loads(done.stdout)
    if got["refused"] or got["cut_off"] or not got["answers"]:
        raise SystemExit(f"{told['kind']} on {told['path']}: {got}")
    return got


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(servers: Servers, emails: list[str]) -> dict[str, list[dict[str, Any]]]:
    """The three in turn, ROUNDS times."""
    from trading import wire

    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    client.flushdb()
    engine = servers.start(
        sys.executable, "manage.py", "run_engine", "--shard", "0", DJANGO_SETTINGS_MODULE="config.settings.engine"
    )
    servers.wait(engine, lambda: client.exists(wire.leader(0)))
    bare, bare_port = servers.web("benchmarks.bare:application", path="/")
    web, port = servers.web(
        "config.asgi:application", path="/api/v1/time", DJANGO_SETTINGS_MODULE="benchmarks.http_settings"
    )
    tokens = [
        requests.post(
            f"http://127.0.0.1:{port}/_allauth/app/v1/auth/login", json={"email": email, "password": PASSWORD},
            timeout=20,
        ).json()["meta"]["session_token"]
        for email in emails
    ]  # fmt: skip
    kinds: dict[str, tuple[subprocess.Popen[bytes], dict[str, Any]]] = {
        "bare view": (bare, {"kind": "http", "port": bare_port, "path": "/api/v1/orders", "tokens": tokens}),
        "REST": (web, {"kind": "http", "port": port, "path": "/api/v1/orders", "tokens": tokens}),
        "websocket": (
            web, {"kind": "websocket", "port": port, "path": "/ws/", "tokens": tokens, "connections": SOCKETS}
        ),
    }  # fmt: skip
    valkey_pid = client.info("server")["process_id"]
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in kinds}
    rng = random.Random(SEED)
    for _ in range(ROUNDS):
        for name, (process, told) in kinds.items():
            pids = {"web": process.pid, "engine": engine.pid, "database": backend(), "Valkey": valkey_pid}
            before = {part: cpu_seconds(pid) for part, pid in pids.items()}
            got = load({**told, "orders": orders(int(ORDERS_A_SECOND_MAX * (SECONDS + WARM_UP_S)), rng)})
            got["cpu_us"] = {
                part: round(1e6 * (cpu_seconds(pid) - before[part]) / got["all_answers"]) for part, pid in pids.items()
            } | {"load": round(1e6 * got["cpu_s"] / got["all_answers"])}
            results[name].append(got)
            print(
                f"  {name:10} {got['per_s']:6.0f} /s   p50 {got['p50_ms']:6.1f} ms   p99 {got['p99_ms']:6.1f} ms   CPU each, µs: "
                + ", ".join(f"{part} {us}" for part, us in got["cpu_us"].items()),
                flush=True,
            )
    return results


def backend() -> int:
    """The engine's own session in the database."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT leader_pid FROM trading_shard WHERE id = 0")
        (pid,) = cursor.fetchone()
    return int(pid)


def verify(results: dict[str, list[dict[str, Any]]]) -> None:
    """Every acknowledged order is stored, nothing that keeps money safe was off, and the books agree."""
    from django.core.management import call_command
    from django.db import connection

    from exchange.ledger import reconciliation

    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
        safe = cursor.fetchone()
        cursor.execute("SELECT (SELECT count(*) FROM trading_order), (SELECT count(*) FROM trading_trade)")
        stored, trades = cursor.fetchone()
    counted = sum(got["answers"] for name in ("REST", "websocket") for got in results[name])
    print(f"  stored orders {stored}, trades {trades}; acknowledged while counting {counted}; fsync {safe[0]}, "
          f"synchronous_commit {safe[1]}")  # fmt: skip
    if safe != ("on", "on"):
        raise SystemExit("a safety is switched off; this figure would say nothing")
    if stored < counted:
        raise SystemExit("orders were acknowledged that are not stored")
    call_command("ledger", "verify")
    report = reconciliation.run(now=datetime.now(UTC))
    if not report.ok:
        raise SystemExit(f"the books do not agree: {report.mismatches}")


def main() -> None:
    os.environ.update(DJANGO_SETTINGS_MODULE="config.settings.dev", LOG_LEVEL="WARNING", BOURSE_DEMO="0")
    ground.prepare(DATABASE)
    emails, servers = open_customers(), Servers()
    print(
        f"  one uvicorn each (uvloop, httptools); REST and bare view: {CONNECTIONS} kept-alive connections; websocket: "
        f"{SOCKETS} connections with {IN_FLIGHT} orders in flight; {CUSTOMERS} customers; {SECONDS:.0f} s each, "
        f"{ROUNDS} rounds"
    )
    try:
        results = measure(servers, emails)
    finally:
        servers.end()
    verify(results)
    middle = {name: statistics.median(got["per_s"] for got in rounds) for name, rounds in results.items()}
    p99 = {name: statistics.median(got["p99_ms"] for got in rounds) for name, rounds in results.items()}

    def ratio(ours: str, beside: str) -> float:
        """Of each round, for the two stood side by side in time; the middle of them."""
        pairs = zip(results[ours], results[beside], strict=True)
        return round(statistics.median(one["per_s"] / other["per_s"] for one, other in pairs), 2)

    figures = {
        "orders_per_s": round(middle["REST"]),
        "p99_ms": round(p99["REST"], 1),
        "ratio_to_bare_view": ratio("REST", "bare view"),
        "bare_view_per_s": round(middle["bare view"]),
        "websocket_orders_per_s": round(middle["websocket"]),
        "websocket_p99_ms": round(p99["websocket"], 1),
        "websocket_ratio_to_rest": ratio("websocket", "REST"),
    }
    print(json.dumps({"bench": "http", "figures": figures}))


if __name__ == "__main__":
    main()
