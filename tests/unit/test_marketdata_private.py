"""A customer's own news: whatever an engine that restarts publishes again is told once."""

from __future__ import annotations

from typing import Any

import pytest

from trading.marketdata import private, reading
from trading.marketdata.mailbox import Mailbox, Owed
from trading.marketdata.private import PrivateDesk

ANN = 7


class Feed:
    """Confirms at once."""

    async def subscribe(self, *channels: str) -> None: ...

    async def unsubscribe(self, channel: str) -> None: ...


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> PrivateDesk:
    async def read(_: Any, kind: str, user_id: int) -> dict[str, Any]:
        return {kind: []}

    monkeypatch.setattr(reading, "off_loop", read)
    return private.PrivateDesk(feed=Feed())  # type: ignore[arg-type]


async def reader_of(desk: PrivateDesk, *kinds: str) -> Mailbox:
    mailbox = Mailbox(wake=lambda: None)
    for kind in kinds:
        await desk.subscribe(kind, ANN, mailbox)
    taken(mailbox)
    return mailbox


def taken(mailbox: Mailbox) -> list[tuple[str, Any]]:
    found = []
    while (item := mailbox.take()) is not None:
        assert not isinstance(item, Owed)
        found.append((item.channel, item.data))
    return found


def order(seq: int, id: int, shard: int = 0, **more: Any) -> dict[str, Any]:
    return {"type": "order", "shard": shard, "seq": seq, "order": {"id": id, **more}}


def fill(seq: int, id: int, order_id: int) -> dict[str, Any]:
    return {"type": "fill", "shard": 0, "seq": seq, "fill": {"id": id, "order_id": order_id}}


async def test_a_batch_that_is_published_again_is_told_once(desk: PrivateDesk) -> None:
    mailbox = await reader_of(desk, "orders", "fills")
    batch = [order(5, 1), order(5, 2), fill(5, 9, 1), fill(5, 9, 2), fill(5, 10, 1)]
    for message in batch * 2:
        desk.take(ANN, message)
    told = taken(mailbox)
    assert sorted(row["id"] for channel, data in told if channel == "orders" for row in data["orders"]) == [1, 2]
    fills = [(row["id"], row["order_id"]) for channel, data in told if channel == "fills" for row in data["fills"]]
    assert sorted(fills) == [(9, 1), (9, 2), (10, 1)]


async def test_what_is_older_than_what_was_told_is_no_news_but_another_shard_counts_by_itself(
    desk: PrivateDesk,
) -> None:
    mailbox = await reader_of(desk, "orders")
    for message in (order(5, 1), order(4, 1), order(4, 3, shard=1), order(6, 1)):
        desk.take(ANN, message)
    assert [data["orders"][0]["id"] for _, data in taken(mailbox)] == [1, 3, 1]


async def test_whose_an_order_is_goes_to_nobody(desk: PrivateDesk) -> None:
    mailbox = await reader_of(desk, "orders")
    desk.take(ANN, order(1, 1, user_id=ANN))
    desk.take(8, order(1, 2))
    assert taken(mailbox) == [("orders", {"orders": [{"id": 1}]})]
