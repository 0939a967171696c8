"""Trailing stops: they follow the market one way only, and give back at once what they need not hold any more."""

from __future__ import annotations

import pytest

from tests.unit.engine_desk import Desk, terms
from trading.engine.rules import BUY, SELL
from trading.engine.triggers import trailing_stop


def test_it_needs_a_price_to_trail() -> None:
    desk = Desk(min_notional=10)
    assert desk.tell(desk.place(1, "sell", 5, kind="trailing_stop", trail_ticks=5)) == ["refused: no_reference_price"]


def test_a_sell_follows_the_price_up_and_never_down() -> None:
    desk = Desk(last=100)
    desk.tell(desk.place(1, "sell", 5, kind="trailing_stop", trail_ticks=5))
    assert desk.order(1).stop_price == 95
    assert desk.trade(103) == ["#1 ratchets to 98"]
    assert desk.trade(99) == []
    assert desk.order(1).extreme == 103
    assert desk.trade(98) == ["#1 triggered, frees 5", "#1 done: no_liquidity"]


def test_a_buy_follows_the_price_down_and_gives_back_the_difference() -> None:
    desk = Desk(last=100, slippage_ppm=100_000)
    assert desk.tell(desk.place(1, "buy", 5, kind="trailing_stop", trail_ticks=10))[-1] == "#1 armed 5, holds 605"
    assert desk.trade(90) == ["#1 ratchets to 100, frees 55"]
    assert (desk.order(1).cap, desk.order(1).held) == (110, 550)
    assert desk.trade(99) == []
    assert desk.trade(100)[0] == "#1 triggered, frees 550"


def test_one_by_a_quote_amount_holds_the_same_all_the_way() -> None:
    desk = Desk(last=100)
    desk.tell(desk.place(1, "buy", kind="trailing_stop", quote=500, trail_ticks=10))
    assert desk.trade(90) == ["#1 ratchets to 100"]
    assert desk.order(1).held == 500


@pytest.mark.parametrize(
    ("side", "extreme", "stated", "stop"),
    [
        (SELL, 100, {"trail_ticks": 5}, 95), (BUY, 100, {"trail_ticks": 5}, 105), (SELL, 1_000, {"trail_ppm": 15_000}, 985),
        (BUY, 1_000, {"trail_ppm": 15_000}, 1_015), (SELL, 10, {"trail_ppm": 15_000}, 9), (SELL, 3, {"trail_ticks": 5}, 1),
        (BUY, 199, {"trail_ppm": 10_000}, 200),
    ],
)  # fmt: skip
def test_where_it_stands(side: object, extreme: int, stated: dict[str, int], stop: int) -> None:
    assert trailing_stop(side, extreme, terms(**stated)) == stop


def test_one_that_would_be_met_at_once_is_refused() -> None:
    desk = Desk(last=1)
    assert desk.tell(desk.place(1, "sell", 5, kind="trailing_stop", trail_ticks=5)) == ["refused: stop_would_trigger"]


def test_a_new_best_is_told_even_where_the_stop_stays() -> None:
    desk = Desk(last=199)
    desk.tell(desk.place(1, "sell", 5, kind="trailing_stop", trail_ppm=10_000))
    assert desk.order(1).stop_price == 198
    assert desk.trade(200) == ["#1 ratchets to 198"]
    assert desk.order(1).extreme == 200


def test_on_a_falling_path_it_first_follows_the_beginning_then_is_met_by_the_end() -> None:
    """One sweep trades at 110 and at 104: the high of its beginning moves the stop to 105, and its end meets it there."""
    desk = Desk(last=100)
    desk.tell(desk.place(1, "sell", 5, kind="trailing_stop", trail_ticks=5))
    desk.buy(5, 1, 110)
    desk.buy(5, 1, 104)
    assert desk.sell(6, 2, 104)[6:] == ["#1 ratchets to 105", "#1 triggered, frees 5", "#1 done: no_liquidity"]


def test_on_a_rising_path_it_only_follows() -> None:
    desk = Desk(last=100)
    desk.tell(desk.place(1, "sell", 5, kind="trailing_stop", trail_ticks=5))
    desk.sell(5, 1, 104)
    desk.sell(5, 1, 110)
    assert desk.buy(6, 2, 110)[6:] == ["#1 ratchets to 99", "#1 ratchets to 105"]


def test_several_follow_in_the_order_of_their_age_and_keep_it_at_one_stop() -> None:
    desk = Desk(last=100)
    desk.tell(desk.place(1, "sell", 1, kind="trailing_stop", trail_ticks=5))
    desk.tell(desk.place(2, "sell", 1, kind="stop", stop_price=97))
    desk.tell(desk.place(3, "sell", 1, kind="trailing_stop", trail_ticks=5))
    assert desk.trade(102) == ["#1 ratchets to 97", "#3 ratchets to 97"]
    assert [s for s in desk.trade(97) if "triggered" in s] == [f"#{n} triggered, frees 1" for n in (1, 2, 3)]


def test_one_that_came_later_starts_from_the_price_of_then() -> None:
    desk = Desk(last=100)
    desk.trade(120)
    desk.trade(110)
    desk.tell(desk.place(1, "sell", 1, kind="trailing_stop", trail_ticks=5))
    assert desk.order(5).stop_price == 105
    assert desk.trade(111) == ["#5 ratchets to 106"]


def test_one_that_is_taken_back_is_watched_no_more() -> None:
    desk = Desk(last=100)
    desk.tell(desk.place(1, "sell", 1, kind="trailing_stop", trail_ticks=5))
    assert desk.cancel(1, 1) == ["#1 done: user, frees 1"]
    assert desk.trade(200) == [] and desk.trade(1) == []
