"""The engine in this process, on the test's own database and Valkey, with a clock that the test moves.

`Desk` sends commands as a web process does, has the engine take what is there, and hands back the reply. `restart` is a
kill -9 as far as the database can tell: nothing is said goodbye to, and the book is loaded anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import psycopg2
import redis

from exchange.ledger import reconciliation
from trading import wire
from trading.engine.commands import PLAIN, Terms
from trading.engine.rules import SelfTrade
from trading.models import Batch, Order
from trading.presentation import OrderRow
from trading.runner import intake, release, store
from trading.runner.process import Reigning
from trading.runner.shard import ShardProcess

BTC_USDT = 1
BUY, SELL = 1, 2
LIMIT, MARKET, STOP, STOP_LIMIT, TAKE_PROFIT, TAKE_PROFIT_LIMIT, TRAILING_STOP = range(1, 8)
GTC, IOC, FOK, GTD = range(1, 5)
PROCESS = "desk"
IDLE_MS = 5
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


class Reply(dict[str, Any]):
    """What the web process gets. `row`: the order it speaks of."""

    @property
    def code(self) -> str:
        return str(self["code"])

    @property
    def id(self) -> int:
        assert self["order_id"] is not None, self
        return int(self["order_id"])

    @property
    def row(self) -> OrderRow:
        return wire.unpack_order(self["order"])


class Desk:
    def __init__(self, valkey: redis.Redis, engine_url: str, *, now: datetime = NOON) -> None:
        self.valkey = valkey
        self.engine_url = engine_url
        self.now = now
        self.append = valkey.register_script(wire.APPEND)
        self.replies = valkey.pubsub(ignore_subscribe_messages=True)
        self.replies.subscribe(wire.replies(PROCESS))
        self.heard: dict[str, Reply] = {}
        self.process = ShardProcess(shard=0, client=valkey, clock=lambda: self.now)
        self.reign: Reigning | None = None

    # --- The engine -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.connection = psycopg2.connect(self.engine_url)
        with self.connection.cursor() as cursor:
            cursor.execute(store.SESSION)
        self.connection.commit()
        intake.IDLE_MS = IDLE_MS  # a thread that waits for commands ends no sooner
        self.reign = Reigning(self.process, self.connection)

    def die(self) -> None:
        if self.reign is not None:
            self.reign._releaser._stopping.set()
            self.reign._releaser._queue.put(release.Told(None, None))  # it need not wait for its time to look
            self.reign.close(seconds=0.0)
            self.connection.close()
            self.reign = None

    def leave(self) -> None:
        """End as the process does on SIGTERM."""
        assert self.reign is not None
        self.reign.close(seconds=2.0)
        self.reign._leave()
        self.connection.close()
        self.reign = None

    def restart(self) -> None:
        self.die()
        self.start()

    def wait(self, **span: float) -> None:
        """Let time pass, and the engine notice."""
        self.now += timedelta(**span)
        self.settle()

    def settle(self) -> None:
        """Until nothing is due any more."""
        assert self.reign is not None
        while self.reign._something_is_due():
            self.reign.step()

    @property
    def engine(self) -> Any:
        assert self.reign is not None
        return self.reign._engine

    def state_hash(self) -> str:
        return str(self.engine.state_hash())

    # --- Commands ---------------------------------------------------------------------------------------------------

    def place(
        self, user: int, side: int, *, lots: int = 0, price: int = 0, quote: int = 0, kind: int = 0, tif: int = 0,
        market: int = BTC_USDT, client: str | None = None, **terms: Any,
    ) -> Reply:  # fmt: skip
        kind = kind or (LIMIT if price else MARKET)
        tif = tif or (IOC if kind == MARKET else GTD if "expires_at" in terms else GTC)
        if "self_trade" in terms:
            terms["self_trade"] = SelfTrade(terms["self_trade"])
        stated = {name: terms.pop(name, getattr(PLAIN, name)) for name in Terms.__match_args__}
        assert not terms, terms
        return self.ask(
            wire.encode_place, user, market_id=market, side=side, kind=kind, time_in_force=tif, price=price, lots=lots,
            quote_units=quote, client_order_id=client, terms=Terms(**stated),
        )  # fmt: skip

    def oco(
        self, user: int, side: int, *, lots: int, price: int, stop: int, limit: int = 0, client: str | None = None,
        expires_at: int = 0,
    ) -> Reply:  # fmt: skip
        return self.ask(
            wire.encode_oco, user, market_id=BTC_USDT, side=side, time_in_force=GTD if expires_at else GTC, lots=lots,
            price=price, stop_price=stop, stop_limit_price=limit, client_order_id=client, self_trade=1, slippage_ppm=0,
            expires_at=expires_at,
        )  # fmt: skip

    def amend(self, user: int, order_id: int, *, price: int = 0, lots: int = 0, stop: int = 0) -> Reply:
        return self.ask(
            wire.encode_amend, user, order_id=order_id, client_order_id=None, price=price, lots=lots, stop_price=stop
        )

    def cancel(self, user: int, order_id: int) -> Reply:
        return self.ask(wire.encode_cancel, user, order_id=order_id, client_order_id=None)

    def cancel_all(self, user: int, *, market: int = 0, side: int = 0, reason: str = "user") -> Reply:
        return self.ask(wire.encode_cancel_all, user, market_id=market, side=side, reason=reason)

    def ask(self, encode: Callable[..., bytes], user: int, **fields: Any) -> Reply:
        """Send, have it done, and wait for the answer."""
        reply = self.answer(self.send(encode, user, **fields))
        self.settle()
        return reply

    def send(self, encode: Callable[..., bytes], user: int, **fields: Any) -> UUID:
        uuid = uuid4()
        body = encode(uuid=uuid, process=PROCESS, asked_at_ms=int(self.now.timestamp() * 1_000), user_id=user, **fields)
        self.append(keys=[wire.stream(0), wire.generation(0)], args=[100_000, str(uuid4()), body])
        return uuid

    def answer(self, uuid: UUID, seconds: float = 60.0) -> Reply:
        assert self.reign is not None
        until = time.monotonic() + seconds
        while str(uuid) not in self.heard:
            assert time.monotonic() < until, "no reply"
            self.reign.step()
            self._listen(0.01)
        return self.heard[str(uuid)]

    def _listen(self, seconds: float) -> None:
        while message := self.replies.get_message(timeout=seconds):
            for reply in orjson.loads(message["data"]):
                self.heard[reply["id"]] = Reply(reply)

    # --- What is stored ---------------------------------------------------------------------------------------------

    @staticmethod
    def order(order_id: int) -> Order:
        return Order.objects.get(id=order_id)

    @staticmethod
    def last_record() -> dict[str, Any]:
        return orjson.loads(Batch.objects.latest("id").record)

    def check(self) -> None:
        """The book loaded from the tables is the book in memory, and the ledger holds what the orders hold."""
        live = self.state_hash()
        self.restart()
        assert self.state_hash() == live, "a restart does not give the same book"
        report = reconciliation.run(now=self.now)
        assert report.ok, report
