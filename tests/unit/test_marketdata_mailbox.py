"""A slow reader gets less, and never something wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trading.marketdata import mailbox as module
from trading.marketdata.mailbox import MERGED_ITEMS_MAX, QUEUE_MAX, REPLIES_MAX, Mailbox, Owed, encode, framed

BOOK = "book:BTC-USDT"


def book_update(u: int, price: str = "10", quantity: str | None = None) -> module.Message:
    data = {"market": "BTC-USDT", "U": u, "u": u, "time": f"t{u}", "bids": [[price, quantity or str(u)]], "asks": []}
    return encode(BOOK, "update", data)


def drained(mailbox: Mailbox) -> list[Any]:
    found = []
    while (item := mailbox.take()) is not None:
        found.append(item if isinstance(item, Owed) else json.loads(item.text))
    return found


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox(wake=lambda: None)


def test_a_reader_who_keeps_up_gets_the_very_text_that_was_encoded_once(mailbox: Mailbox) -> None:
    messages = [book_update(u) for u in range(1, QUEUE_MAX + 1)]
    for message in messages:
        mailbox.put(message)
    for message in messages:
        assert mailbox.take() is message
    assert mailbox.take() is None


def test_a_slow_reader_of_a_book_gets_one_update_that_covers_all_he_missed(mailbox: Mailbox) -> None:
    for u in range(1, 1001):
        mailbox.put(book_update(u, price=str(u % 3)))
    (only,) = drained(mailbox)
    assert (only["type"], only["data"]["U"], only["data"]["u"], only["data"]["time"]) == ("update", 1, 1000, "t1000")
    assert dict(only["data"]["bids"]) == {"0": "999", "1": "1000", "2": "998"}


def test_merged_updates_follow_what_was_sent_before_without_a_hole(mailbox: Mailbox) -> None:
    seen = []
    for u in range(1, 200):
        mailbox.put(book_update(u))
        if u % 40 == 0:
            seen.append(json.loads(mailbox.take().text))
    seen += drained(mailbox)
    reach = 0
    for message in seen:
        assert message["data"]["U"] == reach + 1
        reach = message["data"]["u"]
    assert reach == 199


def test_a_book_that_outgrows_the_bound_is_owed_as_a_snapshot(mailbox: Mailbox) -> None:
    for u in range(1, MERGED_ITEMS_MAX + 50):
        mailbox.put(book_update(u, price=str(u)))
    assert drained(mailbox) == [Owed(BOOK)]
    mailbox.put(encode(BOOK, "snapshot", {"u": 5000}))
    assert [item["type"] for item in drained(mailbox)] == ["snapshot"]


def test_memory_stays_bounded_however_much_is_put(mailbox: Mailbox) -> None:
    for u in range(1, 20_000):
        mailbox.put(book_update(u, price=str(u % 700)))
    waiting = mailbox._channels[BOOK]
    assert len(waiting.queue) <= QUEUE_MAX * 2
    assert sum(len(update["bids"]) for update in waiting.merged) <= MERGED_ITEMS_MAX


def test_a_snapshot_replaces_what_waited_but_not_the_notice_of_the_gap(mailbox: Mailbox) -> None:
    mailbox.put(book_update(1))
    mailbox.put(encode(BOOK, "gap", {"reason": "feed"}))
    mailbox.put(book_update(2))
    mailbox.put(encode(BOOK, "snapshot", {"u": 9}))
    mailbox.put(book_update(10))
    assert [item["type"] for item in drained(mailbox)] == ["gap", "snapshot", "update"]


def test_no_trade_is_lost_by_merging(mailbox: Mailbox) -> None:
    for number in range(200):
        mailbox.put(encode("trades:BTC-USDT", "update", {"market": "BTC-USDT", "trades": [{"id": number}]}))
    ids = [trade["id"] for item in drained(mailbox) for trade in item["data"]["trades"]]
    assert ids == list(range(200))


def test_of_an_order_the_last_state_counts(mailbox: Mailbox) -> None:
    for number in range(100):
        mailbox.put(encode("orders", "update", {"orders": [{"id": number % 2, "filled_quantity": str(number)}]}))
    (only,) = drained(mailbox)
    assert {order["id"]: order["filled_quantity"] for order in only["data"]["orders"]} == {0: "98", 1: "99"}


def test_a_ticker_that_waits_is_replaced(mailbox: Mailbox) -> None:
    for number in range(50):
        mailbox.put(encode("ticker:BTC-USDT", "update", {"market": "BTC-USDT", "last": str(number)}))
    assert drained(mailbox)[-1]["data"]["last"] == "49"


def test_answers_go_before_channels_and_channels_take_turns(mailbox: Mailbox) -> None:
    mailbox.put(book_update(1))
    mailbox.put(book_update(2))
    mailbox.put(encode("tickers", "update", {"tickers": []}))
    mailbox.reply('{"type":"pong"}')
    kinds = [item.get("channel", item["type"]) for item in drained(mailbox)]
    assert kinds == ["pong", BOOK, "tickers", BOOK]


def test_what_arrives_while_a_snapshot_is_read_goes_out_after_it(mailbox: Mailbox) -> None:
    mailbox.hold("orders")
    mailbox.put(encode("orders", "update", {"orders": [{"id": 1, "state": "filled"}]}))
    assert mailbox.take() is None
    mailbox.release(encode("orders", "snapshot", {"orders": [{"id": 1, "state": "open"}]}))
    assert [item["type"] for item in drained(mailbox)] == ["snapshot", "update"]


def test_a_held_channel_does_not_hold_the_others_up(mailbox: Mailbox) -> None:
    mailbox.hold("orders")
    mailbox.put(encode("orders", "update", {"orders": [{"id": 1}]}))
    mailbox.put(book_update(1))
    assert [item["channel"] for item in drained(mailbox)] == [BOOK]


def test_a_held_channel_that_overflows_is_owed_again_after_its_snapshot(mailbox: Mailbox) -> None:
    mailbox.hold("orders")
    for number in range(MERGED_ITEMS_MAX + QUEUE_MAX + 2):
        mailbox.put(encode("orders", "update", {"orders": [{"id": number}]}))
    mailbox.release(encode("orders", "snapshot", {"orders": []}))
    first, second = drained(mailbox)
    assert (first["type"], second) == ("snapshot", Owed("orders"))


def test_answers_are_bounded_too(mailbox: Mailbox) -> None:
    assert all(mailbox.reply("{}") for _ in range(REPLIES_MAX))
    assert not mailbox.reply("{}")


def test_what_was_unsubscribed_is_not_sent(mailbox: Mailbox) -> None:
    mailbox.put(book_update(1))
    mailbox.forget(BOOK)
    assert drained(mailbox) == []


@pytest.mark.parametrize("channel", ["bbo:BTC-USDT", "market:BTC-USDT"])
def test_of_what_is_told_whole_the_last_one_counts(mailbox: Mailbox, channel: str) -> None:
    for number in range(50):
        mailbox.put(encode(channel, "update", {"market": "BTC-USDT", "u": number}))
    assert drained(mailbox)[-1]["data"]["u"] == 49


def test_best_levels_that_wait_are_replaced_not_merged(mailbox: Mailbox) -> None:
    for number in range(50):
        data = {"market": "BTC-USDT", "depth": 5, "u": number, "bids": [[str(number), "1"]], "asks": []}
        mailbox.put(encode("book:BTC-USDT:5", "update", data))
    assert drained(mailbox)[-1]["data"]["bids"] == [["49", "1"]]


class Line:
    """A reader's line that takes frames while it is asked to."""

    def __init__(self) -> None:
        self.open, self.frames = True, list[bytes]()

    def write(self, frame: bytes) -> bool:
        if self.open:
            self.frames.append(frame)
        return self.open


def test_a_reader_who_keeps_up_is_written_to_at_once() -> None:
    line, woken = Line(), []
    mailbox = Mailbox(wake=lambda: woken.append(1), direct=line.write)
    message = book_update(1)
    mailbox.put(message)
    assert line.frames == [message.frame]
    assert (mailbox.take(), woken) == (None, [])


def test_an_answer_goes_onto_the_line_at_once_even_past_channels_that_wait() -> None:
    line = Line()
    mailbox = Mailbox(wake=lambda: None, direct=line.write)
    mailbox.hold("orders")
    assert mailbox.reply(b'{"type":"pong"}')
    assert line.frames == [framed(b'{"type":"pong"}')]


def test_nothing_overtakes_what_waits() -> None:
    line = Line()
    mailbox = Mailbox(wake=lambda: None, direct=line.write)
    line.open = False
    mailbox.put(book_update(1))
    line.open = True
    mailbox.put(book_update(2))
    mailbox.put(encode("tickers", "update", {"tickers": []}))
    assert line.frames == []
    assert [item["data"].get("u") for item in drained(mailbox)] == [1, None, 2]
    mailbox.put(book_update(3))
    assert len(line.frames) == 1


@pytest.mark.parametrize("reason", ["paused", "answer", "held"])
def test_the_line_is_left_alone_while_something_stands_before(reason: str) -> None:
    line = Line()
    mailbox = Mailbox(wake=lambda: None, direct=line.write)
    if reason == "paused":
        mailbox.paused = True
    elif reason == "answer":
        line.open = False
        mailbox.reply("{}")
        line.open = True
    else:
        mailbox.hold(BOOK)
    mailbox.put(book_update(1))
    assert line.frames == []
    if reason == "paused":
        assert mailbox.take() is None
        mailbox.paused = False
        assert [item["type"] for item in drained(mailbox)] == ["update"]


def test_between_the_notice_of_a_gap_and_the_snapshot_nothing_goes_out() -> None:
    line = Line()
    mailbox = Mailbox(wake=lambda: None, direct=line.write)
    mailbox.owe(BOOK)
    assert mailbox.take() == Owed(BOOK)
    mailbox.put(book_update(8))
    assert (line.frames, mailbox.take()) == ([], None)
    mailbox.put(encode(BOOK, "snapshot", {"u": 9}))
    mailbox.put(book_update(10))
    assert [item["type"] for item in drained(mailbox)] == ["snapshot", "update"]


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536, 100_000])
def test_a_frame_is_what_a_client_reads(length: int) -> None:
    from websockets.frames import Opcode
    from websockets.protocol import CLIENT, OPEN, Protocol

    client = Protocol(CLIENT, state=OPEN, max_size=None)
    client.receive_data(framed(b"x" * length) + framed(b"{}"))
    frames = [(frame.opcode, frame.fin, bytes(frame.data)) for frame in client.events_received()]
    assert frames == [(Opcode.TEXT, True, b"x" * length), (Opcode.TEXT, True, b"{}")]
