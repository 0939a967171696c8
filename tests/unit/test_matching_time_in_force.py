"""How long an order lives: at once or never, whole or not at all, until a date; and who may only ever make."""

from __future__ import annotations

import pytest

from tests.unit.engine_desk import Desk


def test_immediate_or_cancel_takes_what_there_is_and_never_rests() -> None:
    desk = Desk()
    desk.sell(1, 3, 100)
    assert desk.buy(2, 5, 100, tif="IOC") == [
        "#2 new", "#2 takes 3 @ 100 of #1", "#1 done: filled", "#2 done: no_liquidity",
    ]  # fmt: skip
    assert desk.buy(2, 5, 100, tif="IOC") == ["#3 new", "#3 done: no_liquidity"]
    assert desk.depth("buy") == []


def test_fill_or_kill_fills_wholly() -> None:
    desk = Desk()
    desk.sell(1, 3, 100)
    desk.sell(1, 3, 101)
    assert desk.buy(2, 5, 101, tif="FOK")[-1] == "#3 done: filled"
    assert desk.depth("sell") == [(101, 1)]


def test_fill_or_kill_that_cannot_leaves_everything_as_it_was() -> None:
    desk = Desk()
    desk.sell(1, 3, 100)
    desk.sell(1, 3, 102)
    assert desk.buy(2, 5, 101, tif="FOK") == ["#3 new", "#3 done: not_fillable"]
    assert desk.depth("sell") == [(100, 3), (102, 3)]
    assert desk.book.last_price == 0
    assert desk.engine.next_trade == 1


def test_fill_or_kill_does_not_count_what_self_trade_prevention_took_away() -> None:
    """Its own order in the way is smaller for nothing, so that is undone as well."""
    desk = Desk()
    desk.sell(2, 2, 100)
    desk.sell(1, 5, 100)
    for mode in ("decrement", "cancel_both", "cancel_newest"):
        assert desk.buy(2, 5, 100, tif="FOK", self_trade=mode)[1:] == [
            f"#{desk.engine.next_order - 1} done: not_fillable"
        ]
    assert desk.depth("sell") == [(100, 7)]
    assert desk.buy(2, 5, 100, tif="FOK", self_trade="cancel_oldest")[1] == "#1 done: self_trade, frees 2"


def test_fill_or_kill_at_market_by_quote_amount() -> None:
    desk = Desk()
    desk.sell(1, 3, 100)
    assert desk.at_market(2, "buy", quote=301, tif="FOK")[-1] == "#2 done: not_fillable"
    assert desk.at_market(2, "buy", quote=299, tif="FOK")[-1] == "#3 done: filled"
    assert desk.at_market(2, "buy", quote=99, tif="FOK")[-1] == "#4 done: not_fillable"


def test_good_till_date_is_refused_when_the_date_is_past_and_expires_when_it_comes() -> None:
    desk = Desk()
    assert desk.buy(1, 1, 100, tif="GTD", expires_at=100) == ["refused: already_expired"]
    desk.buy(1, 1, 100, tif="GTD", expires_at=101)
    desk.buy(1, 2, 100, tif="GTD", expires_at=105)
    assert desk.engine.due() == 101
    assert desk.tick(100) == []
    assert desk.tick(101) == ["#1 done: expired, frees 100"]
    assert desk.engine.due() == 105
    assert desk.tick(500) == ["#2 done: expired, frees 200"]
    assert desk.engine.due() is None


def test_expiries_come_by_time_and_a_halted_market_keeps_its_own() -> None:
    desk = Desk()
    desk.buy(1, 1, 100, tif="GTD", expires_at=120)
    desk.buy(1, 1, 100, tif="GTD", expires_at=110)
    desk.set_state("halted")
    assert desk.engine.due() is None
    assert desk.tick(130) == []
    desk.set_state("cancel_only")
    assert desk.engine.due() == 110
    assert desk.tick(130) == ["#2 done: expired, frees 100", "#1 done: expired, frees 100"]


def test_a_tick_closes_no_more_than_its_share() -> None:
    desk = Desk()
    desk.engine.closes_max = 2
    for _ in range(5):
        desk.buy(1, 1, 100, tif="GTD", expires_at=110)
    assert [len(desk.tick(110)) for _ in range(4)] == [2, 2, 1, 0]


def test_an_expiry_of_an_undone_order_touches_no_later_one_of_the_same_id() -> None:
    desk = Desk()
    mark = desk.engine.mark()
    desk.buy(1, 1, 100, tif="GTD", expires_at=110)
    desk.engine.undo(mark)
    desk.buy(2, 1, 100)
    assert desk.engine.due() is None
    assert desk.tick(110) == []


@pytest.mark.parametrize("price", [100, 101])
def test_post_only_is_refused_where_it_would_match(price: int) -> None:
    desk = Desk()
    desk.sell(1, 1, 100)
    assert desk.buy(2, 1, price, post_only=True) == ["refused: post_only_would_match"]
    assert desk.buy(1, 1, price, post_only=True) == ["refused: post_only_would_match"]  # its owner's own counts, too
    assert desk.buy(2, 1, 99, post_only=True) == ["#2 new", "#2 rests 1, holds 99"]


def test_a_market_that_is_post_only_takes_makers_and_nobody_else() -> None:
    desk = Desk()
    desk.sell(1, 1, 100)
    desk.set_state("post_only")
    assert desk.buy(2, 1, 100) == ["refused: post_only_would_match"]
    assert desk.buy(2, 1, 99)[-1] == "#2 rests 1, holds 99"
    for taker in (
        desk.buy(2, 1, 100, tif="IOC"), desk.buy(2, 1, 100, tif="FOK"), desk.at_market(2, "buy", 1),
    ):  # fmt: skip
        assert taker == ["refused: market_post_only"]
    assert desk.amend(2, 2, price=100) == ["refused: post_only_would_match"]
    assert desk.amend(2, 2, price=98)[-1] == "#2 rests 1, holds 98"
