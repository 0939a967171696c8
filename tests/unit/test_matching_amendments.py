"""Amending: a smaller order keeps its place, anything else begins anew under the same id, and what is refused changes nothing."""

from __future__ import annotations

import pytest

from tests.unit.engine_desk import Desk


def test_less_keeps_its_place() -> None:
    desk = Desk()
    desk.buy(1, 5, 100)
    desk.buy(2, 5, 100)
    assert desk.amend(1, 1, lots=3) == ["#1 reduced to 3, frees 200"]
    assert desk.sell(3, 1, 100)[1] == "#3 takes 1 @ 100 of #1"


def test_more_loses_its_place() -> None:
    desk = Desk()
    desk.buy(1, 5, 100)
    desk.buy(2, 5, 100)
    assert desk.amend(1, 1, lots=6) == ["#1 amended, frees 500", "#1 rests 6, holds 600"]
    assert desk.sell(3, 1, 100)[1].endswith("of #2")


@pytest.mark.parametrize("lots", [0, 3, 5])
def test_another_price_loses_its_place_whatever_the_size(lots: int) -> None:
    desk = Desk()
    desk.buy(1, 5, 99)
    desk.buy(2, 5, 100)
    assert desk.amend(1, 1, price=100, lots=lots)[0] == "#1 amended, frees 495"
    assert [order.user_id for order in desk.book.bids.in_priority()] == [2, 1]


def test_the_size_is_the_new_total_with_what_is_filled() -> None:
    desk = Desk()
    desk.buy(1, 5, 100)
    desk.sell(2, 2, 100)
    assert desk.amend(1, 1, lots=2) == ["refused: quantity_below_filled"]
    assert desk.amend(1, 1, lots=3) == ["#1 reduced to 1, frees 200"]
    assert (desk.order(1).lots, desk.order(1).filled_lots) == (3, 2)


def test_a_price_that_crosses_takes_as_a_taker_under_the_same_id() -> None:
    desk = Desk(maker_fee_ppm=0, taker_fee_ppm=10_000)
    desk.sell(2, 2, 105)
    desk.buy(1, 5, 100)
    assert desk.amend(1, 2, price=106) == [
        "#2 amended, frees 500", "#2 takes 2 @ 105 of #1", "#1 done: filled", "#2 rests 3, holds 318",
    ]  # fmt: skip
    assert desk.order(2).fee == 1


def test_it_may_be_filled_wholly_and_trigger_others() -> None:
    desk = Desk(last=100)
    desk.tell(desk.place(3, "sell", 1, kind="take_profit", stop_price=105))
    desk.sell(2, 5, 105)
    desk.buy(1, 5, 100)
    assert desk.amend(1, 3, price=105)[-3:] == ["#3 done: filled", "#1 triggered, frees 1", "#1 done: no_liquidity"]


def test_it_meets_the_checks_of_a_new_order_and_a_refusal_changes_nothing() -> None:
    desk = Desk(last=100, band_ppm=100_000, min_notional=300)
    desk.buy(1, 5, 99)
    desk.sell(2, 5, 105)
    assert desk.amend(1, 1, price=89) == ["refused: price_out_of_band"]
    assert desk.amend(1, 1, price=98, lots=3) == ["refused: notional_too_small"]
    assert desk.amend(1, 1, lots=1) == ["#1 reduced to 1, frees 396"]  # less of the same is always possible
    desk.sell(3, 5, 110, post_only=True)
    desk.buy(1, 5, 104)
    assert desk.amend(3, 3, price=104) == ["refused: post_only_would_match"]
    assert desk.order(3).rank == 3


def test_nothing_to_change_or_not_one_s_own() -> None:
    desk = Desk()
    desk.buy(1, 5, 100)
    for said in (desk.amend(1, 1), desk.amend(1, 1, price=100), desk.amend(1, 1, lots=5, price=100)):
        assert said == ["refused: amend_not_possible"]
    assert desk.amend(1, 1, stop=50) == ["refused: amend_not_possible"]
    assert desk.amend(2, 1, lots=3) == ["refused: order_not_found"]
    assert desk.amend(1, 7, lots=3) == ["refused: order_not_found"]


@pytest.mark.parametrize(("state", "possible"), [("halted", False), ("cancel_only", False), ("post_only", True)])
def test_the_market_must_take_orders(state: str, possible: bool) -> None:
    desk = Desk()
    desk.buy(1, 5, 100)
    desk.set_state(state)
    assert (desk.amend(1, 1, lots=3) == ["refused: market_closed"]) != possible


def test_an_armed_order_may_have_another_trigger_price_and_size() -> None:
    desk = Desk(last=100, slippage_ppm=100_000)
    desk.tell(desk.place(1, "buy", 5, kind="stop", stop_price=110))
    assert desk.amend(1, 1, lots=4) == ["#1 reduced to 4, frees 121"]
    assert desk.amend(1, 1, stop=120) == ["#1 amended, frees 484", "#1 armed 4, holds 528"]
    assert desk.amend(1, 1, stop=90) == ["refused: stop_would_trigger"]
    assert desk.amend(1, 1, price=100) == ["refused: amend_not_possible"]
    desk.tell(desk.place(2, "sell", 5, kind="stop_limit", price=95, stop_price=96))
    assert desk.amend(2, 3, price=94, stop=95) == ["#3 amended, frees 5", "#3 armed 5, holds 5"]
    assert (desk.order(3).price, desk.order(3).stop_price) == (94, 95)


def test_a_trailing_stop_may_only_change_its_size() -> None:
    desk = Desk(last=100)
    desk.tell(desk.place(1, "sell", 5, kind="trailing_stop", trail_ticks=5))
    assert desk.amend(1, 1, stop=90) == ["refused: amend_not_possible"]
    assert desk.amend(1, 1, price=90) == ["refused: amend_not_possible"]
    assert desk.amend(1, 1, lots=6) == ["#1 amended, frees 5", "#1 armed 6, holds 6"]
    assert desk.trade(101) == ["#1 ratchets to 96"]


def test_one_that_waits_for_its_turn_or_goes_by_quote_amount_cannot_change() -> None:
    desk = Desk(last=100, triggers_max=0)
    desk.tell(desk.place(1, "sell", 5, kind="stop", stop_price=95))
    desk.tell(desk.place(2, "buy", kind="stop", quote=500, stop_price=110))
    desk.trade(95)
    assert desk.amend(1, 1, lots=3) == ["refused: amend_not_possible"]
    assert desk.amend(2, 2, lots=3) == ["refused: amend_not_possible"]


def test_a_stop_limit_that_rests_is_amended_like_a_limit_order() -> None:
    desk = Desk(last=100, band_ppm=100_000)
    desk.tell(desk.place(1, "sell", 5, kind="stop_limit", price=96, stop_price=95))
    desk.trade(95)
    assert desk.amend(1, 1, stop=90) == ["refused: amend_not_possible"]
    assert desk.amend(1, 1, price=105) == ["refused: price_out_of_band"]
    assert desk.amend(1, 1, price=104) == ["#1 amended, frees 5", "#1 rests 5, holds 5"]


def test_an_iceberg_amended_down_shows_no_more_than_is_left() -> None:
    desk = Desk()
    desk.sell(1, 9, 100, display_lots=4)
    assert desk.amend(1, 1, lots=6) == ["#1 reduced to 6, frees 3"]
    assert desk.depth("sell") == [(100, 4)]
    desk.amend(1, 1, lots=3)
    assert desk.depth("sell") == [(100, 3)]
    desk.amend(1, 1, lots=9)
    assert desk.depth("sell") == [(100, 4)]


def test_its_own_client_order_id_stays_its_own() -> None:
    desk = Desk()
    desk.buy(1, 5, 100, client="mine")
    desk.amend(1, 1, price=101)
    assert desk.buy(1, 1, 1, client="mine") == ["refused: client_order_id_taken"]
