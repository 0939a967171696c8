"""The best levels of a book, shown whole: when they changed, not more often than ten times a second, and to all the same."""

from __future__ import annotations

import asyncio
from typing import Any

from trading.marketdata.channels import Channel
from trading.marketdata.depths import PAUSE_S, Depths

FIVE = Channel("book", "BTC-USDT", "5")


class Market:
    """Levels that the test sets, and what was told of them."""

    def __init__(self) -> None:
        self.levels: list[list[str]] | None = [["1", "1"]]
        self.told: list[tuple[str, Any]] = []
        self.depths = Depths(look=self.look, tell=lambda name, data: self.told.append((name, data["bids"])))

    def look(self, channel: Channel) -> dict[str, Any] | None:
        return {"bids": self.levels, "asks": []} if self.levels is not None else None

    def change(self, levels: list[list[str]] | None) -> None:
        self.levels = levels
        self.depths.changed("BTC-USDT")


async def test_a_change_is_told_at_once_and_the_next_ones_together() -> None:
    market = Market()
    market.depths.state(FIVE)
    for number in range(2, 50):
        market.change([["1", str(number)]])
    assert market.told == [("book:BTC-USDT:5", [["1", "2"]])]
    await asyncio.sleep(PAUSE_S * 1.5)
    assert market.told == [("book:BTC-USDT:5", [["1", "2"]]), ("book:BTC-USDT:5", [["1", "49"]])]


async def test_what_changed_deeper_than_shown_is_not_told() -> None:
    market = Market()
    market.depths.state(FIVE)
    market.change([["1", "1"]])
    assert market.told == []


async def test_a_reader_who_comes_between_two_messages_has_what_the_next_is_compared_with() -> None:
    market = Market()
    market.depths.state(FIVE)
    market.change([["1", "2"]])  # told
    market.change([["1", "3"]])  # waits
    late = market.depths.state(FIVE)
    assert late is not None
    assert late["bids"] == [["1", "2"]]
    market.change([["1", "2"]])  # back to what everybody has
    await asyncio.sleep(PAUSE_S * 1.5)
    assert len(market.told) == 1


async def test_after_the_book_was_lost_it_starts_over() -> None:
    market = Market()
    market.depths.state(FIVE)
    market.depths.start_over("BTC-USDT")
    market.levels = None
    assert market.depths.state(FIVE) is None
    market.change([["1", "9"]])
    assert market.told == []  # a snapshot comes first
    shown = market.depths.state(FIVE)
    assert shown is not None
    assert shown["bids"] == [["1", "9"]]


async def test_nobody_is_told_of_a_channel_that_nobody_reads() -> None:
    market = Market()
    market.depths.state(FIVE)
    market.depths.forget(FIVE)
    market.change([["1", "9"]])
    assert market.told == []
