"""The load of `benchmarks.auth`: prepared requests, each written once, and their answers counted.

Reads one JSON object from its standard input: `port`, `seconds`, `warm_up_s`, `connections`, and `requests` (in latin-1, whole).
Writes what `benchmarks.load` writes. What must never happen here: a signed request written twice, for it would be refused.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import uvloop

from benchmarks.load import HttpClient, Tally


class Client(HttpClient):
    """A kept-alive connection that writes requests as they were prepared."""

    def _send(self) -> None:
        prepared = next(self.bodies, None)
        if prepared is None:
            self.tally.refused["nothing left to send"] += 1
            self.transport.close()
            return
        self.sent_at = time.perf_counter()
        self.transport.write(prepared)


async def run(told: dict[str, Any]) -> dict[str, Any]:
    """Warm up, count for `seconds`, let what is in flight come back."""
    tally = Tally()
    prepared: Iterator[bytes] = iter(text.encode("latin1") for text in told["requests"])
    for _ in range(told["connections"]):
        await asyncio.get_running_loop().create_connection(
            lambda: Client(tally, b"", prepared), "127.0.0.1", told["port"]
        )
    await asyncio.sleep(told["warm_up_s"])
    started, tally.counting = time.perf_counter(), True
    await asyncio.sleep(told["seconds"])
    tally.counting, tally.stopping = False, True
    seconds = time.perf_counter() - started
    for _ in range(200):
        if not tally.open:
            break
        await asyncio.sleep(0.05)
    took = sorted(tally.latencies_s)
    return {
        "answers": len(took),
        "per_s": len(took) / seconds,
        "p50_ms": 1000 * took[len(took) // 2] if took else None,
        "p99_ms": 1000 * took[len(took) * 99 // 100] if took else None,
        "refused": dict(tally.refused.most_common(5)),
        "cut_off": tally.open,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.loads(sys.stdin.buffer.read())))))
