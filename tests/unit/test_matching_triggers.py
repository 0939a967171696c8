"""Stops and take-profits: what triggers them, what they hold, in what order they run, and what they may cost."""

from __future__ import annotations

import pytest

from tests.unit.engine_desk import Desk


@pytest.mark.parametrize(
    ("kind", "side", "stop", "quiet", "trigger"),
    [
        ("stop", "buy", 105, 104, 105), ("stop", "sell", 95, 96, 95), ("take_profit", "buy", 95, 96, 95),
        ("take_profit", "sell", 105, 104, 105), ("stop_limit", "buy", 105, 104, 106), ("stop_limit", "sell", 95, 96, 94),
        ("take_profit_limit", "buy", 95, 96, 94), ("take_profit_limit", "sell", 105, 104, 106),
    ],
)  # fmt: skip
def test_each_kind_waits_for_its_side_of_the_price(kind: str, side: str, stop: int, quiet: int, trigger: int) -> None:
    desk = Desk(last=100)
    limit = stop if kind.endswith("limit") else 0
    assert desk.tell(desk.place(1, side, 2, kind=kind, price=limit, stop_price=stop))[1].startswith(
        "#1 armed 2, holds "
    )
    assert desk.trade(quiet) == []
    assert desk.trade(trigger)[0].startswith("#1 triggered, frees ")


@pytest.mark.parametrize(
    ("kind", "side", "stop"),
    [
        ("stop", "buy", 100),
        ("stop", "sell", 100),
        ("take_profit", "buy", 100),
        ("take_profit", "sell", 99),
        ("stop", "buy", 1),
    ],
)
def test_a_trigger_that_is_met_already_is_refused(kind: str, side: str, stop: int) -> None:
    desk = Desk(last=100)
    assert desk.tell(desk.place(1, side, 2, kind=kind, stop_price=stop)) == ["refused: stop_would_trigger"]


def test_without_a_last_price_a_stop_waits() -> None:
    desk = Desk()
    assert desk.tell(desk.place(1, "buy", 2, kind="stop", stop_price=1))[-1].startswith("#1 armed")


def test_a_stop_holds_its_worst_fill_and_gives_back_what_a_better_one_left() -> None:
    desk = Desk(last=100, slippage_ppm=50_000)
    assert (
        desk.tell(desk.place(1, "buy", 2, kind="stop", stop_price=110))[-1] == "#1 armed 2, holds 230"
    )  # ⌊110 × 1.05⌋ × 2
    assert desk.tell(desk.place(2, "sell", 2, kind="stop", stop_price=90))[-1] == "#2 armed 2, holds 2"
    assert (
        desk.tell(desk.place(3, "buy", 2, kind="stop", stop_price=110, slippage_ppm=100_000))[-1]
        == "#3 armed 2, holds 242"
    )
    assert (
        desk.tell(desk.place(4, "buy", 2, kind="stop_limit", price=112, stop_price=110))[-1] == "#4 armed 2, holds 224"
    )
    assert desk.tell(desk.place(5, "buy", kind="stop", quote=777, stop_price=110))[-1] == "#5 armed 0, holds 777"


def test_the_cap_is_kept_when_the_market_s_slippage_changes() -> None:
    desk = Desk(last=100, slippage_ppm=50_000)
    desk.tell(desk.place(1, "buy", 2, kind="stop", stop_price=110))
    desk.set_rules(slippage_ppm=500_000)
    desk.sell(3, 9, 130)
    assert desk.trade(111) == ["#1 triggered, frees 230", "#1 done: slippage"]


def test_a_triggered_stop_limit_rests_with_what_is_left() -> None:
    desk = Desk(last=100)
    desk.tell(desk.place(1, "sell", 5, kind="stop_limit", price=94, stop_price=95))
    desk.buy(2, 2, 94)
    desk.buy(3, 1, 95)
    assert desk.sell(4, 1, 95)[3:] == [
        "#4 done: filled", "#1 triggered, frees 5", "#1 takes 2 @ 94 of #2", "#2 done: filled", "#1 rests 3, holds 3",
    ]  # fmt: skip
    assert desk.depth("sell") == [(94, 3)]


def test_it_rests_behind_those_who_stood_there_before_it_was_triggered() -> None:
    desk = Desk(last=100)
    desk.tell(desk.place(1, "sell", 5, kind="stop_limit", price=96, stop_price=95))
    desk.sell(2, 5, 96)
    desk.trade(95)
    assert [order.user_id for order in desk.book.asks.in_priority()] == [2, 1]
    assert desk.order(1).rank == 6  # one number to wait with, one to rest with


def test_a_market_s_first_price_meets_those_below_it_and_then_those_above() -> None:
    desk = Desk()
    desk.tell(desk.place(1, "buy", 1, kind="stop", stop_price=90))
    desk.tell(desk.place(2, "sell", 1, kind="stop", stop_price=110))
    said = desk.trade(100)
    assert [s.split(",")[0] for s in said if "triggered" in s] == ["#2 triggered", "#1 triggered"]


def test_a_stop_by_quote_amount_spends_no_more_than_it_held() -> None:
    desk = Desk(last=100)
    desk.tell(desk.place(1, "buy", kind="stop", quote=550, stop_price=105))
    desk.sell(2, 2, 106)
    desk.sell(2, 9, 110)
    said = desk.trade(105)
    assert said == [
        "#1 triggered, frees 550", "#1 takes 2 @ 106 of #2", "#2 done: filled", "#1 takes 3 @ 110 of #3", "#1 done: filled",
    ]  # fmt: skip
    assert desk.order(1).filled_quote == 542


def test_falling_prices_meet_the_highest_stop_first_then_the_older() -> None:
    desk = Desk(last=100)
    for user, stop in ((1, 94), (2, 96), (3, 96), (4, 95)):
        desk.tell(desk.place(user, "sell", 1, kind="stop", stop_price=stop))
    said = desk.trade(94)
    assert [s for s in said if "triggered" in s] == [f"#{n} triggered, frees 1" for n in (2, 3, 4, 1)]


def test_rising_prices_meet_the_lowest_stop_first_and_upward_ones_before_downward_ones() -> None:
    desk = Desk(last=100)
    desk.tell(desk.place(1, "sell", 1, kind="stop", stop_price=95))
    desk.tell(desk.place(2, "sell", 1, kind="take_profit", stop_price=112))
    desk.tell(desk.place(3, "sell", 1, kind="take_profit", stop_price=111))
    desk.buy(5, 1, 112)
    desk.buy(5, 1, 95)
    # One seller sweeps both bids: the path begins above the last price and ends below it.
    said = desk.sell(6, 2, 95)
    assert [s for s in said if "triggered" in s] == [f"#{n} triggered, frees 1" for n in (3, 2, 1)]


def test_a_run_that_trades_triggers_the_next() -> None:
    desk = Desk(last=100)
    desk.tell(desk.place(1, "sell", 1, kind="stop", stop_price=95))
    desk.tell(desk.place(2, "sell", 1, kind="stop", stop_price=90))
    desk.tell(desk.place(3, "sell", 1, kind="stop", stop_price=85))
    desk.buy(5, 1, 89)
    desk.buy(5, 1, 84)
    said = desk.trade(95)
    assert said == [
        "#1 triggered, frees 1", "#1 takes 1 @ 89 of #4", "#4 done: filled", "#1 done: filled",
        "#2 triggered, frees 1", "#2 takes 1 @ 84 of #5", "#5 done: filled", "#2 done: filled",
        "#3 triggered, frees 1", "#3 done: no_liquidity",
    ]  # fmt: skip


def test_what_is_more_than_a_command_may_do_waits_in_order_for_a_tick() -> None:
    desk = Desk(last=100, triggers_max=2)
    for user in (1, 2, 3, 4, 5):
        desk.tell(desk.place(user, "sell", 1, kind="stop", stop_price=95))
    assert desk.trade(95)[-3:] == ["#3 queued", "#4 queued", "#5 queued"]
    assert desk.engine.has_waiting() and desk.order(3).phase == 3 and desk.order(3).held == 1
    assert desk.cancel(4, 4) == ["#4 done: user, frees 1"]
    assert desk.tick() == [
        "#3 triggered, frees 1", "#3 done: no_liquidity", "#5 triggered, frees 1", "#5 done: no_liquidity",
    ]  # fmt: skip
    assert not desk.engine.has_waiting()


def test_those_who_wait_run_only_while_the_market_is_open() -> None:
    desk = Desk(last=100, triggers_max=1)
    for user in (1, 2):
        desk.tell(desk.place(user, "sell", 1, kind="stop", stop_price=95))
    desk.trade(95)
    for state in ("halted", "cancel_only", "post_only"):
        desk.set_state(state)
        assert not desk.engine.has_waiting()
        assert desk.tick() == []
    desk.set_state("open")
    assert desk.tick()[0] == "#2 triggered, frees 1"


def test_nobody_overtakes_those_who_wait() -> None:
    desk = Desk(last=100, triggers_max=1)
    for user in (1, 2):
        desk.tell(desk.place(user, "sell", 1, kind="stop", stop_price=95))
    desk.trade(95)
    desk.tell(desk.place(3, "sell", 1, kind="stop", stop_price=90))
    assert desk.trade(90) == ["#2 triggered, frees 1", "#2 done: no_liquidity", "#7 queued"]
    assert desk.tick()[0] == "#7 triggered, frees 1"


def test_runs_and_the_taker_share_the_fills_of_one_command() -> None:
    desk = Desk(last=100, fills_max=2)
    desk.tell(desk.place(1, "sell", 3, kind="stop", stop_price=95))
    desk.buy(5, 1, 94)
    desk.buy(5, 1, 93)
    assert desk.trade(95)[-1] == "#1 done: too_many_fills"
    assert desk.depth("buy") == [(93, 1)]
