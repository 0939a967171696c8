"""OCO: two orders of which at most one is filled, holding together what the dearer of them costs."""

from __future__ import annotations

from tests.unit.engine_desk import Desk, terms
from trading.engine.commands import PlaceOco


def test_both_legs_stand_and_hold_what_the_dearer_one_costs() -> None:
    desk = Desk(last=100, slippage_ppm=100_000)
    assert desk.oco(1, "buy", 5, price=90, stop=110) == [
        "#1 new", "#1 rests 5, holds 450", "#2 new", "#2 armed 5, holds 155",  # 5 × 121 in all
    ]  # fmt: skip
    assert desk.oco(2, "sell", 5, price=110, stop=90)[-1] == "#4 armed 5, holds 0"
    assert (
        desk.oco(3, "buy", 5, price=90, stop=95 + 10, limit=80)[-1] == "#6 armed 5, holds 0"
    )  # the limit leg is dearer
    assert (desk.order(1).partner, desk.order(2).partner) == (desk.order(2).id, desk.order(1).id)


def test_the_first_fill_of_the_limit_leg_ends_the_stop_leg() -> None:
    desk = Desk(last=100, slippage_ppm=100_000)
    desk.oco(1, "buy", 5, price=90, stop=110)
    assert desk.sell(2, 2, 90)[1:] == ["#3 takes 2 @ 90 of #1", "#2 done: oco, frees 155", "#3 done: filled"]
    assert (desk.order(1).held, desk.order(1).partner) == (270, 0)
    assert desk.amend(1, 1, lots=4) == ["#1 reduced to 2, frees 90"]


def test_a_full_fill_ends_the_stop_leg_first() -> None:
    desk = Desk(last=100)
    desk.oco(1, "sell", 5, price=110, stop=90)
    assert desk.buy(2, 5, 110)[1:] == ["#3 takes 5 @ 110 of #1", "#2 done: oco", "#1 done: filled", "#3 done: filled"]


def test_the_stop_leg_s_trigger_ends_the_limit_leg_and_runs_with_all_they_held() -> None:
    desk = Desk(last=100, slippage_ppm=100_000)
    desk.oco(1, "buy", 5, price=90, stop=110)
    desk.sell(2, 9, 120)
    assert desk.trade(111) == [
        "#2 triggered, frees 155", "#1 done: oco, frees 450", "#2 takes 5 @ 120 of #3", "#2 done: filled",
    ]  # fmt: skip


def test_a_stop_limit_leg_rests_on_alone() -> None:
    desk = Desk(last=100)
    desk.oco(1, "sell", 5, price=110, stop=90, limit=95)
    assert desk.trade(90) == ["#2 triggered", "#1 done: oco, frees 5", "#2 rests 5, holds 5"]
    assert desk.order(2).partner == 0
    assert desk.amend(1, 2, price=96)[-1] == "#2 rests 5, holds 5"


def test_cancel_of_one_ends_both() -> None:
    for name, other in ((1, 2), (2, 1)):
        desk = Desk(last=100)
        desk.oco(1, "sell", 5, price=110, stop=90)
        said = desk.cancel(1, name)
        assert [s.split(",")[0] for s in said] == [f"#{name} done: user", f"#{other} done: oco"]


def test_both_expire_as_one() -> None:
    desk = Desk(last=100)
    desk.oco(1, "sell", 5, price=110, stop=90, tif="GTD", expires_at=105)
    assert desk.tick(105) == ["#1 done: expired, frees 5", "#2 done: oco"]


def test_neither_leg_can_be_amended_while_both_live() -> None:
    desk = Desk(last=100)
    desk.oco(1, "sell", 5, price=110, stop=90)
    for name in (1, 2):
        assert desk.amend(1, name, lots=3) == ["refused: oco_not_amendable"]


def test_neither_leg_is_placed_where_one_may_not() -> None:
    desk = Desk(last=100, max_open_orders=2)
    desk.buy(9, 1, 99)
    assert desk.oco(1, "sell", 5, price=99, stop=90) == ["refused: post_only_would_match"]
    assert desk.oco(1, "sell", 5, price=110, stop=101) == ["refused: stop_would_trigger"]
    desk.sell(1, 1, 120)
    assert desk.oco(1, "sell", 5, price=110, stop=90) == ["refused: too_many_open_orders"]
    desk.cancel(1, 2)
    assert desk.oco(1, "sell", 5, price=110, stop=90)[0] == "#3 new"


def test_legs_that_differ_are_refused() -> None:
    desk = Desk(last=100)
    limit = desk.place(1, "sell", 5, price=110)
    stop = desk.place(1, "sell", 5, kind="stop", stop_price=90)
    for wrong in (
        stop.but(lots=4), stop.but(user_id=2), desk.place(1, "buy", 5, kind="stop", stop_price=110),
        desk.place(1, "sell", 5, kind="take_profit", stop_price=110), stop.but(client_order_id="x"),
        stop.but(terms=terms(stop_price=90, expires_at=500)),
    ):  # fmt: skip
        assert desk.tell(PlaceOco(limit, wrong, 100)) == ["refused: oco_invalid"]


def test_the_limit_leg_s_name_finds_it() -> None:
    desk = Desk(last=100)
    desk.oco(1, "sell", 5, price=110, stop=90, client="mine")
    assert desk.buy(1, 1, 1, client="mine") == ["refused: client_order_id_taken"]


def test_while_the_stop_leg_waits_its_turn_the_limit_leg_may_still_be_filled() -> None:
    desk = Desk(last=100, triggers_max=1)
    desk.tell(desk.place(7, "sell", 1, kind="stop", stop_price=90))
    desk.oco(1, "sell", 5, price=110, stop=90)
    assert desk.trade(90)[-1] == "#3 queued"
    assert desk.buy(2, 1, 110)[1:3] == ["#8 takes 1 @ 110 of #2", "#3 done: oco"]
    assert not desk.engine.has_waiting()
