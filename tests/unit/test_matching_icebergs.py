"""Icebergs: the book shows a slice at a time, and each new slice goes to the back of its price."""

from __future__ import annotations

from tests.unit.engine_desk import Desk


def test_the_book_shows_one_slice() -> None:
    desk = Desk()
    assert desk.sell(1, 10, 100, display_lots=3) == ["#1 new", "#1 rests 10, holds 10"]
    assert desk.depth("sell") == [(100, 3)]
    assert desk.book.asks.lots_at(100) == 3


def test_a_used_up_slice_is_refilled_behind_the_others() -> None:
    desk = Desk()
    desk.sell(1, 7, 100, display_lots=3)
    desk.sell(2, 2, 100)
    said = desk.buy(3, 6, 100)
    assert said[1:] == [
        "#3 takes 3 @ 100 of #1", "#3 takes 2 @ 100 of #2", "#2 done: filled", "#3 takes 1 @ 100 of #1", "#3 done: filled",
    ]  # fmt: skip
    assert desk.depth("sell") == [(100, 2)]
    assert desk.order(1).shown == 2


def test_a_slice_that_is_only_bitten_keeps_its_place() -> None:
    desk = Desk()
    desk.sell(1, 7, 100, display_lots=3)
    desk.sell(2, 2, 100)
    desk.buy(3, 2, 100)
    assert [order.rank for order in desk.book.asks.in_priority()] == [1, 2]


def test_the_last_slice_is_what_is_left() -> None:
    desk = Desk()
    desk.sell(1, 7, 100, display_lots=3)
    desk.buy(3, 6, 100)
    assert desk.depth("sell") == [(100, 1)]
    assert desk.buy(3, 1, 100)[-2:] == ["#1 done: filled", f"#{desk.engine.next_order - 1} done: filled"]


def test_one_taker_goes_through_slice_after_slice() -> None:
    desk = Desk()
    desk.sell(1, 7, 100, display_lots=3)
    assert [s for s in desk.buy(3, 7, 100) if "takes" in s] == [
        "#2 takes 3 @ 100 of #1", "#2 takes 3 @ 100 of #1", "#2 takes 1 @ 100 of #1",
    ]  # fmt: skip


def test_it_takes_with_all_it_has_and_then_shows_a_slice_of_the_rest() -> None:
    desk = Desk()
    desk.buy(1, 4, 100)
    desk.sell(2, 10, 100, display_lots=3)
    assert desk.order(2).filled_lots == 4
    assert desk.depth("sell") == [(100, 3)]


def test_a_refill_takes_a_number_and_ids_go_on_behind_it() -> None:
    desk = Desk()
    desk.sell(1, 7, 100, display_lots=3)
    desk.buy(3, 3, 100)
    assert desk.order(1).rank == 3
    assert desk.buy(3, 1, 90)[0] == "#4 new"
