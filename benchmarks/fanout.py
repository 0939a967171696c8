"""How many messages a second one web process delivers to 5,000 readers of one market's book, and how late.

The web process is the real one: uvicorn with `config.asgi:application`, log-in, origins, limits and all. This file plays the
engine: it publishes changes of a book to Valkey faster than the process can hand each of them to everybody (saturated), as the
engine does. Beside it, in turns, a bare server hands the very bytes that those readers got to as many readers with
`websockets.broadcast`: same sockets, same reading process, same event loop. Updates that were merged into others are not
messages and are counted apart; each reader checks that the sequence has no hole that nobody told it of.
What must never happen here: a figure from a run with a hole, a closed connection, or readers that did not all read.

Run by `make bench-fanout`; BENCH_SOCKETS, BENCH_SECONDS, BENCH_ROUNDS, BENCH_UPDATES_PER_S set the size.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time
from array import array
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import orjson
import redis

from benchmarks import fanout_readers, ground

ROOT = Path(__file__).resolve().parent.parent
DATABASE = "bench_fanout"
SOCKETS = int(os.environ.get("BENCH_SOCKETS", "5000"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
UPDATES_PER_S = int(os.environ.get("BENCH_UPDATES_PER_S", "100"))
MARKET = "BTC-USDT"
SEED = 5
KEPT = 1 << 20  # sequence numbers whose time of publishing is remembered


class Market:
    """The engine's part: a book that changes, published and stored as the engine does it."""

    def __init__(self, published: Any) -> None:
        from django.conf import settings

        self._client = redis.Redis.from_url(settings.REDIS_URL)
        self._client.flushdb()
        self._rng, self._published = random.Random(SEED), published
        self.u = 0
        self._sides: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
        for offset in range(200):
            self._sides["bids"][f"{59_999 - offset}.5"] = "0.5"
            self._sides["asks"][f"{60_000 + offset}.5"] = "0.5"
        self.store()

    def store(self) -> None:
        levels = {
            name: [[price, side[price]] for price in sorted(side, key=float, reverse=name == "bids")]
            for name, side in self._sides.items()
        }
        self._client.set(f"md:{MARKET}:book", orjson.dumps({"market": MARKET, "u": self.u, "time": "", **levels}))

    def publish(self) -> None:
        """One batch of the engine: some levels near the best price have another quantity."""
        self.u += 1
        changes: dict[str, list[tuple[str, str]]] = {"bids": [], "asks": []}
        for _ in range(4):
            name = self._rng.choice(("bids", "asks"))
            offset = min(int(self._rng.expovariate(0.2)), 199)
            price = f"{59_999 - offset}.5" if name == "bids" else f"{60_000 + offset}.5"
            self._sides[name][price] = quantity = f"{self._rng.randint(1, 99_999) / 10_000:.4f}"
            changes[name].append((price, quantity))
        message = {
            "market": MARKET, "U": self.u, "u": self.u, "time": "2026-01-01T00:00:00.000000Z", **changes, "trades": [],
            "candles": [],
        }  # fmt: skip
        self._published[self.u % KEPT] = time.monotonic()
        self._client.publish(f"md:{MARKET}", orjson.dumps(message))

    def publish_for(self, seconds: float) -> None:
        started, done = time.monotonic(), 0
        while (passed := time.monotonic() - started) < seconds:
            if done < passed * UPDATES_PER_S:
                self.publish()
                done += 1
                if done % (UPDATES_PER_S // 5 or 1) == 0:
                    self.store()
            else:
                time.sleep(0.001)
        self.store()


def bare_server(control: Connection, port: int) -> None:
    """`websockets.broadcast` on the event loop that uvicorn uses: as many rounds as it can in the time it is given."""
    import uvloop
    from websockets.asyncio.server import ServerConnection, broadcast, serve

    readers: set[ServerConnection] = set()

    async def keep(connection: ServerConnection) -> None:
        readers.add(connection)
        try:
            await connection.wait_closed()
        finally:
            readers.discard(connection)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with serve(keep, "127.0.0.1", port, compression=None):
            control.send("ready")
            while order := await loop.run_in_executor(None, control.recv):
                seconds, bodies = order
                sample = list(readers)[:: max(1, len(readers) // 50)]
                before, stop, at, rounds = time.process_time(), loop.time() + seconds, 0, 0
                while loop.time() < stop:
                    broadcast(readers, bodies[at], text=True)
                    at, rounds = (at + 1) % len(bodies), rounds + 1
                    await asyncio.sleep(0)
                    # It has no bound of its own: without this the rounds would only fill its memory.
                    while any(connection.transport.get_write_buffer_size() for connection in sample):
                        await asyncio.sleep(0.001)
                control.send((len(readers), rounds, time.process_time() - before))

    uvloop.run(main())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_web(port: int) -> subprocess.Popen[bytes]:
    from config import embedded

    log = (embedded.state_folder() / "bench-fanout.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", str(port), "--ws", "config.lines:LineProtocol",
         "--ws-max-size", "16384", "--backlog", "4096", "--no-access-log", "--no-server-header", "--log-level", "warning"],
        cwd=ROOT, stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit(f"the web process ended: see {log.name}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.1)
    raise SystemExit(f"the web process does not answer: see {log.name}")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Run:
    """The processes, and the turns of measuring."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.published = context.RawArray("d", KEPT)
        self.market = Market(self.published)
        self.processes: list[Any] = []
        ports = free_port(), free_port()
        self.web = start_web(ports[0])
        self.bare, theirs = context.Pipe()
        self._spawn(context, bare_server, theirs, ports[1])
        self.readers, theirs = context.Pipe()
        self._spawn(context, fanout_readers.run, theirs, self.published, SOCKETS)
        self.bare.recv()
        started = time.monotonic()
        self.readers.send(("connect", [("exchange", ports[0], f"book:{MARKET}"), ("bare", ports[1], None)]))
        connected = self.readers.recv()
        print(f"  connected in {time.monotonic() - started:.1f} s: {connected}")
        if set(connected.values()) != {SOCKETS}:
            raise SystemExit("not every reader could connect")
        self.tallies: list[dict[str, Any]] = []
        self.rates: dict[str, list[float]] = {"exchange": [], "bare": []}
        self.cpu: dict[str, list[float]] = {"exchange": [], "bare": []}

    def _spawn(self, context: Any, target: Any, *arguments: Any) -> None:
        process = context.Process(target=target, args=arguments, daemon=True)
        process.start()
        self.processes.append(process)

    def exchange(self) -> None:
        """The readers of the real process, while more is published than it can hand out one by one."""
        self.readers.send(("read", "exchange", SECONDS))
        self.readers.recv()
        before = cpu_seconds(self.web.pid)
        self.market.publish_for(SECONDS)
        seconds, _, tally = self.readers.recv()
        self.cpu["exchange"].append((cpu_seconds(self.web.pid) - before) / max(tally["messages"], 1) * 1e6)
        self.rates["exchange"].append(tally["messages"] / seconds)
        self.tallies.append(tally)
        self._drain("exchange")

    def broadcast(self) -> None:
        """As many readers of the bare server, and the same bytes."""
        self.readers.send(("recorded", "exchange"))
        bodies = self.readers.recv()
        self.readers.send(("read", "bare", SECONDS))
        self.readers.recv()
        self.bare.send((SECONDS, bodies))
        seconds, _, tally = self.readers.recv()
        readers, rounds, cpu = self.bare.recv()
        if readers != SOCKETS:
            raise SystemExit(f"the bare server has {readers} readers")
        arrived = (
            tally["messages"] + tally["repeats"] + tally["silent_gaps"]
        )  # it begins again where the recording ends
        self.rates["bare"].append(arrived / seconds)
        self.cpu["bare"].append(cpu / max(rounds * readers, 1) * 1e6)
        self._drain("bare")

    def _drain(self, name: str) -> None:
        """What is still on its way, so that the next turn begins with nothing under way; holes count here too."""
        self.readers.send(("read", name, 0.5))
        self.readers.recv()
        _, _, tally = self.readers.recv()
        if name == "exchange":
            self.tallies.append(tally)

    def forget(self) -> None:
        """What was measured so far does not count; holes do."""
        for tally in self.tallies:
            if tally["silent_gaps"]:
                raise SystemExit("a hole that nobody told of")
        self.tallies = []
        for figures in (self.rates, self.cpu):
            figures["exchange"] = []

    def close(self) -> None:
        self.web.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.terminate()
        try:
            self.web.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.web.kill()


def main() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = SOCKETS * 2 + 1_000
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise SystemExit(f"this machine allows {hard} open files a process, {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    os.environ.update(DJANGO_SETTINGS_MODULE="config.settings.dev", LOG_LEVEL="WARNING", BOURSE_DEMO="0")
    ground.prepare(DATABASE)
    run = Run()
    try:
        run.exchange()  # warm, and a recording for the other
        run.forget()
        for number in range(ROUNDS):  # each goes first in turn, so that a busy neighbour meets both alike
            for turn in (run.exchange, run.broadcast)[:: -1 if number % 2 else 1]:
                turn()
    finally:
        run.close()
    delays = array("f")
    for tally in run.tallies:
        delays.frombytes(tally["delays"])
    ordered = sorted(delays)
    rates = {name: statistics.median(values) for name, values in run.rates.items()}
    total = {name: sum(tally[name] for tally in run.tallies) for name in run.tallies[0] if name != "delays"}
    for name in ("exchange", "bare"):
        shown = ", ".join(f"{rate:,.0f}" for rate in run.rates[name])
        print(f"  {name:8} {shown} messages/s; CPU of the server {statistics.median(run.cpu[name]):.2f} µs a message")
    print(f"  {UPDATES_PER_S} updates/s published; of each reader's: {total}")
    print(
        f"  delay p50 {ordered[len(ordered) // 2] * 1e3:.0f} ms, p99 {ordered[len(ordered) * 99 // 100] * 1e3:.0f} ms"
    )
    if total["silent_gaps"]:
        raise SystemExit(f"{total['silent_gaps']} holes that nobody told of")
    if total["gaps_announced"] or total["repeats"]:
        raise SystemExit("a reader was started over, or was told something twice: nothing here should cause that")
    figures = {
        "messages_per_s": round(rates["exchange"]),
        "ratio_to_broadcast": round(rates["exchange"] / rates["bare"], 2),
        "p99_delay_ms": round(ordered[len(ordered) * 99 // 100] * 1e3),
        "conflated": total["conflated"],
        "silent_gaps": total["silent_gaps"],
    }
    print(json.dumps({"bench": "fanout", "figures": figures}))


if __name__ == "__main__":
    main()
