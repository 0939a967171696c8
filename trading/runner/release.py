"""Telling the world what a batch did: replies, market data, the customers' own news. Only ever after the commit.

A thread of its own, so that the next batch is matched while the last one is told; records go out in their order, each until
Valkey has taken it. What must never happen here: a record that is skipped, or a user's news on a public channel.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any, NamedTuple

import orjson
import redis
import structlog
from redis.exceptions import RedisError

from exchange.core import amounts
from exchange.core.times import iso
from trading import candles as grid
from trading import presentation, wire
from trading.presentation import MarketView, TradeRow
from trading.runner import faults, leadership
from trading.runner.stream import Position

log = structlog.get_logger(__name__)

WAITING_MAX = 64  # batches; beyond it matching waits for Valkey
RETRY_S = 0.2
PAIRS_PER_CALL = 2_000
USERS_PER_CALL = 2_000

# KEYS: stream, generation, epoch. ARGV: our generation, the id up to which the stream is consumed, our epoch, number of
# messages, number of snapshots, then channel and message of each, key and value of each, then customers. Trims only the life of
# the stream that we read, and does nothing for a leader whose time is over: its book would stand over the new one's; -1 comes
# back. Otherwise those of the customers whose channel has a listener: asked in the server, so that the answer is short, and with
# the replies, which need not wait for it.
_RELEASE = """
local epoch = redis.call('GET', KEYS[3])
if epoch and tonumber(epoch) > tonumber(ARGV[3]) then return {-1} end
local at = 6
for i = 1, tonumber(ARGV[4]) do
  redis.call('PUBLISH', ARGV[at], ARGV[at + 1])
  at = at + 2
end
for i = 1, tonumber(ARGV[5]) do
  redis.call('SET', ARGV[at], ARGV[at + 1])
  at = at + 2
end
if ARGV[2] ~= '' and redis.call('GET', KEYS[2]) == ARGV[1] then
  local ms, n = string.match(ARGV[2], '^(%d+)-(%d+)$')
  redis.call('XTRIM', KEYS[1], 'MINID', ms .. '-' .. string.format('%.0f', tonumber(n) + 1))
end
local channels = {}
for i = at, #ARGV do channels[#channels + 1] = 'user:' .. ARGV[i] end
local heard = {}
if #channels > 0 then
  local counts = redis.call('PUBSUB', 'NUMSUB', unpack(channels))
  for i = 1, #channels do
    if counts[2 * i] > 0 then heard[#heard + 1] = tonumber(ARGV[at + i - 1]) end
  end
end
return heard
"""


class Shown(NamedTuple):
    """A market's whole book as it stood at one moment: (ticks, lots) by level, best first."""

    view: MarketView
    u: int
    at_us: int
    bids: Sequence[tuple[int, int]]
    asks: Sequence[tuple[int, int]]


class Told(NamedTuple):
    """One thing to tell: a batch's record with the position it consumed, or books alone."""

    record: dict[str, Any] | None
    position: Position | None
    books: Sequence[Shown] = ()


class Releaser:
    """Publishes in order. `published_seq` is the last sequence that surely went out."""

    def __init__(
        self, client: redis.Redis, *, shard: int, epoch: int, views: Mapping[int, MarketView], published_seq: int
    ) -> None:
        self.published_seq = published_seq
        self._shard, self._epoch = shard, epoch
        self._deposed = False  # another leads, and tells what we have not told
        self._client = client
        self._script = client.register_script(_RELEASE)
        self._keys = [wire.stream(shard), wire.generation(shard), leadership.epoch_key(shard)]
        self._views = views  # grows when a market is opened
        self._seen: list[MarketView] = []
        self._assets: dict[int, tuple[str, int]] = {}
        self._queue: Queue[Told] = Queue(WAITING_MAX)
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="release", daemon=True)
        self._thread.start()

    def tell(self, told: Told) -> None:
        """Queue it; waits while too much stands before it."""
        self._queue.put(told)

    def drained(self) -> bool:
        return self._queue.unfinished_tasks == 0

    def stop(self, *, seconds: float) -> None:
        """Let what is queued go out for at most so long, then end."""
        until = time.monotonic() + seconds
        while not self.drained() and time.monotonic() < until:
            time.sleep(0.005)
        self._stopping.set()
        self._thread.join(timeout=seconds + 1)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                told = self._queue.get(timeout=0.1)
            except Empty:
                continue
            while not self._stopping.is_set():
                try:
                    self._release(told)
                    break
                except (RedisError, OSError) as error:
                    log.warning("release waits for Valkey", error=str(error))
                    time.sleep(RETRY_S)
            self._queue.task_done()

    def _release(self, told: Told) -> None:
        record, at_once = told.record, faults.portion(PAIRS_PER_CALL)
        pairs: list[tuple[str, bytes]] = []
        users: list[int] = []
        if record is not None:
            faults.point(faults.BEFORE_RELEASE)
            pairs = reply_messages(record) + market_messages(record, self._views)
            users = sorted({order[1] for order in record["orders"]} | {balance[0] for balance in record["balances"]})
        pairs = self._portions(pairs, at_once)
        heard = self._send(pairs, told.position, dict(map(snapshot, told.books)), users[:USERS_PER_CALL])
        for start in range(USERS_PER_CALL, len(users), USERS_PER_CALL):
            heard |= self._send([], None, {}, users[start : start + USERS_PER_CALL])
        if record is None:
            return
        if heard and not self._deposed:
            news = private_messages(record, self._views, self._known_assets(), heard)
            self._send(self._portions(news, at_once), None, {})
        if not self._deposed:
            self.published_seq = max(self.published_seq, record["seq"])
            faults.point(faults.AFTER_RELEASE)

    def _portions(self, pairs: list[tuple[str, bytes]], at_once: int) -> list[tuple[str, bytes]]:
        """Send all but the last portion, which is given back."""
        while len(pairs) > at_once and not self._deposed:
            self._send(pairs[:at_once], None, {})
            pairs = pairs[at_once:]
            faults.point(faults.INSIDE_RELEASE)
        return pairs

    def _send(
        self, pairs: list[tuple[str, bytes]], position: Position | None, snapshots: Mapping[str, bytes],
        users: Sequence[int] = (),
    ) -> set[int]:  # fmt: skip
        """Those of `users` whose channel somebody listens to; for the others there is nobody to tell."""
        arguments: list[Any] = [position.generation, position.id] if position else ["", ""]
        arguments += [self._epoch, len(pairs), len(snapshots)]
        for pair in pairs:
            arguments.extend(pair)
        for item in snapshots.items():
            arguments.extend(item)
        heard = self._script(keys=self._keys, args=[*arguments, *users])
        if heard != [-1]:
            return set(heard)
        if not self._deposed:
            self._deposed = True
            log.warning("not told: another leads", shard=self._shard, epoch=self._epoch)
        return set()

    def _known_assets(self) -> dict[int, tuple[str, int]]:
        """Code and decimals of every asset that is traded here."""
        if len(self._seen) != len(self._views):
            self._seen = list(self._views.values())
            self._assets = {v.base_asset_id: (v.base, v.base_decimals) for v in self._seen}
            self._assets |= {v.quote_asset_id: (v.quote, v.quote_decimals) for v in self._seen}
        return self._assets


def reply_messages(record: dict[str, Any]) -> list[tuple[str, bytes]]:
    """One message a waiting process, with all its replies of this batch."""
    orders = {order[0]: order for order in record["orders"]}
    by_process: dict[str, list[dict[str, Any]]] = {}
    for process, uuid, code, order_id, here, first, *count in record["replies"]:
        if process:
            answer: dict[str, Any] = {"id": uuid, "code": code, "order_id": order_id}
            answer["order"] = orders.get(order_id) if here else None
            if first is not None:
                answer["first"] = {"code": first[0], "order_id": first[1]}
            if count:
                answer["count"] = count[0]  # orders that it closed
            by_process.setdefault(process, []).append(answer)
    return [(wire.replies(process), orjson.dumps(answers)) for process, answers in by_process.items()]


def market_messages(record: dict[str, Any], views: Mapping[int, MarketView]) -> list[tuple[str, bytes]]:
    """One message a market whose book changed; trades and candles of the batch in it."""
    time_text = iso(presentation.moment(record["at"]))
    trades: dict[int, list[dict[str, Any]]] = {}
    for trade in record["trades"]:
        view = views[trade[1]]
        trades.setdefault(trade[1], []).append(
            {
                "id": trade[0], "price": view.price(trade[2]), "quantity": view.quantity(trade[3]),
                "side": presentation.SIDES[trade[4]], "time": time_text,
            }
        )  # fmt: skip
    buckets: dict[int, list[dict[str, Any]]] = {}
    for market_id, place, second, open_, high, low, close, lots, quote in record["candles"]:
        view = views[market_id]
        buckets.setdefault(market_id, []).append(
            {
                "interval": grid.name(place), "time": iso(presentation.moment(second * 1_000_000)),
                "open": view.price(open_), "high": view.price(high), "low": view.price(low), "close": view.price(close),
                "volume": view.quantity(int(lots)), "quote_volume": view.quote_amount(int(quote)),
            }
        )  # fmt: skip
    messages = []
    for market_id, u, bids, asks in record["depth"]:
        view = views[market_id]
        data = {
            "market": view.symbol,
            "U": u,
            "u": u,
            "time": time_text,
            "bids": _levels(view, bids),
            "asks": _levels(view, asks),
            "trades": trades.get(market_id, []),
            "candles": buckets.get(market_id, []),
        }
        messages.append((f"md:{view.symbol}", orjson.dumps(data)))
    for market_id in dict.fromkeys((*record.get("markets", ()), *(row[0] for row in record["states"]))):
        # That its rules or its state changed; what they are now stands in the database, committed before this is told.
        symbol = views[market_id].symbol
        messages.append((f"md:{symbol}:state", orjson.dumps({"market": symbol})))
    return messages


def private_messages(
    record: dict[str, Any], views: Mapping[int, MarketView], assets: Mapping[int, tuple[str, int]], users: set[int]
) -> list[tuple[str, bytes]]:
    """Orders, fills and balances, each on its owner's channel, in that order."""
    stamp = {"shard": record["shard"], "seq": record["seq"]}
    messages = []
    for packed in record["orders"]:
        if packed[1] in users:
            row = wire.unpack_order(packed)
            shown = presentation.message(presentation.order(views[row.market_id], row))
            messages.append((f"user:{row.user_id}", orjson.dumps({"type": "order", **stamp, "order": shown})))
    for packed in record["trades"]:
        for user in {packed[7], packed[8]} & users:
            trade = TradeRow(*packed[:9], int(packed[9]), int(packed[10]), record["at"])
            shown = presentation.message(presentation.fill(views[trade.market_id], trade, user_id=user))
            messages.append((f"user:{user}", orjson.dumps({"type": "fill", **stamp, "fill": shown})))
    for user, asset_id, balance, held in record["balances"]:
        if user in users:
            code, decimals = assets[asset_id]
            amount = {"balance": int(balance), "held": int(held), "available": int(balance) - int(held)}
            shown = {"asset": code, "asset_id": asset_id}
            shown |= {name: amounts.format(units, decimals=decimals) for name, units in amount.items()}
            messages.append((f"user:{user}", orjson.dumps({"type": "balance", **stamp, "balance": shown})))
    return messages


def snapshot(shown: Shown) -> tuple[str, bytes]:
    """Key and value of a market's whole book."""
    data = {
        "market": shown.view.symbol,
        "u": shown.u,
        "time": iso(presentation.moment(shown.at_us)),
        "bids": _levels(shown.view, shown.bids),
        "asks": _levels(shown.view, shown.asks),
    }
    return f"md:{shown.view.symbol}:book", orjson.dumps(data)


def _levels(view: MarketView, levels: Iterable[Any]) -> list[tuple[str, str]]:
    return [(view.price(price), view.quantity(lots)) for price, lots in levels]
