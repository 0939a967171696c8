"""How many may come in a second through one web process: log-ins, session checks, and requests signed by API keys.

One `uvicorn config.asgi:application` with everything on: Argon2 as in production, limits counted, signatures verified and
remembered. What is asked after the check is the order path's shortest answer, a batch whose one command names no order, so that
no engine takes part. Beside it, in the same run, a bare async Django view that parses and echoes the same JSON
(`benchmarks.bare`). All are measured in turn, ROUNDS times; printed is the middle of each, and of the ratios within each round.
What must never happen here: a figure from a run with a refusal, an error or a check switched off; before the figures a wrong
signature and a repeated one are sent, and must be refused.

Run by `make bench-auth`; BENCH_SECONDS, BENCH_ROUNDS, BENCH_CONNECTIONS set the size.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import redis
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks import ground
from benchmarks.http import CONNECTIONS, CUSTOMERS, PASSWORD, ROOT, ROUNDS, SECONDS, WARM_UP_S, Servers

DATABASE = "bench_auth"
PATH = "/api/v1/orders/batch"
BODY = b'{"orders":[{"op":"cancel"}]}'
DIGEST = hashlib.sha256(BODY).hexdigest()
A_SECOND_MAX = 12_000
LOG_IN_CONNECTIONS, LOG_INS_A_SECOND_MAX = 2, 400
WINDOW_MS = 60_000


class Key:
    """One customer's key, with what signs for it."""

    def __init__(self, user_id: int, kind: str) -> None:
        from exchange.accounts.keys import services

        self.private = Ed25519PrivateKey.generate()
        public = base64.b64encode(self.private.public_key().public_bytes_raw()).decode() if kind == "ed25519" else ""
        now = datetime.now(UTC)
        made = services.create(user_id=user_id, label="bench", kind=kind, public_key=public, trade=True, now=now)
        self.key_id, self.secret = made.key.key_id, bytes.fromhex(made.secret or "")

    def headers(self, at_us: int) -> dict[str, str]:
        message = "\n".join((self.key_id, str(at_us), str(WINDOW_MS), "POST", PATH, "", DIGEST)).encode()
        if self.secret:
            signature = hmac.new(self.secret, message, hashlib.sha256).hexdigest()
        else:
            signature = base64.b64encode(self.private.sign(message)).decode()
        return {
            "X-Bourse-Key": self.key_id, "X-Bourse-Timestamp": str(at_us), "X-Bourse-Signature": signature,
            "X-Bourse-Window": str(WINDOW_MS),
        }  # fmt: skip


def prepared(port: int, path: str, body: bytes, headers: dict[str, str]) -> str:
    """A whole request."""
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body.decode()])


def load(port: int, texts: list[str], *, connections: int) -> dict[str, Any]:
    """One measurement by the load's own process."""
    told = {
        "port": port, "requests": texts, "connections": connections, "seconds": SECONDS, "warm_up_s": WARM_UP_S,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.auth_load"], cwd=ROOT, input=json.dumps(told).encode(),
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    got: dict[str, Any] = json.loads(done.stdout)
    if got["refused"] or got["cut_off"] or not got["answers"]:
        raise SystemExit(f"refused or cut off: {got}")
    return got


def signed(keys: list[Key], port: int) -> list[str]:
    """Requests enough for a round, each with a time of its own; the window is long enough for them all."""
    began = time.time_ns() // 1_000
    count = int(A_SECOND_MAX * (SECONDS + WARM_UP_S))
    return [
        prepared(port, PATH, BODY, keys[number % len(keys)].headers(began - 1_000_000 + number))
        for number in range(count)
    ]


def what_is_refused(port: int, key: Key) -> None:
    """The checks are on."""
    url = f"http://127.0.0.1:{port}{PATH}"
    told = {**key.headers(time.time_ns() // 1_000), "Content-Type": "application/json"}
    wrong = {**told, "X-Bourse-Timestamp": str(int(told["X-Bourse-Timestamp"]) + 1)}
    codes = [requests.post(url, data=BODY, headers=headers, timeout=20).status_code for headers in (wrong, told, told)]
    if codes != [401, 200, 401]:
        raise SystemExit(f"a wrong and a repeated signature are not refused: {codes}")


def measure(servers: Servers, emails: list[str], user_ids: list[int]) -> dict[str, list[dict[str, Any]]]:
    """All in turn, ROUNDS times."""
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    client.flushdb()
    client.set("signed:since", 0)
    _, bare_port = servers.web("benchmarks.bare:application", path="/")
    _, port = servers.web(
        "config.asgi:application", path="/api/v1/time", DJANGO_SETTINGS_MODULE="benchmarks.auth_settings"
    )
    keys = {kind: [Key(user_id, kind) for user_id in user_ids] for kind in ("hmac", "ed25519")}
    what_is_refused(port, keys["hmac"][0])
    what_is_refused(port, keys["ed25519"][0])
    log_ins = [json.dumps({"email": email, "password": PASSWORD}).encode() for email in emails]
    tokens = [
        requests.post(f"http://127.0.0.1:{port}/_allauth/app/v1/auth/login", data=body, timeout=20,
                      headers={"Content-Type": "application/json"}).json()["meta"]["session_token"]
        for body in log_ins
    ]  # fmt: skip
    count = int(A_SECOND_MAX * (SECONDS + WARM_UP_S))
    few = int(LOG_INS_A_SECOND_MAX * (SECONDS + WARM_UP_S))
    kinds: dict[str, Any] = {
        "bare view": lambda: load(
            bare_port, [prepared(bare_port, "/api/v1/orders", BODY, {})] * count, connections=CONNECTIONS
        ),
        "session": lambda: load(
            port,
            [prepared(port, PATH, BODY, {"X-Session-Token": tokens[n % len(tokens)]}) for n in range(count)],
            connections=CONNECTIONS,
        ),
        "HMAC": lambda: load(port, signed(keys["hmac"], port), connections=CONNECTIONS),
        "Ed25519": lambda: load(port, signed(keys["ed25519"], port), connections=CONNECTIONS),
        "log-in": lambda: load(
            port,
            [prepared(port, "/_allauth/app/v1/auth/login", log_ins[n % len(log_ins)], {}) for n in range(few)],
            connections=LOG_IN_CONNECTIONS,
        ),
    }
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, measured in kinds.items():
            got = measured()
            results[name].append(got)
            print(
                f"  {name:10} {got['per_s']:6.0f} /s   p50 {got['p50_ms']:6.1f} ms   p99 {got['p99_ms']:6.1f} ms",
                flush=True,
            )
    return results


def main() -> None:
    os.environ.update(DJANGO_SETTINGS_MODULE="config.settings.dev", LOG_LEVEL="WARNING", BOURSE_DEMO="0")
    ground.prepare(DATABASE)
    from exchange.accounts.services import customers

    emails = [f"bench-{number}@example.com" for number in range(CUSTOMERS)]
    now = datetime.now(UTC)
    user_ids = [customers.open(email=email, password=PASSWORD, email_verified=True, now=now) for email in emails]
    servers = Servers()
    print(
        f"  one uvicorn each (uvloop, httptools), {CONNECTIONS} kept-alive connections ({LOG_IN_CONNECTIONS} for log-ins), "
        f"{CUSTOMERS} customers, {SECONDS:.0f} s each, {ROUNDS} rounds; Argon2, limits and the memory of signatures are on"
    )
    try:
        results = measure(servers, emails, user_ids)
    finally:
        servers.end()
    names = {
        "log_ins": "log-in", "session_checks": "session", "hmac_checks": "HMAC", "ed25519_checks": "Ed25519",
    }  # fmt: skip
    figures: dict[str, float] = {}
    for key, name in names.items():
        figures[f"{key}_per_s"] = round(statistics.median(got["per_s"] for got in results[name]))
        pairs = zip(results[name], results["bare view"], strict=True)
        ratio = statistics.median(one["per_s"] / other["per_s"] for one, other in pairs)
        figures[f"{key}_ratio_to_bare_view"] = round(ratio, 3)
    figures["bare_view_per_s"] = round(statistics.median(got["per_s"] for got in results["bare view"]))
    print(json.dumps({"bench": "auth", "figures": figures}))


if __name__ == "__main__":
    main()
