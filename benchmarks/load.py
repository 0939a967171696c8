"""The load of `benchmarks.http`: a process of its own that writes prepared bytes and counts answers, so that it costs little.

Reads one JSON object from its standard input: `kind` ("http" or "websocket"), `port`, `path`, `seconds`, `warm_up_s`,
`connections`, `in_flight` (websocket only), `tokens` and `orders` (the bodies to send, in turn). Writes one JSON object:
answers, refusals, latencies in milliseconds.
What must never happen here: an answer that is not a success counted as one.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import uvloop

Bodies = Iterator[bytes]


class Tally:
    """What came back, and when."""

    def __init__(self) -> None:
        self.latencies_s: list[float] = []
        self.refused: Counter[str] = Counter()
        self.answers = 0
        self.counting = False
        self.stopping = False
        self.open = 0

    def answered(self, sent_at: float, refusal: str | None) -> None:
        self.answers += 1
        if not self.counting:
            return
        if refusal is None:
            self.latencies_s.append(time.perf_counter() - sent_at)
        else:
            self.refused[refusal] += 1


class HttpClient(asyncio.Protocol):
    """One kept-alive connection: a request, its answer, the next request."""

    def __init__(self, tally: Tally, head: bytes, bodies: Bodies) -> None:
        self.tally, self.head, self.bodies = tally, head, bodies
        self.received = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.tally.open += 1
        self._send()

    def _send(self) -> None:
        body = next(self.bodies)
        self.sent_at = time.perf_counter()
        self.transport.write(b"%bContent-Length: %d\r\n\r\n%b" % (self.head, len(body), body))

    def data_received(self, data: bytes) -> None:
        self.received += data
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.received[: end + 2].lower()
        at = head.index(b"content-length:") + 15
        length = int(head[at : head.index(b"\r", at)])
        if len(self.received) < end + 4 + length:
            return
        status = int(head[9:12])
        self.tally.answered(
            self.sent_at, None if status in (200, 201) else f"{status} {self.received[end + 4 :][:120]!r}"
        )
        self.received = self.received[end + 4 + length :]
        if self.tally.stopping:
            self.transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.tally.open -= 1
        if not self.tally.stopping:
            self.tally.refused["connection lost"] += 1


class WebsocketClient(asyncio.Protocol):
    """One connection with several commands in flight. Frames are masked with zeros, which leaves prepared bytes as they are."""

    def __init__(self, tally: Tally, handshake: bytes, bodies: Bodies, in_flight: int) -> None:
        self.tally, self.handshake, self.bodies, self.in_flight = tally, handshake, bodies, in_flight
        self.received, self.ready = b"", False
        self.sent_at: dict[int, float] = {}
        self.number = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.tally.open += 1
        transport.write(self.handshake)

    def _send(self) -> None:
        self.number += 1
        text = b'{"op":"place","id":%d,%b' % (self.number, next(self.bodies)[1:])
        self.sent_at[self.number] = time.perf_counter()
        length = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
        self.transport.write(b"\x81" + length + b"\0\0\0\0" + text)

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.ready:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return
            assert self.received.startswith(b"HTTP/1.1 101"), self.received
            self.received, self.ready = self.received[end + 4 :], True
        while (frame := self._frame()) is not None:
            self._take(orjson.loads(frame))

    def _frame(self) -> bytes | None:
        held = self.received
        if len(held) < 2:
            return None
        length, start = held[1], 2
        if length == 126:
            length, start = int.from_bytes(held[2:4], "big"), 4
        elif length == 127:
            length, start = int.from_bytes(held[2:10], "big"), 10
        if len(held) < start + length:
            return None
        self.received = held[start + length :]
        return held[start : start + length]

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("type") == "hello":
            assert message["authenticated"], message
            for _ in range(self.in_flight):
                self._send()
            return
        refusal = json.dumps(message["error"])[:120] if "error" in message else None
        self.tally.answered(self.sent_at.pop(message["id"], 0.0), refusal)
        if not self.tally.stopping:
            self._send()
        elif not self.sent_at:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.tally.open -= 1
        if not self.tally.stopping:
            self.tally.refused["connection lost"] += 1


def client(told: dict[str, Any], tally: Tally, bodies: Bodies, number: int) -> Callable[[], asyncio.Protocol]:
    token = told["tokens"][number % len(told["tokens"])] if told["tokens"] else ""
    host = f"127.0.0.1:{told['port']}"
    if told["kind"] == "http":
        head = (
            f"POST {told['path']} HTTP/1.1\r\nHost: {host}\r\nX-Session-Token: {token}\r\n"
            "Content-Type: application/json\r\n"
        )
        return lambda: HttpClient(tally, head.encode(), bodies)
    handshake = (
        f"GET {told['path']} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nX-Session-Token: {token}\r\n\r\n"
    )
    return lambda: WebsocketClient(tally, handshake.encode(), bodies, told["in_flight"])


async def run(told: dict[str, Any]) -> dict[str, Any]:
    """Warm up, count for `seconds`, let what is in flight come back."""
    tally, cpu_s = Tally(), time.process_time()
    made = iter(str(order).encode() for order in told["orders"])
    for number in range(told["connections"]):
        await asyncio.get_running_loop().create_connection(client(told, tally, made, number), "127.0.0.1", told["port"])
    await asyncio.sleep(told["warm_up_s"])
    started, tally.counting = time.perf_counter(), True
    await asyncio.sleep(told["seconds"])
    tally.counting, tally.stopping = False, True
    seconds = time.perf_counter() - started
    for _ in range(100):
        if not tally.open:
            break
        await asyncio.sleep(0.05)
    took = sorted(tally.latencies_s)
    return {
        "answers": len(took),
        "all_answers": max(1, tally.answers),
        "cpu_s": time.process_time() - cpu_s,
        "per_s": len(took) / seconds,
        "p50_ms": 1000 * took[len(took) // 2] if took else None,
        "p99_ms": 1000 * took[len(took) * 99 // 100] if took else None,
        "refused": dict(tally.refused.most_common(5)),
        "cut_off": tally.open,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.loads(sys.stdin.buffer.read())))))
