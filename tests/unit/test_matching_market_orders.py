"""Orders at market: how far they go, and what stops them."""

from __future__ import annotations

import pytest

from tests.unit.engine_desk import Desk, told
from trading.engine.rules import BUY, SELL
from trading.engine.triggers import cap_of


def test_a_market_order_goes_as_far_as_it_says_and_no_further() -> None:
    desk = Desk()
    for price in (100, 101, 102, 103):
        desk.sell(1, 1, price)
    said = desk.at_market(2, "buy", 9, slippage_ppm=20_000)
    assert [s for s in said if "takes" in s] == [
        "#5 takes 1 @ 100 of #1", "#5 takes 1 @ 101 of #2", "#5 takes 1 @ 102 of #3",
    ]  # fmt: skip
    assert said[-1] == "#5 done: slippage"


def test_the_market_s_slippage_counts_where_the_order_states_none() -> None:
    desk = Desk(slippage_ppm=10_000)
    for price in (100, 99, 98):
        desk.buy(1, 1, price)
    said = desk.at_market(2, "sell", 9)
    assert said[-1] == "#4 done: slippage"
    assert desk.book.last_price == 99


def test_nobody_left_is_no_liquidity() -> None:
    desk = Desk()
    assert desk.at_market(2, "buy", 1) == ["#1 new", "#1 done: no_liquidity"]
    desk.sell(1, 1, 100)
    assert desk.at_market(2, "buy", 2)[-1] == "#3 done: no_liquidity"


def test_no_market_order_leaves_the_band_around_the_last_price() -> None:
    desk = Desk(last=100, band_ppm=20_000, slippage_ppm=1_000_000)
    desk.sell(1, 1, 102)
    desk.set_rules(band_ppm=0)
    desk.sell(1, 1, 103)
    desk.set_rules(band_ppm=20_000)
    assert desk.at_market(2, "buy", 2) == ["#3 new", "#3 takes 1 @ 102 of #1", "#1 done: filled", "#3 done: slippage"]
    assert desk.depth("sell") == [(103, 1)]


@pytest.mark.parametrize(
    ("side", "price", "ppm", "worst"),
    [
        (BUY, 100, 20_000, 102), (BUY, 99, 20_000, 100), (SELL, 100, 20_000, 98), (SELL, 99, 20_000, 98),
        (SELL, 1, 1_000_000, 1), (SELL, 50, 1_000_000, 1), (BUY, 1, 1, 1), (BUY, 7, 1_000_000, 14),
    ],
)  # fmt: skip
def test_a_cap_rounds_towards_the_price_it_starts_from(side: object, price: int, ppm: int, worst: int) -> None:
    assert cap_of(side, price, ppm) == worst


def test_a_quote_amount_that_affords_no_more_is_filled() -> None:
    desk = Desk()
    desk.sell(1, 3, 100)
    desk.sell(1, 3, 200)
    assert desk.at_market(2, "buy", quote=499)[-1] == "#3 done: filled"
    assert desk.order(3).filled_quote == 300 and desk.order(3).filled_lots == 3
    assert desk.at_market(2, "buy", quote=199) == ["#4 new", "#4 done: too_small"]


def test_a_quote_amount_is_as_full_as_it_can_be_before_it_meets_its_owner() -> None:
    """What is left affords nothing at the price of the customer's own order: that is filled, not self trade."""
    desk = Desk()
    desk.sell(1, 1, 100)
    desk.sell(2, 1, 200)
    assert desk.at_market(2, "buy", quote=250)[-1] == "#3 done: filled"
    desk.sell(1, 1, 100)
    assert desk.at_market(2, "buy", quote=350)[-1] == "#5 done: self_trade"


def test_the_last_fill_allowed_is_no_too_many_where_nothing_more_was_wanted() -> None:
    desk = Desk(fills_max=2)
    for price in (100, 100, 102):
        desk.sell(1, 1, price)
    assert desk.buy(2, 3, 101)[-1] == "#4 rests 1, holds 101"
    desk.cancel(2, 4)
    for _ in range(3):
        desk.sell(1, 1, 100)
    assert desk.buy(2, 3, 101)[-1] == "#8 done: too_many_fills"


def test_what_it_tells_is_what_the_ledger_needs() -> None:
    desk = Desk(lot_base_units=10, tick_quote_units=3, maker_fee_ppm=1_000, taker_fee_ppm=2_000)
    desk.sell(1, 4, 50)
    fill = desk.do(desk.place(2, "buy", 4, kind="market"))[1]
    assert told(fill) == "#2 takes 4 @ 50 of #1"
    assert (fill.base_units, fill.quote_units, fill.buyer_fee, fill.seller_fee) == (40, 600, 1, 1)
    assert (fill.buyer_base_account, fill.buyer_quote_account) == (21, 22)
    assert (fill.seller_base_account, fill.seller_quote_account) == (11, 12)
