"""Nobody trades with himself: four ways to prevent it, chosen by the incoming order."""

from __future__ import annotations

from tests.unit.engine_desk import Desk


def test_cancel_newest_keeps_the_fills_before_and_leaves_the_resting_one() -> None:
    desk = Desk()
    desk.sell(1, 2, 100)
    desk.sell(2, 2, 101)
    assert desk.buy(2, 5, 105)[1:] == ["#3 takes 2 @ 100 of #1", "#1 done: filled", "#3 done: self_trade"]
    assert desk.depth("sell") == [(101, 2)]


def test_cancel_oldest_makes_way_and_goes_on() -> None:
    desk = Desk()
    desk.sell(2, 2, 100)
    desk.sell(1, 2, 101)
    assert desk.buy(2, 5, 105, self_trade="cancel_oldest")[1:] == [
        "#1 done: self_trade, frees 2", "#3 takes 2 @ 101 of #2", "#2 done: filled", "#3 rests 3, holds 315",
    ]  # fmt: skip


def test_cancel_both_ends_both() -> None:
    desk = Desk()
    desk.sell(2, 2, 100)
    desk.sell(1, 2, 101)
    assert desk.buy(2, 5, 105, self_trade="cancel_both")[1:] == ["#1 done: self_trade, frees 2", "#3 done: self_trade"]
    assert desk.depth("sell") == [(101, 2)]


def test_the_incoming_order_s_mode_rules() -> None:
    desk = Desk()
    desk.sell(2, 2, 100, self_trade="cancel_oldest")
    assert desk.buy(2, 5, 105)[-1] == "#2 done: self_trade"
    assert desk.depth("sell") == [(100, 2)]


def test_decrement_of_a_smaller_resting_order() -> None:
    desk = Desk()
    desk.sell(2, 2, 100)
    desk.sell(1, 9, 101)
    assert desk.buy(2, 5, 105, self_trade="decrement")[1:] == [
        "#1 done: self_trade, frees 2", "#3 reduced to 3", "#3 takes 3 @ 101 of #2", "#3 done: filled",
    ]  # fmt: skip
    assert (desk.order(3).lots, desk.order(3).filled_lots) == (3, 3)


def test_decrement_of_a_larger_resting_order_keeps_its_place() -> None:
    desk = Desk()
    desk.sell(2, 9, 100)
    desk.sell(1, 9, 100)
    assert desk.buy(2, 5, 105, self_trade="decrement")[1:] == ["#1 reduced to 4, frees 5", "#3 done: self_trade"]
    assert desk.buy(3, 5, 100)[1:3] == ["#4 takes 4 @ 100 of #1", "#1 done: filled"]


def test_decrement_of_an_equal_ends_both() -> None:
    desk = Desk()
    desk.buy(2, 5, 100)
    assert desk.sell(2, 5, 100, self_trade="decrement")[1:] == ["#1 done: self_trade, frees 500", "#2 done: self_trade"]


def test_decrement_of_an_iceberg_counts_all_of_it() -> None:
    desk = Desk()
    desk.sell(2, 9, 100, display_lots=2)
    assert desk.buy(2, 5, 105, self_trade="decrement")[1:] == ["#1 reduced to 4, frees 5", "#2 done: self_trade"]
    assert desk.depth("sell") == [(100, 2)]
    assert desk.buy(2, 3, 105, self_trade="decrement")[1] == "#1 reduced to 1, frees 3"
    assert desk.depth("sell") == [(100, 1)]


def test_decrement_of_a_quote_amount_shrinks_what_it_may_spend() -> None:
    desk = Desk()
    desk.sell(2, 2, 100)
    desk.sell(1, 9, 110)
    assert desk.at_market(2, "buy", quote=530, self_trade="decrement")[1:] == [
        "#1 done: self_trade, frees 2", "#3 reduced to 0", "#3 takes 3 @ 110 of #2", "#3 done: filled",
    ]  # fmt: skip
    assert desk.order(3).quote_units == 330


def test_decrement_by_a_quote_amount_that_affords_less_than_the_resting_order() -> None:
    desk = Desk()
    desk.sell(2, 9, 100)
    assert desk.at_market(2, "buy", quote=350, self_trade="decrement")[1:] == [
        "#1 reduced to 6, frees 3", "#2 done: self_trade",
    ]  # fmt: skip


def test_a_way_made_free_costs_of_the_command_s_budget() -> None:
    desk = Desk(fills_max=2)
    for _ in range(3):
        desk.sell(2, 1, 100)
    said = desk.buy(2, 9, 100, self_trade="cancel_oldest")
    assert said[1:] == ["#1 done: self_trade, frees 1", "#2 done: self_trade, frees 1", "#4 done: too_many_fills"]


def test_a_pair_s_limit_leg_closed_by_self_trade_takes_its_stop_leg_along() -> None:
    desk = Desk(last=100)
    desk.oco(2, "sell", 5, price=110, stop=90)
    assert desk.buy(2, 5, 110, self_trade="cancel_oldest")[1:3] == ["#1 done: self_trade, frees 5", "#2 done: oco"]


def test_a_pair_s_limit_leg_that_is_decremented_goes_on_alone() -> None:
    desk = Desk(last=100)
    desk.oco(2, "sell", 5, price=110, stop=90)
    assert desk.buy(2, 2, 110, self_trade="decrement")[1:] == [
        "#1 reduced to 3, frees 2", "#2 done: oco", "#3 done: self_trade",
    ]  # fmt: skip
    assert desk.order(1).partner == 0
