"""Trading limits through the real engine: reserved before an order is sent, exact under concurrency, given back as orders end."""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection, connections
from django.db.backends.utils import CursorWrapper

from exchange.assets.models import Rate
from exchange.core.errors import DomainError
from exchange.core.ids import uuid7
from kyc import selectors as kyc
from kyc.kinds import DAY_S, MONTH_S, TRADING
from kyc.services import levels
from kyc.services.limits import LimitExceeded
from tests.integration.trading.conftest import ALICE, BOB, Engine, Money, eventually, now
from trading.models import CountedCustomer, Order, Reservation
from trading.services import extent, line, orders, reserving

BTC, ETH, USDT = 1, 3, 4
DOLLARS = 100  # cents

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def limited(db: None) -> None:
    """Alice may trade $10,000 a day and $15,000 in 30 days; nothing limits Bob. A bitcoin is worth $20,000."""
    for asset_id, usd in ((BTC, 20_000), (USDT, 1), (ETH, 1_000)):
        Rate.objects.create(asset_id=asset_id, price=usd, as_of=now(), fetched_at=now(), source="test")
    amounts = {(TRADING, DAY_S): 10_000 * DOLLARS, (TRADING, MONTH_S): 15_000 * DOLLARS}
    levels.set_limits(level=1, amounts=amounts, reason="For a test", actor_id=1, now=now())
    levels.assign(user_id=ALICE, level=1, reason="For a test", actor_id=1, now=now())


@pytest.fixture
def market(engine: Engine, money: Money) -> Engine:
    engine.start()
    for user in (ALICE, BOB):
        money.fund(user, BTC="100", USDT="10000000")
    return engine


def place(
    side: str, quantity: str | None = None, price: str | None = None, *, user_id: int = ALICE, **more: Any
) -> orders.OrderOutcome:
    kind = more.pop("type", "limit" if price else "market")
    return orders.place_sync(
        user_id=user_id, market="BTC-USDT", side=side, type=kind, quantity=quantity, price=price, now=now(), **more
    )


def used(seconds: int = DAY_S, *, later: timedelta = timedelta(0)) -> int:
    """In dollars."""
    found = next(a for a in kyc.allowances(ALICE, now=now() + later) if (a.kind, a.seconds) == (TRADING, seconds))
    assert found.used is not None
    assert found.used % DOLLARS == 0
    return found.used // DOLLARS


def full(**order: Any) -> None:
    before = used()
    with pytest.raises(LimitExceeded) as refused:
        place(**order)
    assert (refused.value.code, used()) == ("limit_exceeded", before)


def test_what_rests_is_reserved_and_given_back_when_it_is_cancelled(market: Engine) -> None:
    order = place("buy", "0.4", "19000").order
    assert used() == used(MONTH_S) == 7_600
    full(side="buy", quantity="0.2", price="19000")
    place("buy", "0.1", "19000")
    orders.cancel_sync(user_id=ALICE, order_id=order.id, now=now())
    assert used() == 1_900
    assert orders.cancel_all_sync(user_id=ALICE, now=now()) == 1
    assert used() == 0
    place("buy", "0.5", "20000")


def test_a_sale_counts_what_it_sells_at_the_price_of_the_moment_whatever_it_fills_at(market: Engine) -> None:
    place("buy", "1", "25000", user_id=BOB)
    sold = place("sell", "0.5", "100").order  # fills at 25,000
    assert (sold.state, sold.filled_quote, used()) == ("filled", "12500", 10_000)
    full(side="sell", quantity="0.0001", price="100")


def test_what_filled_goes_on_counting_until_its_window_is_over(market: Engine) -> None:
    place("sell", "0.3", "20000", user_id=BOB)
    order = place("buy", "0.4", "20000").order
    assert (order.filled_quantity, used()) == ("0.3", 8_000)
    orders.cancel_sync(user_id=ALICE, order_id=order.id, now=now())
    assert used() == used(MONTH_S) == 6_000
    assert used(later=timedelta(hours=25)) == 0
    assert used(MONTH_S, later=timedelta(hours=25)) == 6_000
    assert used(MONTH_S, later=timedelta(days=31)) == 0
    reserving.settle_due(now=now())
    assert (used(), Reservation.objects.get().ended_at is not None) == (6_000, True)


def test_a_maker_s_fill_counts_as_well_without_his_doing(market: Engine) -> None:
    place("buy", "0.25", "20000")
    place("sell", "0.25", "20000", user_id=BOB)
    assert used() == 5_000
    reserving.settle_due(now=now())
    assert used() == 5_000


def test_by_amount_it_counts_what_it_spends(market: Engine) -> None:
    place("sell", "1", "20000", user_id=BOB)
    place("buy", quote_amount="4000")
    assert used() == 4_000
    with pytest.raises(LimitExceeded) as refused:
        place("buy", quote_amount="6000.01")
    assert refused.value.param == "quote_amount"


def test_the_engine_s_refusal_gives_the_room_back(market: Engine) -> None:
    for user in (ALICE,):
        with pytest.raises(DomainError) as refused:
            place("buy", "0.0001", "9000000000", user_id=user)
        assert refused.value.code in ("limit_exceeded", "insufficient_funds", "price_band")
    with pytest.raises(DomainError) as refused:
        orders.place_sync(
            user_id=ALICE, market="ETH-USDT", side="sell", type="limit", quantity="5", price="1000", now=now()
        )
    assert refused.value.code == "insufficient_funds"
    assert (used(), Reservation.objects.filter(ended_at=None, order_id__isnull=False).count()) == (0, 0)


def test_a_hundred_orders_at_once_on_the_last_of_the_room(market: Engine) -> None:
    """Each is worth $1,000: ten fit, whoever comes first."""

    def one(number: int) -> str:
        try:
            return place("buy", "0.05", "20000", client_order_id=f"at-once-{number}").order.state
        except DomainError as error:
            return error.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        answers = Counter(pool.map(one, range(100)))
    assert answers == {"open": 10, "limit_exceeded": 90}
    assert used() == 10_000
    assert Order.objects.filter(user_id=ALICE, state=Order.State.OPEN).count() == 10
    assert orders.cancel_all_sync(user_id=ALICE, now=now()) == 10
    assert used() == 0


def test_the_same_client_order_id_again_needs_no_room_of_its_own(market: Engine) -> None:
    first = place("buy", "0.5", "20000", client_order_id="mine")
    again = place("buy", "0.5", "20000", client_order_id="mine")
    assert (first.duplicate, again.duplicate, again.order.id) == (False, True, first.order.id)
    assert used() == 10_000

    def retry(_: int) -> bool:
        try:
            return place("sell", "0.01", "30000", client_order_id="other").duplicate
        finally:
            connections.close_all()

    orders.cancel_all_sync(user_id=ALICE, now=now())
    place("buy", "0.49", "20000")
    with ThreadPoolExecutor(8) as pool:  # $200 are left, for one
        assert sorted(pool.map(retry, range(8))) == [False] + [True] * 7
    reserving.settle_due(now=now())
    assert used() == 10_000


def test_a_batch_counts_each_of_its_items(market: Engine) -> None:
    item = {"op": "place", "market": "BTC-USDT", "side": "buy", "type": "limit", "price": "20000", "quantity": "0.2"}
    done = orders.batch_sync(user_id=ALICE, now=now(), items=[dict(item) for _ in range(3)])
    assert [each.error.code if each.error else "" for each in done] == ["", "", "limit_exceeded"]
    assert used() == 8_000
    changed = [
        {"op": "amend", "order_id": done[0].outcome.order.id, "quantity": "0.3"},
        {"op": "amend", "order_id": done[1].outcome.order.id, "quantity": "0.3"},
        {"op": "cancel", "order_id": done[1].outcome.order.id},
    ]
    again = orders.batch_sync(user_id=ALICE, now=now(), items=changed)
    assert [each.error.code if each.error else "" for each in again] == ["", "limit_exceeded", ""]
    assert used() == 6_000


def test_an_amendment_is_reserved_before_it_is_sent(market: Engine) -> None:
    order = place("buy", "0.2", "20000").order

    def amend(**changes: Any) -> None:
        orders.amend_sync(user_id=ALICE, order_id=order.id, now=now(), **changes)

    amend(quantity="0.4")
    assert used() == 8_000
    with pytest.raises(LimitExceeded):
        amend(quantity="0.6")
    with pytest.raises(LimitExceeded):
        amend(price="26000")
    assert used() == 8_000
    amend(quantity="0.1")
    assert used() == 2_000
    amend(price="25000")
    assert used() == 2_500
    orders.cancel_sync(user_id=ALICE, order_id=order.id, now=now())
    assert used() == 0
    with pytest.raises(orders.OrderClosed):
        amend(quantity="0.2")
    assert used() == 0


def test_a_pair_counts_its_dearer_leg_once(market: Engine) -> None:
    place("sell", "0.1", "20000", user_id=BOB)
    place("buy", "0.1", "20000", user_id=BOB, self_trade="cancel_newest")
    pair = orders.place_oco_sync(
        user_id=ALICE, market="BTC-USDT", side="buy", quantity="0.3", price="19000", stop_price="21000",
        stop_limit_price="22000", now=now(),
    )  # fmt: skip
    assert used() == 6_600
    reserving.settle_due(now=now())
    assert used() == 6_600
    place("sell", "0.3", "19000", user_id=BOB)  # fills the limit leg; the other goes
    filled = Order.objects.get(id=pair.limit.id)
    assert (filled.state, used()) == (Order.State.FILLED, 5_700)
    reserving.settle_due(now=now())
    assert used() == 5_700


def test_no_price_no_order_and_nothing_reserved(market: Engine) -> None:
    Rate.objects.filter(asset_id=USDT).update(as_of=now() - timedelta(hours=25))
    with pytest.raises(kyc.WorthUnknown) as refused:
        place("buy", "0.1", "20000")
    assert (refused.value.status, refused.value.code) == (503, "worth_unknown")
    assert not Reservation.objects.exists()
    assert not Order.objects.exists()


def test_who_has_no_limit_leaves_no_trace_and_needs_no_price(market: Engine) -> None:
    Rate.objects.all().delete()
    place("buy", "5", "20000", user_id=BOB)
    place("buy", "5", "20000", user_id=BOB, unlimited=True)
    assert not Reservation.objects.exists()
    assert not CountedCustomer.objects.exists()


def test_whoever_is_limited_from_now_on_is_counted_with_what_he_traded_before(market: Engine) -> None:
    levels.assign(user_id=ALICE, level=4, reason="Visited", actor_id=1, now=now())
    place("sell", "0.1", "20000", user_id=BOB)
    place("buy", "0.1", "20000")
    place("buy", "0.2", "20000")
    assert not Reservation.objects.exists()
    levels.assign(user_id=ALICE, level=1, reason="Papers over", actor_id=1, now=now())
    place("buy", "0.1", "20000")
    assert used() == 2_000 + 4_000 + 2_000
    full(side="buy", quantity="0.11", price="20000")
    orders.cancel_all_sync(user_id=ALICE, now=now())
    assert used() == 2_000


def test_a_command_of_which_nobody_knows_keeps_its_room_until_it_is_known(
    market: Engine, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine stands still; the order is in its stream. When it goes on, the order is found by its command's UUID."""
    place("buy", "0.1", "20000")
    market.end()
    settings.ENGINE_REPLY_TIMEOUT_S = 0.3
    with pytest.raises(line.EngineOutcomeUnknown):
        place("buy", "0.2", "20000")
    assert used() == 6_000
    full(side="buy", quantity="0.3", price="20000")
    reserving.settle_due(now=now())
    assert used() == 6_000
    settings.ENGINE_REPLY_TIMEOUT_S = 60.0
    market.start()
    eventually("the order to stand", lambda: Order.objects.filter(user_id=ALICE, state=Order.State.OPEN).count() == 2)
    assert used() == 6_000
    orders.cancel_all_sync(user_id=ALICE, now=now())
    assert used() == 0 or (reserving.settle_due(now=now()) and used() == 0)


def test_what_a_killed_process_reserved_and_never_sent_is_given_back(market: Engine) -> None:
    of = extent.Extent(USDT, 9_000 * 10**6)
    given: Any = {"user_id": ALICE, "extents": [of], "client_order_id": None, "uuid": uuid7(), "param": "quantity"}
    assert reserving.reserve(**given, now=now())
    full(side="buy", quantity="0.1", price="20000")
    reserving.settle_due(now=now() + timedelta(minutes=2))
    assert used() == 9_000  # a command is done within a minute, or never
    reserving.settle_due(now=now() + reserving.LOST_AFTER + timedelta(seconds=1))
    assert used() == 0
    place("buy", "0.1", "20000")


def test_in_an_event_loop_as_in_a_thread(market: Engine) -> None:
    async def many() -> list[str]:
        async def one() -> str:
            try:
                await orders.place(
                    user_id=ALICE, market="BTC-USDT", side="buy", type="limit", quantity="0.1", price="20000", now=now()
                )
            except DomainError as error:
                return error.code
            return "open"

        try:
            return await asyncio.gather(*(one() for _ in range(12)))
        finally:
            await line.close()

    assert Counter(asyncio.run(many())) == {"open": 5, "limit_exceeded": 7}
    assert used() == 10_000


def ended(count: int, *, days: int = 3) -> None:
    at = now() - timedelta(days=days)
    Reservation.objects.bulk_create(
        Reservation(
            user_id=ALICE, claim=uuid7(), order_id=-n, asset_id=BTC, units=1, worth=n, asked_at=at, ended_at=at
        )
        for n in range(1, count + 1)
    )  # fmt: skip


def test_a_month_of_ended_orders_is_added_up_by_the_database() -> None:
    """However many they are, what comes over for one more order is a row for each sum: they are counted under his lock."""
    ended(1_000)
    Reservation.objects.create(user_id=ALICE, claim=uuid7(), order_id=1, asset_id=BTC, units=1, worth=7, asked_at=now())
    came = []

    class Counting(CursorWrapper):
        def fetchmany(self, *args: Any) -> Any:
            rows = self.cursor.fetchmany(*args)
            came.extend(rows)
            return rows

        def fetchone(self) -> Any:
            came.append(self.cursor.fetchone())
            return came[-1]

    since = [now() - timedelta(days=1), now() - timedelta(days=30)]
    with patch.object(connection, "make_cursor", lambda cursor: Counting(cursor, connection)):
        counted = reserving._counted(ALICE, since)
    assert counted == [7, 7 + 1_000 * 1_001 // 2]
    assert 0 < len(came) < 10


def test_open_orders_are_looked_for_without_reading_what_was_ever_reserved() -> None:
    ended(5_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE trading_reservation")
    asked = reserving._without_reservation(ALICE, Order.objects.filter(state=Order.State.OPEN))
    plan = asked.explain()
    assert "trading_reservation_once_an_order" in plan and "Seq Scan on trading_reservation" not in plan
    assert "SubPlan" not in plan


def test_one_customer_whose_reservations_cannot_be_settled_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserving, "AT_ONCE", 1)
    long_ago = now() - timedelta(hours=1)
    Reservation.objects.bulk_create(
        Reservation(
            user_id=user, claim=uuid7(), command_uuid=uuid7(), asset_id=BTC, units=1, worth=1, asked_at=long_ago
        )
        for user in (5, 6, 7, 7)
    )  # fmt: skip
    settle = reserving._settle

    def failing(user_id: int, **more: Any) -> Any:
        if user_id == 5:
            raise ValueError("the first in the line")
        return settle(user_id, **more)

    monkeypatch.setattr(reserving, "_settle", failing)
    assert reserving.settle_due(now=now()) == 3
    assert list(Reservation.objects.values_list("user_id", flat=True)) == [5]


def test_who_only_has_orders_that_rest_is_not_looked_at(market: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    order = place("buy", "0.1", "19000").order
    assert used() == 1_900
    assert reserving.settle_due(now=now()) == 0
    place("sell", "0.1", "19000", user_id=BOB)
    eventually("the order to be done", lambda: not Order.objects.filter(id=order.id, state=Order.State.OPEN).exists())
    assert (reserving.settle_due(now=now()), reserving.settle_due(now=now())) == (1, 0)
