"""Whatever is asked, cancelled, refused, lost and waited for: never more than the limit, and everything given back.

Reservations on the real tables, under the customer's lock, against a model that knows each order and adds up. The engine is
played here: it writes what the real one would have written (commands, their keys, orders) or, for a lost command, nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.assets.models import Rate
from exchange.core.ids import uuid7
from kyc.kinds import DAY_S, MONTH_S, TRADING
from kyc.services import levels
from kyc.services.limits import LimitExceeded
from trading.models import Reservation
from trading.presentation import MarketView
from trading.services import catalogue, extent, reserving

ALICE, BTC, USDT = 101, 1, 4
START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
DAY, MONTH = 1_000_00, 2_500_00  # cents; a lot is worth a dollar
BUY, SELL = 1, 2

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("place"), st.sampled_from([BUY, SELL]), st.integers(1, 900)),
        st.tuples(st.just("refused"), st.sampled_from([BUY, SELL]), st.integers(1, 900)),
        st.tuples(st.just("lost"), st.sampled_from([BUY, SELL]), st.integers(1, 900)),
        st.tuples(st.just("late"), st.sampled_from([BUY, SELL]), st.integers(1, 900)),
        st.tuples(st.just("fill"), st.integers(0, 9), st.integers(1, 900)),
        st.tuples(st.just("cancel"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("amend"), st.integers(0, 9), st.integers(1, 900)),
        st.tuples(st.just("wait"), st.just(0), st.sampled_from([1, 30, 600, 26 * 60, 9 * 1440, 31 * 1440])),
    ),
    max_size=25,
)


@dataclass
class Modelled:
    """An order as the model knows it: lots, each worth a dollar for ever."""

    lots: int
    filled: int = 0
    ended: datetime | None = None

    def counts(self, since: datetime) -> int:
        if self.ended is None:
            return self.lots
        return self.filled if self.ended > since else 0


class World:
    """The tables, the clock and the model."""

    def __init__(self, connection: Any) -> None:
        self.cursor = connection.cursor()
        self.now = START
        self.orders: dict[int, Modelled] = {}
        self.flying: dict[UUID, tuple[int, datetime]] = {}  # lost commands: lots, since
        self.late: list[tuple[UUID, int, int]] = []
        view = catalogue.market_by_id(1)
        self.view: MarketView = view
        # The quantity of base and of quote that are worth a dollar at these prices; both whole.
        self.lot = 10**8 // 10_000 // view.lot_base_units
        self.price = 10**6 * 10_000 // (10**8 // view.lot_base_units) // view.tick_quote_units
        self.counter = 1

    def clear(self) -> None:
        self.cursor.execute("DELETE FROM trading_reservation; DELETE FROM trading_counted_customer")
        self.cursor.execute("DELETE FROM trading_order; DELETE FROM trading_command; DELETE FROM trading_command_key")

    def of(self, side: int, lots: int) -> extent.Extent:
        price = self.price if side == BUY else 0
        return extent.most(self.view, side=side, price=price, lots=lots * self.lot, quote_units=0)

    # --- What the engine writes -------------------------------------------------------------------------------------------

    def command(self, uuid: UUID, verdict: str, order_id: int | None) -> None:
        self.counter += 1
        id = self.counter * 1024
        self.cursor.execute(
            "INSERT INTO trading_command (id, seq, user_id, body, verdict, order_id, at) VALUES (%s, 1, %s, '{}', %s, %s, %s)",
            [id, ALICE, verdict, order_id, self.now],
        )
        self.cursor.execute(
            "INSERT INTO trading_command_key (command_uuid, command_id) VALUES (%s, %s)", [str(uuid), id]
        )

    def stand(self, side: int, lots: int) -> int:
        self.counter += 1
        id = self.counter * 1024
        self.cursor.execute(
            "INSERT INTO trading_order (id, user_id, market_id, side, kind, time_in_force, price, lots, quote_units,"
            " filled_lots, filled_quote, fee, state, reason, client_order_id, base_account, quote_account, created_at,"
            " updated_at, rank, phase, held, terms)"
            " VALUES (%s, %s, 1, %s, 1, 1, %s, %s, 0, 0, 0, 0, 1, '', NULL, 1, 2, %s, %s, %s, 1, 0, NULL)",
            [id, ALICE, side, self.price, lots * self.lot, self.now, self.now, id],
        )
        self.orders[id] = Modelled(lots)
        return id

    def write(self, id: int) -> None:
        order = self.orders[id]
        state = 1 if order.ended is None else 2 if order.filled == order.lots else 3
        filled = order.filled * self.lot
        self.cursor.execute(
            "UPDATE trading_order SET lots = %s, filled_lots = %s, filled_quote = %s, state = %s, phase = %s, updated_at = %s"
            " WHERE id = %s",
            [order.lots * self.lot, filled, filled * self.price * self.view.tick_quote_units, state, int(state == 1),
             self.now, id],
        )  # fmt: skip

    # --- The model --------------------------------------------------------------------------------------------------------

    def used(self, seconds: int) -> int:
        since = self.now - timedelta(seconds=seconds)
        flying = sum(lots for lots, at in self.flying.values())
        return 100 * (flying + sum(order.counts(since) for order in self.orders.values()))

    def forget_lost(self) -> None:
        self.flying = {
            uuid: (lots, at) for uuid, (lots, at) in self.flying.items() if at >= self.now - reserving.LOST_AFTER
        }

    def open(self, number: int) -> int | None:
        standing = [id for id, order in self.orders.items() if order.ended is None]
        return standing[number % len(standing)] if standing else None

    def fits(self, lots: int) -> bool:
        return self.used(DAY_S) + 100 * lots <= DAY and self.used(MONTH_S) + 100 * lots <= MONTH

    # --- Steps ------------------------------------------------------------------------------------------------------------

    def reserve(self, side: int, lots: int) -> UUID | None:
        uuid, fits = uuid7(), self.fits(lots)
        try:
            reserving.reserve(
                user_id=ALICE,
                extents=[self.of(side, lots)],
                client_order_id=None,
                uuid=uuid,
                param="quantity",
                now=self.now,
            )
        except LimitExceeded:
            assert not fits
            return None
        assert fits
        return uuid

    def do(self, what: str, which: int, many: int) -> None:
        if what in ("place", "refused", "lost", "late"):
            uuid = self.reserve(which, many)
            if uuid is None:
                return
            if what == "place":
                self.command(uuid, "accepted", self.stand(which, many))
            elif what == "refused":
                self.command(uuid, "insufficient_funds", None)
            else:
                self.flying[uuid] = (many, self.now)
                if what == "late":
                    self.late.append((uuid, which, many))
        elif what == "wait":
            for uuid, side, lots in self.late:  # done after all, before it is a minute old
                del self.flying[uuid]
                self.command(uuid, "accepted", self.stand(side, lots))
            self.late.clear()
            self.now += timedelta(minutes=many)
            Rate.objects.update(as_of=self.now)
        elif (id := self.open(which)) is not None:
            self.on_order(what, id, many)

    def on_order(self, what: str, id: int, many: int) -> None:
        order = self.orders[id]
        if what == "fill":
            order.filled = min(order.lots, order.filled + many)
            if order.filled == order.lots:
                order.ended = self.now
        elif what == "cancel":
            order.ended = self.now
        elif many > order.filled:
            uuid, more = uuid7(), many - order.lots
            fits = more <= 0 or self.fits(more)
            try:
                reserving.reserve_change(
                    user_id=ALICE, order_id=id, view=self.view, price=0, lots=many * self.lot, uuid=uuid, now=self.now
                )
            except LimitExceeded:
                assert not fits
                return
            assert fits
            order.lots = many
            self.command(uuid, "accepted", id)
        self.write(id)

    def check(self) -> None:
        self.forget_lost()
        since = [self.now - timedelta(seconds=seconds) for seconds in (DAY_S, MONTH_S)]
        counted = list(reserving.used(user_id=ALICE, since=since, now=self.now))
        assert counted == [self.used(DAY_S), self.used(MONTH_S)]
        assert counted[0] <= DAY and counted[1] <= MONTH


@pytest.fixture
def world(database_url: Callable[[str], str]) -> Any:
    for asset_id, usd in ((BTC, 10_000), (USDT, 1)):
        Rate.objects.create(asset_id=asset_id, price=usd, as_of=START, fetched_at=START, source="test")
    amounts = {(TRADING, DAY_S): DAY, (TRADING, MONTH_S): MONTH}
    levels.set_limits(level=1, amounts=amounts, reason="For a test", actor_id=1, now=START)
    levels.assign(user_id=ALICE, level=1, reason="For a test", actor_id=1, now=START)
    catalogue.forget()
    connection = psycopg2.connect(database_url("owner"))
    connection.autocommit = True
    yield lambda: World(connection)
    connection.close()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
def test_never_more_than_the_limit_and_everything_given_back(world: Any, steps: list[tuple[str, int, int]]) -> None:
    it = world()
    it.clear()
    Rate.objects.update(as_of=START)
    for step in steps:
        it.do(*step)
        it.check()
    for id, order in it.orders.items():
        if order.ended is None:
            it.on_order("cancel", id, 0)
    it.do("wait", 0, 32 * 1440)
    for id, order in it.orders.items():
        if order.ended is None:
            it.on_order("cancel", id, 0)
    it.check()
    it.do("wait", 0, 32 * 1440)
    it.check()
    reserving.settle_due(now=it.now)
    assert it.used(MONTH_S) == 0
    assert not Reservation.objects.exists()
