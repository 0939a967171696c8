"""A connection's way out: everything in its order, whether the reader is quick, slow or gone."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from trading.marketdata.mailbox import MERGED_ITEMS_MAX, encode
from trading.marketdata.outgoing import LINE, Outgoing

BOOK = "book:BTC-USDT"


class Line:
    """As config.lines has it, over nothing."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.free = asyncio.Event()
        self.free.set()
        self.ended = False

    def write(self, frame: bytes) -> bool:
        if not self.free.is_set() or self.ended:
            return False
        self.frames.append(orjson.loads(frame[{126: 4, 127: 10}.get(frame[1], 2) :]))
        return True

    async def writable(self) -> bool:
        await self.free.wait()
        return not self.ended


class Connection:
    """What the socket does with an Outgoing."""

    def __init__(self, *, lined: bool = True) -> None:
        self.line = Line()
        self.sent: list[dict[str, Any]] = []
        self.failures = 0
        scope = {"extensions": {LINE: self.line}} if lined else {}
        self.out = Outgoing(scope=scope, send=self.send, settle=self.settle, failed=self.failed)
        self.out.start()

    async def send(self, message: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        self.sent.append(orjson.loads(message["text"]))

    async def settle(self, channel: str) -> None:
        await self.out.say(encode(channel, "gap", {"reason": "slow_reader"}).text)
        self.out.mailbox.put(encode(channel, "snapshot", {"u": 9_999}))

    async def failed(self) -> None:
        self.failures += 1

    def update(self, u: int, price: str = "10") -> None:
        data = {"market": "BTC-USDT", "U": u, "u": u, "time": "t", "bids": [[price, str(u)]], "asks": []}
        self.out.mailbox.put(encode(BOOK, "update", data))


async def turns(number: int = 20) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


@pytest.mark.parametrize("lined", [True, False])
async def test_a_quick_reader_gets_every_message_in_its_order(lined: bool) -> None:
    connection = Connection(lined=lined)
    for u in range(1, 11):
        connection.update(u)
    assert len(connection.line.frames) == (10 if lined else 0)  # with a line, before anybody had to wake
    await turns(60)
    seen = connection.line.frames if lined else connection.sent
    assert [message["data"]["u"] for message in seen] == list(range(1, 11))
    connection.out.stop()


async def test_a_reader_who_was_slow_gets_what_he_missed_in_fewer_messages() -> None:
    connection = Connection()
    connection.update(1)
    connection.line.free.clear()
    for u in range(2, 200):
        connection.update(u)
    connection.out.mailbox.reply("{}")
    await turns()
    assert len(connection.line.frames) == 1
    connection.line.free.set()
    await turns()
    connection.update(200)
    ranges = [(m["data"]["U"], m["data"]["u"]) for m in connection.line.frames if "data" in m]
    assert ranges == [(1, 1), (2, 199), (200, 200)]
    assert {} in connection.line.frames
    connection.out.stop()


async def test_a_reader_who_was_too_slow_is_told_and_starts_over() -> None:
    connection = Connection()
    connection.line.free.clear()
    for u in range(1, MERGED_ITEMS_MAX + 50):
        connection.update(u, price=str(u))
    connection.line.free.set()
    await turns()
    connection.update(10_000)
    assert [message["type"] for message in connection.line.frames] == ["gap", "snapshot", "update"]
    connection.out.stop()


async def test_while_it_is_paused_nothing_leaves_and_then_answers_go_first() -> None:
    connection = Connection()
    connection.out.paused = True
    connection.update(1)
    connection.out.mailbox.reply('{"type":"subscribed"}')
    await turns()
    assert connection.line.frames == []
    connection.out.paused = False
    await turns()
    assert [message["type"] for message in connection.line.frames] == ["subscribed", "update"]
    connection.out.stop()


async def test_a_reader_who_has_gone_is_no_fault() -> None:
    connection = Connection()
    connection.line.free.clear()
    connection.update(1)
    await turns()
    connection.line.ended = True
    connection.line.free.set()
    await turns()
    assert (connection.line.frames, connection.failures) == ([], 0)
    connection.out.stop()


async def test_what_cannot_be_served_ends_the_connection() -> None:
    connection = Connection()

    async def broken(channel: str) -> None:
        raise RuntimeError("no database")

    connection.out._settle = broken
    connection.out.mailbox.owe(BOOK)
    await turns()
    assert connection.failures == 1
    connection.out.stop()
