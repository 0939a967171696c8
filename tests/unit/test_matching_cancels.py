"""Taking orders back: one, all, by market and side, and when a customer falls silent."""

from __future__ import annotations

from tests.unit.engine_desk import Desk, market
from trading.engine.commands import Cancel, OpenMarket, Tick
from trading.engine.events import Closed, CountdownSet, Ticked
from trading.engine.rules import MarketState


def two_markets() -> Desk:
    desk = Desk(last=100)
    desk.do(OpenMarket(market(id=2), MarketState.OPEN, desk.now))
    desk.buy(1, 1, 90)
    desk.tell(desk.place(1, "sell", 1, price=110, market_id=2))
    desk.tell(desk.place(1, "sell", 1, kind="stop", stop_price=90))
    desk.buy(2, 1, 90)
    return desk


def test_one_by_the_customer_s_own_name_for_it() -> None:
    desk = Desk()
    desk.buy(1, 5, 90, client="mine")
    assert desk.tell(Cancel(2, 0, "mine", 100)) == ["refused: order_not_found"]
    assert desk.do(Cancel(1, 0, "mine", 100)) == [Closed(1024, 12, 90, 450, "user")]
    assert desk.tell(Cancel(1, 0, "mine", 100)) == ["refused: order_not_found"]
    assert desk.tell(Cancel(1, 0, None, 100)) == ["refused: order_not_found"]


def test_an_id_of_another_shard_is_nobody_s_here() -> None:
    desk = Desk()
    desk.buy(1, 5, 90)
    assert desk.tell(Cancel(1, 1024 + 3, None, 100)) == ["refused: order_not_found"]


def test_an_armed_order_left_no_price_of_the_book() -> None:
    desk = Desk(last=100)
    desk.tell(desk.place(1, "sell", 5, kind="stop_limit", price=95, stop_price=95))
    assert desk.do(Cancel(1, 1024, None, 100)) == [Closed(1024, 11, 0, 5, "user")]


def test_all_of_a_customer_oldest_first_with_the_reason_asked_for() -> None:
    desk = two_markets()
    assert desk.cancel_all(1, reason="staff") == [
        "#1 done: staff, frees 90", "#2 done: staff, frees 1", "#3 done: staff, frees 1",
    ]  # fmt: skip
    assert desk.cancel_all(1) == []
    assert desk.depth("buy") == [(90, 1)]


def test_all_of_one_market_or_one_side() -> None:
    assert [s[:2] for s in two_markets().cancel_all(1, market_id=1)] == ["#1", "#3"]
    assert [s[:2] for s in two_markets().cancel_all(1, side=2)] == ["#2", "#3"]
    assert [s[:2] for s in two_markets().cancel_all(1, market_id=1, side=1)] == ["#1"]
    assert two_markets().cancel_all(1, market_id=9) == ["refused: market_not_found"]


def test_all_passes_by_a_halted_market_and_one_is_refused_there() -> None:
    desk = two_markets()
    desk.set_state("halted", market_id=1)
    assert desk.cancel(1, 1) == ["refused: market_closed"]
    assert desk.cancel_all(1) == ["#2 done: user, frees 1"]
    assert desk.cancel_all(1, market_id=1) == []


def test_a_pair_is_closed_once() -> None:
    desk = Desk(last=100)
    desk.oco(1, "sell", 5, price=110, stop=90)
    assert desk.cancel_all(1) == ["#1 done: user, frees 5", "#2 done: oco"]


def test_a_silent_customer_s_orders_go_when_the_switch_does() -> None:
    desk = two_markets()
    assert desk.countdown(1, 150) == [repr(CountdownSet(1, 150))]
    assert desk.engine.due() == 150
    assert desk.tick(149) == []
    assert desk.tick(150) == [
        "#1 done: disconnect, frees 90", "#2 done: disconnect, frees 1", "#3 done: disconnect, frees 1",
        repr(CountdownSet(1, 0)),
    ]  # fmt: skip
    assert desk.engine.due() is None
    assert desk.tick(200) == []


def test_a_switch_can_be_set_anew_and_taken_back() -> None:
    desk = two_markets()
    desk.countdown(1, 150)
    desk.countdown(1, 170)
    assert desk.tick(160) == []
    assert desk.engine.due() == 170
    desk.countdown(1, 0)
    assert desk.engine.due() is None
    assert desk.tick(180) == []


def test_switches_go_off_in_order_even_with_nothing_to_take_back() -> None:
    desk = Desk()
    desk.countdown(2, 130)
    desk.countdown(1, 130)
    desk.countdown(3, 120)
    assert desk.tick(140) == [repr(CountdownSet(user, 0)) for user in (3, 1, 2)]


def test_a_switch_stays_set_for_what_stands_in_a_halted_market() -> None:
    desk = two_markets()
    desk.countdown(1, 150)
    desk.set_state("halted", market_id=2)
    assert desk.tick(150) == ["#1 done: disconnect, frees 90", "#3 done: disconnect, frees 1"]
    assert desk.engine.due() is None
    desk.set_state("cancel_only", market_id=2)
    assert desk.engine.due() == 150
    assert desk.tick(160) == ["#2 done: disconnect, frees 1", repr(CountdownSet(1, 0))]


def test_a_tick_begins_no_further_switch_once_it_has_closed_enough() -> None:
    desk = Desk()
    desk.engine.closes_max = 1
    for user in (1, 1, 2, 2):
        desk.buy(user, 1, 90)
    for user in (1, 2):
        desk.countdown(user, 110)
    assert [s[:2] for s in desk.tick(120) if "done" in s] == ["#1", "#2"]
    assert [s[:2] for s in desk.tick(120) if "done" in s] == ["#3", "#4"]


def test_a_tick_says_that_it_was_one() -> None:
    assert Desk().do(Tick(5)) == [Ticked()]
