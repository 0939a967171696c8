"""Every order type through store, kill and load: the book in the tables is the book in memory, and the ledger holds what the
orders hold, after each step of its life."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from exchange.ledger import selectors as ledger
from exchange.ledger.services import accounts
from tests.integration.trading.conftest import ALICE, BOB, CAROL, Money
from tests.integration.trading.desk import (
    BTC_USDT,
    BUY,
    FOK,
    SELL,
    STOP,
    STOP_LIMIT,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
    TRAILING_STOP,
    Desk,
)
from trading import selectors, wire
from trading.models import AccountFee, Command, Countdown, Market, Order, Shard, Trade
from trading.presentation import microseconds
from trading.runner import loading, markets

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _people(money: Money) -> None:
    for user in (ALICE, BOB, CAROL):
        money.fund(user, BTC="10", USDT="1000")


def trade(desk: Desk, price: int, lots: int = 1) -> None:
    """Carol and Bob trade at this price: it is the last price now."""
    desk.place(CAROL, SELL, lots=lots, price=price)
    assert desk.place(BOB, BUY, lots=lots, price=price).row.state == 2


def held(user: int, asset_id: int) -> int:
    return {balance.asset_id: balance.held for balance in ledger.balances(owner_id=user)}[asset_id]


def test_a_plain_order_has_no_terms(desk: Desk) -> None:
    resting = desk.place(ALICE, SELL, lots=30, price=1_000)
    desk.check()
    taken = desk.place(BOB, BUY, lots=10, price=1_000)
    desk.check()
    rows = {row.id: row for row in Order.objects.all()}
    assert [(rows[id].terms, rows[id].phase, rows[id].held) for id in (resting.id, taken.id)] == [
        (None, 1, 20 * 10_000), (None, 0, 0),
    ]  # fmt: skip
    assert len(desk.last_record()["orders"][0]) == 19
    desk.cancel(ALICE, resting.id)
    desk.check()


def test_an_iceberg_keeps_its_slice_and_its_turn(desk: Desk) -> None:
    berg = desk.place(ALICE, SELL, lots=30, price=1_000, display_lots=10)
    desk.place(CAROL, SELL, lots=5, price=1_000)
    assert desk.last_record()["depth"] == [[BTC_USDT, 2, [], [[1_000, 15]]]]
    desk.place(BOB, BUY, lots=12, price=1_000)  # the slice, and two of Carol's; a new slice stands behind her
    desk.check()
    row = desk.order(berg.id)
    assert (row.terms, row.filled_lots) == ({"display": 10, "shown": 10}, 10)
    assert row.rank > row.id // 1_024
    assert desk.last_record()["depth"] == [[BTC_USDT, 3, [], [[1_000, 13]]]]
    desk.place(BOB, BUY, lots=4, price=1_000)
    desk.check()
    assert desk.order(berg.id).terms == {"display": 10, "shown": 9}
    assert desk.amend(ALICE, berg.id, lots=15).row.lots == 15
    desk.check()
    assert desk.order(berg.id).terms == {"display": 10, "shown": 4}


@pytest.mark.parametrize(
    ("kind", "side", "price", "until"),
    [
        (STOP, SELL, 0, 900),
        (STOP_LIMIT, SELL, 880, 900),
        (TAKE_PROFIT, SELL, 0, 1_100),
        (TAKE_PROFIT_LIMIT, SELL, 1_080, 1_100),
        (STOP, BUY, 0, 1_100),
        (STOP_LIMIT, BUY, 1_120, 1_100),
        (TAKE_PROFIT, BUY, 0, 900),
        (TAKE_PROFIT_LIMIT, BUY, 910, 900),
    ],
)
def test_an_armed_order_waits_and_runs(desk: Desk, kind: int, side: int, price: int, until: int) -> None:
    trade(desk, 1_000)
    armed = desk.place(ALICE, side, lots=10, price=price, kind=kind, stop_price=until).row
    assert (armed.phase, armed.stop_price) == (2, until)
    assert desk.last_record()["depth"] == [], "what waits for its trigger is nobody's business"
    desk.check()
    desk.place(BOB, 3 - side, lots=4, price=until - 1 if side == SELL else until + 1)  # what it will meet
    trade(desk, until)
    desk.check()
    row = desk.order(armed.id)
    assert (row.filled_lots, row.phase) == (4, 1 if price else 0)
    assert row.id in [packed[0] for packed in desk.last_record()["orders"]], "its owner hears of it"


def test_a_trailing_stop_keeps_its_extreme(desk: Desk) -> None:
    trade(desk, 1_000)
    amount = desk.place(ALICE, SELL, lots=10, kind=TRAILING_STOP, trail_ticks=50)
    share = desk.place(ALICE, BUY, lots=10, kind=TRAILING_STOP, trail_ppm=100_000)
    before = held(ALICE, 4)
    desk.check()
    trade(desk, 980)
    desk.check()
    assert desk.order(share.id).terms | {"slippage": 0} == {
        "stop": 1_078, "extreme": 980, "trail_ppm": 100_000, "cap": 1_078 + 107, "slippage": 0,
    }  # fmt: skip
    assert held(ALICE, 4) < before, "what it need not hold any more is given back at once"
    trade(desk, 1_040)
    desk.check()
    assert desk.order(amount.id).terms["stop"] == 990
    desk.place(BOB, BUY, lots=10, price=985)
    trade(desk, 986)
    desk.check()
    assert desk.order(amount.id).reason == "slippage" or desk.order(amount.id).filled_lots


def test_a_pair_of_orders_is_one(desk: Desk) -> None:
    trade(desk, 1_000)
    pair = desk.oco(ALICE, SELL, lots=10, price=1_100, stop=900, limit=880, client="mine")
    limit, stop = desk.order(pair.id), desk.order(pair.row.partner)
    assert (limit.terms["partner"], stop.terms["partner"]) == (stop.id, limit.id)
    assert (int(limit.held), int(stop.held)) == (100_000, 0)
    desk.check()
    desk.place(BOB, BUY, lots=1, price=1_100)  # a first fill, and the stop is gone
    desk.check()
    assert (desk.order(stop.id).reason, desk.order(limit.id).filled_lots) == ("oco", 1)
    assert desk.cancel_all(ALICE)["count"] == 1
    other = desk.oco(BOB, BUY, lots=10, price=900, stop=1_150)
    assert int(desk.order(other.id).held) + int(desk.order(other.row.partner).held) == held(BOB, 4) > 9_000
    desk.check()
    desk.place(ALICE, SELL, lots=10, price=1_155)
    trade(desk, 1_150)
    desk.check()
    assert desk.order(other.id).reason == "oco"
    assert desk.order(other.row.partner).filled_lots == 10


def test_an_order_that_expires_goes_at_its_time(desk: Desk) -> None:
    until = microseconds(desk.now + timedelta(seconds=60))
    resting = desk.place(ALICE, SELL, lots=10, price=1_000, expires_at=until)
    desk.check()
    desk.wait(seconds=59)
    assert desk.order(resting.id).state == Order.State.OPEN
    desk.wait(seconds=2)
    assert (desk.order(resting.id).reason, held(ALICE, 1)) == ("expired", 0)
    desk.check()
    desk.wait(seconds=60)
    desk.restart()  # while nobody looked, nothing ran out


def test_what_ran_out_while_nobody_led_goes_at_the_start(desk: Desk) -> None:
    resting = desk.place(ALICE, SELL, lots=10, price=1_000, expires_at=microseconds(desk.now + timedelta(seconds=60)))
    desk.die()
    desk.now += timedelta(hours=1)
    desk.start()
    desk.settle()
    assert desk.order(resting.id).reason == "expired"


def test_self_trade_and_fill_or_kill(desk: Desk) -> None:
    maker = desk.place(ALICE, SELL, lots=10, price=1_000)
    desk.place(ALICE, BUY, lots=4, price=1_000, self_trade=4)
    desk.check()
    assert desk.order(maker.id).lots == 6
    assert desk.place(BOB, BUY, lots=7, price=1_000, tif=FOK).row.reason == "not_fillable"
    desk.check()
    taker = desk.place(ALICE, BUY, lots=5, price=1_000, self_trade=2)
    assert desk.order(maker.id).reason == "self_trade" and taker.row.phase == 1
    desk.check()
    assert desk.place(BOB, BUY, lots=1, price=900, post_only=True).row.post_only
    desk.check()
    assert desk.place(BOB, SELL, lots=1, price=900, post_only=True).code == "post_only_would_match"


def test_an_amended_order_keeps_or_loses_its_place(desk: Desk) -> None:
    first = desk.place(ALICE, SELL, lots=10, price=1_000)
    second = desk.place(CAROL, SELL, lots=10, price=1_000)
    assert desk.amend(ALICE, first.id, lots=5).row.lots == 5
    desk.check()
    desk.place(BOB, BUY, lots=1, price=1_000)
    assert desk.order(first.id).filled_lots == 1
    desk.amend(ALICE, first.id, lots=8)
    desk.check()
    desk.place(BOB, BUY, lots=1, price=1_000)
    assert desk.order(second.id).filled_lots == 1
    moved = desk.amend(ALICE, first.id, price=1_010)
    assert sorted(desk.last_record()["depth"][0][3]) == [[1_000, 9], [1_010, 7]]
    desk.check()
    assert (moved.id, desk.order(first.id).price) == (first.id, 1_010)


def test_cancel_all_says_how_many(desk: Desk) -> None:
    for price in (1_000, 1_001, 1_002):
        desk.place(ALICE, SELL, lots=1, price=price)
    desk.place(ALICE, BUY, lots=1, price=900)
    assert (desk.cancel_all(ALICE, side=SELL)["count"], desk.cancel_all(ALICE)["count"]) == (3, 1)
    none = desk.cancel_all(ALICE)
    assert (none.code, none["count"], none["order"]) == ("accepted", 0, None)
    desk.check()


def test_the_switch_goes_off_unless_it_is_set_again(desk: Desk) -> None:
    resting = desk.place(ALICE, SELL, lots=1, price=1_000)
    for seconds in (30, 60):
        desk.ask(wire.encode_countdown, ALICE, until=microseconds(desk.now + timedelta(seconds=seconds)))
        desk.check()
        desk.wait(seconds=20)
    assert Countdown.objects.get().user_id == ALICE
    desk.wait(seconds=50)
    assert (desk.order(resting.id).reason, Countdown.objects.count()) == ("disconnect", 0)
    desk.check()


def test_a_customers_fees_and_a_makers_rebate(desk: Desk) -> None:
    market = desk.engine.books[BTC_USDT].market
    desk.ask(wire.encode_market, 0, market=market.but(maker_fee_ppm=-500, taker_fee_ppm=2_000))
    desk.ask(wire.encode_fees, BOB, maker_fee_ppm=800, taker_fee_ppm=1_500)
    desk.check()
    assert Market.objects.get(id=BTC_USDT).maker_fee_ppm == -500
    fees = AccountFee.objects.get()
    assert (fees.user_id, fees.maker_fee_ppm, fees.taker_fee_ppm) == (BOB, 800, 1_500)
    maker = desk.place(ALICE, SELL, lots=100, price=1_000)
    taker = desk.place(BOB, BUY, lots=100, price=1_000)
    desk.check()
    assert (desk.order(maker.id).fee, desk.order(taker.id).fee) == (-50, 1_500)
    house = {(total.asset_id, total.kind): total.balance for total in ledger.totals() if total.kind.startswith("house")}
    assert house[4, "house_rebates"] == -50 and house[1, "house_fees"] == 1_500
    assert {balance.asset_id: balance.balance for balance in ledger.balances(owner_id=ALICE)}[4] == 10**9 + 100_050


def test_staff_changes_a_market_and_a_restart_remembers(desk: Desk) -> None:
    market = desk.engine.books[BTC_USDT].market
    rules = market.but(min_notional=5_000, band_ppm=100_000, slippage_ppm=20_000, max_open_orders=2)
    assert desk.ask(wire.encode_market, 0, market=rules).code == "accepted"
    desk.ask(wire.encode_market_state, 0, market_id=BTC_USDT, state=4)
    assert desk.last_record()["markets"] == [BTC_USDT] and desk.last_record()["states"] == [[BTC_USDT, 4]]
    desk.check()
    assert desk.engine.books[BTC_USDT].market == rules
    assert desk.place(ALICE, SELL, lots=1, price=1_000).code == "notional_too_small"
    assert desk.place(ALICE, SELL, lots=10).code == "market_post_only"
    assert Market.objects.get(id=BTC_USDT).state == Market.State.POST_ONLY


def test_triggered_orders_that_wait_for_their_turn_keep_it(desk: Desk) -> None:
    """More triggers than one command may run: the rest waits, in its order, also through a kill before the next tick."""
    trade(desk, 1_000)
    for number in range(103):
        desk.place(ALICE, SELL, lots=1, kind=STOP, stop_price=900 - number % 3)
    desk.place(BOB, BUY, lots=200, price=890)
    desk.send(
        wire.encode_place, CAROL, market_id=BTC_USDT, side=SELL, kind=1, time_in_force=1, price=890, lots=1, quote_units=0,
        client_order_id=None,
    )  # fmt: skip
    assert desk.reign is not None
    while not Order.objects.filter(user_id=CAROL, state=2, price=890).exists():
        desk.reign.step()
    waiting = [order.id for order in desk.engine.books[BTC_USDT].waiting]
    assert len(waiting) == 3
    assert set(Order.objects.filter(id__in=waiting).values_list("phase", "held")) == {(Order.Phase.WAITING, 10_000)}
    desk.check()
    assert [order.id for order in desk.engine.books[BTC_USDT].waiting] == waiting
    desk.settle()
    trades = Trade.objects.filter(taker_order_id__in=waiting).order_by("id")
    assert [trade.taker_order_id for trade in trades] == waiting
    desk.check()


def test_last_prices_are_kept(desk: Desk) -> None:
    trade(desk, 1_000)
    trade(desk, 1_001)
    assert Shard.objects.get(id=0).last_prices == {"1": 1_001}
    desk.restart()
    assert desk.engine.books[BTC_USDT].last_price == 1_001
    assert desk.place(ALICE, SELL, lots=1, kind=STOP, stop_price=1_001).code == "stop_would_trigger"


def test_a_market_is_opened_while_the_engine_runs(desk: Desk, money: Money) -> None:
    """Its assets were never traded here: the house's accounts are opened with it, and its trades are told."""
    refused = desk.place(ALICE, SELL, lots=1, price=1_000, market=99)
    assert refused.code == "market_not_found"
    row = Market.objects.create(
        symbol="BTC-USD", shard_id=0, base_asset_id=1, quote_asset_id=5, base_decimals=8, quote_decimals=2, price_decimals=2,
        quantity_decimals=2, lot_base_units=1_000_000, tick_quote_units=1, price_step=100, maker_fee_ppm=0, taker_fee_ppm=500,
    )  # fmt: skip
    view = next(view for view in selectors.markets() if view.id == row.id)
    wrong = markets.rules(view).but(tick_quote_units=2)
    assert desk.ask(wire.encode_market_open, 1, market=wrong, state=1).code == "market_not_found"
    assert desk.ask(wire.encode_market_open, 1, market=markets.rules(view), state=1).code == "accepted"
    assert desk.ask(wire.encode_market_open, 1, market=markets.rules(view), state=1).code == "market_exists"
    assert Market.objects.get(id=row.id).opened
    assert desk.place(ALICE, SELL, lots=1, price=1_000, market=row.id).code == "account_missing"
    for user in (ALICE, BOB):
        accounts.open_customer(owner_id=user, asset_ids=[5], now=desk.now)
    assert desk.place(ALICE, SELL, lots=1, price=1_000, market=row.id).code == "accepted"
    assert desk.place(BOB, BUY, lots=1, price=1_000, market=row.id).code == "insufficient_funds"
    desk.check()
    assert row.id in desk.engine.books
    assert desk.cancel_all(ALICE, market=row.id)["count"] == 1


def test_a_fresh_database_begins_with_its_markets(desk: Desk) -> None:
    """The first batch of all is the engine's own, and stored like any other: a replay begins with it."""
    commands = list(Command.objects.order_by("id"))
    assert [(c.user_id, c.verdict, orjson.loads(c.body)["op"]) for c in commands] == [
        (0, "accepted", "market_open")
    ] * 4
    assert set(Market.objects.values_list("opened", flat=True)) == {True}
    desk.restart()
    assert Command.objects.count() == 4


def test_a_book_that_holds_something_else_is_not_led(desk: Desk, owner_connection: Any) -> None:
    resting = desk.place(ALICE, SELL, lots=1, price=1_000)
    desk.die()
    owner_connection.cursor().execute("UPDATE trading_order SET held = held + 1 WHERE id = %s", (resting.id,))
    with pytest.raises(loading.HoldDiffers):
        desk.start()
