"""How the shards stand, for an operator: who leads, how fresh the heartbeat is, what waits.

What must never happen here: a write, or a customer's data.
"""

from __future__ import annotations

from dataclasses import dataclass

import redis
from django.db.models import Count
from redis.exceptions import RedisError

from trading import wire
from trading.models import Market, Order, Shard


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """`leader` is who beats now; `leader_named` who took the lead last. `beat_left_ms`: None without a heartbeat."""

    shard: int
    leader: str | None
    leader_named: str
    beat_left_ms: int | None
    epoch: int
    seq: int
    untold: int  # batches committed, and not noted as published
    waiting: int | None  # commands in the stream; None when Valkey does not answer
    markets: tuple[str, ...]
    open_orders: int

    @property
    def led(self) -> bool:
        return self.leader is not None


def shards(client: redis.Redis) -> list[ShardStatus]:
    """Every shard, by its number."""
    markets: dict[int, list[str]] = {}
    shard_of = {}
    for id, symbol, shard in Market.objects.order_by("id").values_list("id", "symbol", "shard_id"):
        markets.setdefault(shard, []).append(symbol)
        shard_of[id] = shard
    counted = Order.objects.filter(state=1).values_list("market_id").annotate(count=Count("id"))
    open_orders: dict[int, int] = {}
    for market_id, count in counted:
        open_orders[shard_of[market_id]] = open_orders.get(shard_of[market_id], 0) + count
    return [
        _status(client, shard, tuple(markets.get(shard.id, ())), open_orders.get(shard.id, 0))
        for shard in Shard.objects.order_by("id")
    ]


def of(client: redis.Redis, shard: Shard) -> ShardStatus:
    """One shard, without a count of its orders."""
    return _status(client, shard, (), 0)


def _status(client: redis.Redis, shard: Shard, markets: tuple[str, ...], open_orders: int) -> ShardStatus:
    leader: str | None = None
    left: int | None = None
    waiting: int | None = None
    try:
        name, left, waiting = (
            client.pipeline(transaction=False)
            .get(wire.leader(shard.id)).pttl(wire.leader(shard.id)).xlen(wire.stream(shard.id)).execute()
        )  # fmt: skip
        leader = name.decode() if name else None
    except RedisError:
        pass
    return ShardStatus(
        shard=shard.id,
        leader=leader,
        leader_named=shard.leader_name,
        beat_left_ms=left if leader else None,
        epoch=shard.epoch,
        seq=shard.seq,
        untold=shard.seq - shard.published_seq,
        waiting=waiting,
        markets=markets,
        open_orders=open_orders,
    )
