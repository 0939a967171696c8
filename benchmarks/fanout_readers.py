"""Thousands of readers of one channel in one process: real sockets, each message's sequence checked, each delay measured.

The same code reads from the exchange and from the bare server that broadcasts the same bytes. Bytes that were seen before are
not parsed again (every reader is sent the same ones), so that it is the server that is measured.
What must never happen here: a message counted that did not arrive whole, or a hole that is not.
"""

from __future__ import annotations

import base64
import gc
import os
import select
import socket
import struct
import time
from array import array
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import orjson

WAVE = 200  # sockets that connect at the same time
PER_ADDRESS = 90  # an address may have 100 connections; the readers come from many, 127.0.1.1 and on
RECEIVE_BYTES = 1 << 18
CONNECT_S = 60


@dataclass
class Tally:
    """What arrived in one stretch of measuring."""

    messages: int = 0
    conflated: int = 0  # updates that came inside another one
    silent_gaps: int = 0
    repeats: int = 0
    gaps_announced: int = 0
    delays: array[float] = field(default_factory=lambda: array("f"))


class Reader:
    """One socket: what is left of a frame, and the sequence it stands at."""

    __slots__ = ("rest", "socket", "u")

    def __init__(self, number: int, port: int) -> None:
        self.socket = socket.socket()
        self.socket.bind((f"127.0.{1 + number // PER_ADDRESS // 250}.{1 + number // PER_ADDRESS % 250}", 0))
        self.socket.connect(("127.0.0.1", port))
        self.rest = b""
        self.u: int | None = None


def masked(payload: bytes, opcode: int = 1) -> bytes:
    """A short frame as a client sends it."""
    mask = os.urandom(4)
    return (
        struct.pack("!BB", 0x80 | opcode, 0x80 | len(payload))
        + mask
        + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
    )


def frames(data: bytes) -> tuple[list[bytes], bytes]:
    """Whole frames with their heads, and what is left."""
    found, at = [], 0
    while len(data) - at >= 2:
        length, head = data[at + 1] & 0x7F, 2
        if length == 126:
            length, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
        elif length == 127:
            length, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
        if len(data) < at + head + length or (head > 2 and len(data) < at + head):
            break
        found.append(data[at : at + head + length])
        at += head + length
    return found, data[at:]


def body(frame: bytes) -> bytes:
    return frame[{126: 4, 127: 10}.get(frame[1] & 0x7F, 2) :]


class Readers:
    """All readers of one server."""

    def __init__(self, *, port: int, channel: str | None, published: Any) -> None:
        self._port, self._channel = port, channel
        self._published = published  # when each sequence number was published, in seconds of the monotonic clock
        self._known: dict[bytes, tuple[str, int, int, float]] = {}
        self._epoll = select.epoll()
        self._readers: dict[int, Reader] = {}
        self.tally = Tally()
        self.recorded: list[bytes] = []  # the bodies of updates, each once, in their order

    def __len__(self) -> int:
        return len(self._readers)

    def knock(self, numbers: range) -> list[Reader]:
        """Ask the server for these connections, all at once."""
        wave = [Reader(number, self._port) for number in numbers]
        for reader in wave:
            key = base64.b64encode(os.urandom(16)).decode()
            reader.socket.settimeout(CONNECT_S)
            reader.socket.sendall(
                f"GET /ws/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
        return wave

    def enter(self, wave: list[Reader]) -> None:
        """Read what it answered, and subscribe."""
        for reader in wave:
            data = b""
            while b"\r\n\r\n" not in data:
                data += self._received(reader)
            answer, _, reader.rest = data.partition(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 101"):
                raise SystemExit(f"no websocket: {answer[:200]!r}")
            if self._channel is not None:
                reader.socket.sendall(masked(orjson.dumps({"op": "subscribe", "channels": [self._channel]})))
        for reader in wave:
            while self._channel is not None and reader.u is None:
                whole, reader.rest = frames(reader.rest)
                for frame in whole:
                    self._take(reader, frame, time.monotonic())
                if reader.u is None:
                    reader.rest += self._received(reader)
            reader.socket.setblocking(False)
            self._readers[reader.socket.fileno()] = reader
            self._epoll.register(reader.socket.fileno(), select.EPOLLIN)

    @staticmethod
    def _received(reader: Reader) -> bytes:
        data = reader.socket.recv(RECEIVE_BYTES)
        if not data:
            raise SystemExit("the server closed a connection")
        return data

    def read_until(self, stop: float) -> None:
        """Read whatever comes until then, but once at the least."""
        poll, readers, known, clock = self._epoll.poll, self._readers, self._known, time.monotonic
        more = True
        while more:
            for fd, _ in poll(0.05 if clock() < stop else 0.0, 512):
                reader = readers[fd]
                try:
                    data = reader.socket.recv(RECEIVE_BYTES)
                except BlockingIOError:
                    continue
                if not data:
                    raise SystemExit("the server closed a connection")
                now = clock()
                if not reader.rest and data in known:
                    self._count(reader, *known[data], now)
                    continue
                whole, reader.rest = frames(reader.rest + data)
                for frame in whole:
                    self._take(reader, frame, now)
            more = clock() < stop

    def _take(self, reader: Reader, frame: bytes, now: float) -> None:
        found = self._known.get(frame)
        if found is None:
            if frame[0] & 0x0F == 9:
                reader.socket.send(masked(body(frame), opcode=10))
                return
            if frame[0] & 0x0F != 1:
                return
            message = orjson.loads(body(frame))
            if message.get("channel") is None:
                if "error" in message:
                    raise SystemExit(f"refused: {message}")
                return
            data = message["data"]
            first = data.get("U", 0)
            found = self._known[frame] = (
                message["type"],
                first,
                data.get("u", 0),
                self._published[first % len(self._published)],
            )
            if message["type"] == "update":
                self.recorded.append(body(frame))
        self._count(reader, *found, now)

    def _count(self, reader: Reader, type: str, first: int, last: int, published: float, now: float) -> None:
        tally = self.tally
        if type == "update":
            u = reader.u
            if u is not None:
                if first == u + 1:
                    tally.messages += 1
                    tally.conflated += last - first
                    tally.delays.append(now - published)
                elif last <= u:
                    tally.repeats += 1
                else:
                    tally.silent_gaps += 1
            reader.u = last
        elif type == "snapshot":
            reader.u = last
        else:
            tally.gaps_announced += 1
            reader.u = None


def run(control: Connection, published: Any, count: int) -> None:
    """The process: connects when told to, measures when told to, answers with what it saw."""
    gc.disable()
    groups: dict[str, Readers] = {}
    while True:
        order = control.recv()
        if order[0] == "connect":
            for name, port, channel in order[1]:
                groups[name] = Readers(port=port, channel=channel, published=published)
            for start in range(0, count, WAVE):
                numbers = range(start, min(start + WAVE, count))
                for group, wave in [(group, group.knock(numbers)) for group in groups.values()]:
                    group.enter(wave)
                for group in groups.values():
                    group.read_until(0.0)  # a server closes a connection that answers no ping for long
            control.send({name: len(group) for name, group in groups.items()})
        elif order[0] == "read":
            _, name, seconds = order
            group = groups[name]
            group.tally, before = Tally(), time.process_time()
            started = time.monotonic()
            control.send("reading")
            group.read_until(started + seconds)
            seconds = time.monotonic() - started
            tally = group.tally
            control.send((seconds, time.process_time() - before, vars(tally) | {"delays": tally.delays.tobytes()}))
        elif order[0] == "recorded":
            control.send(groups[order[1]].recorded)
        else:
            return
