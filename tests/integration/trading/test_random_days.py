"""Seeded days of every kind of order through the real tables, with a kill every few batches.

After each kill the loaded book is the lost one, to the hash. What the records told the public, put together, is the book, level
by level; what they told the owners is what the rows say; and the ledger holds what the orders hold.
A failing seed replays: RANDOM_DAY=7 runs that one alone.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from exchange.ledger import selectors as ledger
from exchange.ledger.services import freezes
from tests.integration.trading.conftest import Money
from tests.integration.trading.desk import Desk
from tests.properties.orders_grammar import USERS, Grammar, Seeded
from trading import selectors, wire
from trading.engine import commands
from trading.engine.rules import Market, MarketState
from trading.models import Batch, Order
from trading.presentation import OrderRow, microseconds, moment

pytestmark = pytest.mark.django_db(transaction=True)
SEEDS = [int(os.environ["RANDOM_DAY"])] if "RANDOM_DAY" in os.environ else [1, 2, 3]
BATCHES, KILL_EACH = 60, 5


class Day(Grammar):
    """The grammar of commands, aimed at what stands in the real engine's books."""

    def __init__(self, seed: int, desk: Desk) -> None:
        super().__init__(Seeded(seed))
        self.desk = desk
        self.now = microseconds(desk.now)

    def market(self, id: int) -> Market:
        """Other rules for a market that is there: its steps never change."""
        drawn, there = super().market(id), self.desk.engine.books[id].market
        return drawn.but(
            base_asset_id=there.base_asset_id, quote_asset_id=there.quote_asset_id, lot_base_units=there.lot_base_units,
            tick_quote_units=there.tick_quote_units, min_notional=drawn.min_notional // 10,
        )  # fmt: skip

    def draw(self) -> commands.Command:
        command = self.command(self._aim())
        self.desk.now = moment(self.now)
        return command

    def _aim(self) -> Any:
        books = {id: self.desk.engine.books[id] for id in (1, 2, 3)}
        return SimpleNamespace(
            shard=0,
            markets={
                id: SimpleNamespace(
                    state=book.state, last=book.last_price, rules=book.market, queue=[order.id for order in book.waiting]
                )
                for id, book in books.items()
            },
            orders={
                order.id: SimpleNamespace(
                    id=order.id, user=order.user_id, client=order.client_order_id, partner=order.partner,
                    market=order.market_id, lots=order.lots, kind=order.kind, price=order.price, phase=order.phase,
                    stop=order.stop_price,
                )
                for order in self.desk.engine.orders.values() if order.phase
            },
        )  # fmt: skip


def send(desk: Desk, command: commands.Command) -> None:
    """The command as its sender would write it."""
    fields = {name: getattr(command, name) for name in type(command).__match_args__}
    user, _ = fields.pop("user_id", 0), fields.pop("at")
    match command:
        case commands.Place():
            del fields["base_account"], fields["quote_account"]
            desk.send(wire.encode_place, user, **fields)
        case commands.PlaceOco(limit=limit, stop=stop):
            desk.send(
                wire.encode_oco, limit.user_id, market_id=limit.market_id, side=limit.side, time_in_force=limit.time_in_force,
                lots=limit.lots, price=limit.price, stop_price=stop.terms.stop_price, stop_limit_price=stop.price,
                client_order_id=limit.client_order_id, self_trade=limit.terms.self_trade,
                slippage_ppm=stop.terms.slippage_ppm, expires_at=limit.terms.expires_at,
            )  # fmt: skip
        case _:
            desk.send(getattr(wire, ENCODE[type(command)]), user, **fields)


ENCODE = {
    commands.Amend: "encode_amend",
    commands.Cancel: "encode_cancel",
    commands.CancelAll: "encode_cancel_all",
    commands.Countdown: "encode_countdown",
    commands.OpenMarket: "encode_market_open",
    commands.SetFees: "encode_fees",
    commands.SetMarket: "encode_market",
    commands.SetMarketState: "encode_market_state",
    commands.Tick: "encode_tick",
}


class Told:
    """What everybody knows who has listened to every record."""

    def __init__(self) -> None:
        self.last = 0
        self.sequences: dict[int, int] = {}
        self.levels: dict[tuple[int, str], dict[int, int]] = {}
        self.orders: dict[int, OrderRow] = {}
        self.balances: dict[tuple[int, int], tuple[int, int]] = {}

    def listen(self) -> None:
        for row in Batch.objects.filter(id__gt=self.last).order_by("id"):
            self.last = row.id
            record = orjson.loads(row.record)
            for market, u, bids, asks in record["depth"]:
                assert u == self.sequences.get(market, 0) + 1, "a gap"
                self.sequences[market] = u
                for side, levels in (("bids", bids), ("asks", asks)):
                    self.levels.setdefault((market, side), {}).update(levels)
            self.orders |= {packed[0]: wire.unpack_order(packed) for packed in record["orders"]}
            self.balances |= {(user, asset): (int(b), int(h)) for user, asset, b, h in record["balances"]}

    def check(self, desk: Desk) -> None:
        for (market, side), levels in self.levels.items():
            standing = {price: lots for price, lots in levels.items() if lots}
            assert standing == dict(getattr(desk.engine.books[market], side).depth(10_000)), (market, side)
        assert self.orders == {row.id: selectors.order_row(row) for row in Order.objects.all()}
        for (user, asset), told in self.balances.items():
            stored = {each.asset_id: (each.balance, each.held) for each in ledger.balances(owner_id=user)}
            assert told == stored[asset], (user, asset)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_day(seed: int, desk: Desk, money: Money, settings: Any) -> None:
    """On odd days batches are small and overlap."""
    settings.ENGINE_BATCH_MAX = 4 if seed % 2 else 1_000
    desk.restart()
    for user in USERS:
        money.fund(user, BTC="1", ETH="100", USDT="0.1")  # enough for a while, and then not any more
    day, told = Day(seed, desk), Told()
    assert desk.reign is not None
    for number in range(BATCHES):
        for _ in range(day.source.pick((1, 1, 3, 10, 25))):
            send(desk, day.draw())
        if number == BATCHES // 2:
            freezes.freeze(owner_id=USERS[0], reason="half a day", actor=None, now=desk.now)
        while (
            desk.valkey.xinfo_stream(wire.stream(0))["last-generated-id"].decode() != desk.reign._progress.position.id
        ):
            desk.reign.step()
        desk.reign.quiet()
        told.listen()
        if number % KILL_EACH == KILL_EACH - 1:
            desk.check()
            told.check(desk)
    kinds = set(Order.objects.values_list("kind", flat=True))
    assert kinds == set(range(1, 8)), "a kind that was never drawn proves nothing"
    assert {market.state for market in day._aim().markets.values()} <= set(MarketState)
