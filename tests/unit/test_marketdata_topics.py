"""A channel with many readers: whoever comes, goes or falls behind, each sees one sequence without a hole or a double."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import orjson
import pytest

from trading.marketdata import topics as module
from trading.marketdata.channels import Channel, parse
from trading.marketdata.mailbox import Mailbox, Owed
from trading.marketdata.metrics import CONFLATED
from trading.marketdata.streams import Stream
from trading.marketdata.topics import Topic

BOOK = "book:BTC-USDT"


def read_frame(frame: bytes) -> dict[str, Any]:
    return dict(orjson.loads(frame[{126: 4, 127: 10}.get(frame[1], 2) :]))


class Source:
    """A market that changes at random, and the topics that tell of it."""

    def __init__(self, seed: int, *names: str) -> None:
        self.rng = random.Random(seed)
        self.stream = Stream("BTC-USDT")
        self.stream.restore_book({"u": 0, "bids": [], "asks": []})
        self.stream.restore_trades([])
        self.tasks: set[asyncio.Task[None]] = set()
        self.topics = {name: Topic(parse(name), state=self.state, spawn=self.spawn) for name in names}

    def state(self, channel: Channel) -> dict[str, Any] | None:
        return self.stream.snapshot(channel)

    def spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def change(self) -> None:
        u = (self.stream.book.u or 0) + 1
        price, quantity = str(self.rng.randint(1, 30)), str(self.rng.choice((0, 1, 2, 3)))
        trades = [{"id": u, "price": "1", "quantity": "1", "side": "buy", "time": "t"}]
        diff = {
            "market": "BTC-USDT",
            "U": u,
            "u": u,
            "time": "t",
            "bids": [[price, quantity]],
            "asks": [],
            "trades": trades,
        }
        _, updates = self.stream.take(diff)
        for name, data in updates:
            if name in self.topics:
                self.topics[name].update(data)

    def lose(self) -> None:
        """A hole in the feed, and the book read again."""
        u = self.stream.book.u or 0
        kept = {"u": u + 5, **self.stream.book.levels()}
        self.stream.lose()
        for topic in self.topics.values():
            topic.gap({"reason": "feed"})
        self.stream.restore_book(kept)
        self.stream.restore_trades([])
        for topic in self.topics.values():
            topic.start_over()


class Reader:
    """Keeps a book as docs/api.md tells a client to, and is now and then too slow."""

    def __init__(self, topic: Topic, *, slowness: float = 0.0, rng: random.Random | None = None) -> None:
        self.topic, self.slowness, self.rng = topic, slowness, rng or random.Random(0)
        self.mailbox = Mailbox(wake=lambda: None, direct=self._write)
        self.u: int | None = None
        self.levels: dict[str, str] = {}
        self.messages, self.gaps, self.updates = 0, 0, 0
        self.slow = False

    def _write(self, frame: bytes) -> bool:
        if self.slow:
            return False
        self.read(read_frame(frame))
        return True

    def turn(self) -> None:
        """Take what waits, unless this one is slow at the moment."""
        self.slow = self.rng.random() < self.slowness
        while not self.slow and (item := self.mailbox.take()) is not None:
            if isinstance(item, Owed):
                self.read({"type": "gap", "data": {"reason": "slow_reader"}})
                self.topic.restart(self.mailbox)
            else:
                self.read(orjson.loads(item.text))

    def read(self, message: dict[str, Any]) -> None:
        self.messages += 1
        data = message["data"]
        if message["type"] == "gap":
            self.gaps += 1
            self.u = None
        elif message["type"] == "snapshot":
            self.u, self.levels = data["u"], dict(data["bids"])
        elif self.u is not None:
            self.updates += 1
            assert data["U"] == self.u + 1, "a hole, or something told twice"
            self.u = data["u"]
            self.levels.update(data["bids"])
            self.levels = {price: quantity for price, quantity in self.levels.items() if quantity != "0"}


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 4)


async def settled(source: Source, readers: list[Reader]) -> None:
    for reader in readers:
        reader.slowness = 0.0
    for _ in range(300):
        await asyncio.sleep(0)
        for reader in readers:
            reader.turn()


@pytest.mark.parametrize("seed", range(12))
async def test_every_reader_sees_one_sequence(seed: int) -> None:
    source = Source(seed, BOOK)
    topic, rng = source.topics[BOOK], random.Random(seed)
    readers: list[Reader] = []
    gone: list[Reader] = []
    for _ in range(1_500):
        draw = rng.random()
        if draw < 0.55:
            source.change()
        elif draw < 0.7:
            await asyncio.sleep(0)
        elif draw < 0.78:
            readers.append(Reader(topic, slowness=rng.choice((0, 0, 0.5, 0.95)), rng=rng))
            topic.join(readers[-1].mailbox)
        elif draw < 0.82 and readers:
            gone.append(readers.pop(rng.randrange(len(readers))))
            topic.leave(gone[-1].mailbox)
            gone[-1].mailbox.forget(BOOK)
            gone[-1].messages = 0
        elif draw < 0.825:
            source.lose()
        elif readers:
            rng.choice(readers).turn()
    await settled(source, readers)
    truth = dict(source.stream.book.levels()["bids"])
    assert len(readers) > 4
    for reader in readers:
        assert (reader.u, reader.levels) == (source.stream.book.u, truth)
    assert all(reader.messages == 0 for reader in gone)
    assert sum(reader.updates for reader in readers) > 100


async def test_what_happens_during_a_round_is_one_message_for_all_and_counted() -> None:
    source = Source(1, BOOK)
    readers = [Reader(source.topics[BOOK]) for _ in range(20)]
    for reader in readers:
        source.topics[BOOK].join(reader.mailbox)
    before = CONFLATED.labels("process")._value.get()
    for _ in range(11):
        source.change()
    await settled(source, readers)
    assert {(reader.updates, reader.u) for reader in readers} == {(1, 11)} or {
        (reader.updates, reader.u) for reader in readers
    } == {(2, 11)}
    told = readers[0].updates
    assert CONFLATED.labels("process")._value.get() - before == (11 - told) * 20


async def test_few_readers_are_told_within_the_very_call() -> None:
    source = Source(1, BOOK)
    reader = Reader(source.topics[BOOK])
    source.topics[BOOK].join(reader.mailbox)
    source.change()
    assert reader.u == 1


async def test_a_topic_that_falls_behind_for_long_starts_over_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENDING_MAX", 30)
    source = Source(1, BOOK)
    readers = [Reader(source.topics[BOOK]) for _ in range(20)]
    for reader in readers:
        source.topics[BOOK].join(reader.mailbox)
    for _ in range(100):
        source.change()
    await settled(source, readers)
    assert all(reader.gaps >= 1 and reader.u == 100 for reader in readers)


async def test_updates_too_large_for_one_message_are_told_in_several() -> None:
    source = Source(1, "trades:BTC-USDT")
    topic = source.topics["trades:BTC-USDT"]
    seen: list[list[int]] = [[] for _ in range(20)]

    def take(frame: bytes, into: list[int]) -> bool:
        into.extend(trade["id"] for trade in read_frame(frame)["data"]["trades"])
        return True

    for into in seen:
        topic.join(Mailbox(wake=lambda: None, direct=lambda frame, into=into: take(frame, into)))
    rows = [{"id": number} for number in range(3_000)]
    for start in range(0, 3_000, 10):
        topic.update({"market": "BTC-USDT", "trades": rows[start : start + 10]})
    for _ in range(100):
        await asyncio.sleep(0)
    assert all(into == list(range(3_000)) for into in seen)


async def test_a_reader_who_left_hears_nothing_more_of_the_round_under_way() -> None:
    source = Source(1, BOOK)
    topic = source.topics[BOOK]
    readers = [Reader(topic) for _ in range(20)]
    for reader in readers:
        topic.join(reader.mailbox)
    source.change()
    await asyncio.sleep(0)  # the first slice
    last = readers[-1]
    topic.leave(last.mailbox)
    before = last.messages
    await settled(source, readers[:-1])
    assert last.messages == before
    assert all(reader.u == 1 for reader in readers[:-1])
