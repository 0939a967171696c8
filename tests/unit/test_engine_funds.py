"""Who can pay: a command is judged on what its own order newly takes, and every hold is in exactly one event."""

from __future__ import annotations

import pytest

from tests.unit.engine_desk import Desk
from trading.engine.commands import Amend, Cancel, Command, PlaceOco
from trading.engine.events import Event
from trading.engine.funds import AccountNotLocked, Funds, Standing, accounts_of

RICH = Standing(10**12, 0, False)


class Ledger:
    """A desk with balances: judged commands only, and holds that must be the orders' own."""

    def __init__(self, desk: Desk, **balances: Standing) -> None:
        self.desk = desk
        standings = {user * 10 + k: RICH for user in (1, 2, 3, 98, 99) for k in (1, 2)}
        standings.update({int(account[1:]): standing for account, standing in balances.items()})
        self.funds = Funds(standings)

    def do(self, command: Command) -> str:
        mark = self.desk.engine.mark()
        events: list[Event] = self.desk.do(command)
        code = self.funds.judge(events)
        if code:
            self.desk.engine.undo(mark)
        self.holds_agree()
        return code

    def holds_agree(self) -> None:
        held: dict[int, int] = {}
        for order in self.desk.engine.orders.values():
            held[order.pay_account] = held.get(order.pay_account, 0) + order.held
        for account in (11, 12, 21, 22, 31, 32):
            standing = self.funds.standing(account)
            assert standing.held == held.get(account, 0)
            assert 0 <= standing.held <= standing.balance


def test_an_order_is_judged_on_its_fills_and_the_hold_of_its_rest() -> None:
    ledger = Ledger(Desk(), _12=Standing(495, 0, False))
    ledger.do(ledger.desk.place(2, "sell", 2, price=97))
    assert ledger.do(ledger.desk.place(1, "buy", 5, price=101)) == "insufficient_funds"  # 2 × 97 + 3 × 101 = 497
    assert ledger.do(ledger.desk.place(1, "buy", 5, price=100)) == ""
    assert ledger.funds.standing(12) == (301, 300, False)


def test_an_amendment_is_judged_on_what_it_takes_beyond_what_it_gave_back() -> None:
    ledger = Ledger(Desk(), _12=Standing(500, 0, False))
    ledger.do(ledger.desk.place(1, "buy", 5, price=100))
    assert ledger.do(Amend(1, 1024, None, 101, 0, 0, 1)) == "insufficient_funds"
    assert ledger.desk.order(1).price == 100
    assert ledger.do(Amend(1, 1024, None, 83, 6, 0, 1)) == ""
    assert ledger.funds.standing(12).held == 498


def test_a_pair_is_judged_on_the_dearer_leg() -> None:
    desk = Desk(last=100, slippage_ppm=100_000)
    ledger = Ledger(desk, _12=Standing(604, 0, False), _22=Standing(605, 0, False))
    for user, code in ((1, "insufficient_funds"), (2, "")):
        legs = desk.place(user, "buy", 5, price=90), desk.place(user, "buy", 5, kind="stop", stop_price=110)
        assert ledger.do(PlaceOco(*legs, 100)) == code


def test_a_triggered_order_was_paid_for_by_its_hold_and_is_nobody_s_judgement() -> None:
    desk = Desk(last=100, slippage_ppm=100_000)
    ledger = Ledger(desk, _12=Standing(242, 0, False))
    assert ledger.do(desk.place(1, "buy", 2, kind="stop", stop_price=110)) == ""
    ledger.do(desk.place(2, "sell", 5, price=120))
    ledger.do(desk.place(98, "sell", 1, price=111))
    assert ledger.do(desk.place(99, "buy", 1, price=111)) == ""
    assert ledger.funds.standing(12) == (2, 0, False)


def test_the_own_triggered_stop_does_not_count_against_the_order_that_triggers_it() -> None:
    desk = Desk(last=100, slippage_ppm=100_000)
    ledger = Ledger(desk, _12=Standing(242 + 111, 0, False))
    ledger.do(desk.place(1, "buy", 2, kind="stop", stop_price=110))
    ledger.do(desk.place(2, "sell", 1, price=111))
    ledger.do(desk.place(2, "sell", 5, price=120))
    assert ledger.do(desk.place(1, "buy", 1, price=111)) == ""
    assert ledger.funds.standing(12) == (2, 0, False)


@pytest.mark.parametrize("lots", [4, 6])
def test_a_frozen_account_neither_places_nor_amends_but_takes_back(lots: int) -> None:
    ledger = Ledger(Desk())
    ledger.do(ledger.desk.place(1, "buy", 5, price=100))
    standing = ledger.funds.standing(12)
    ledger.funds = Funds(
        {**dict.fromkeys((11, 21, 22, 31, 32), RICH), 12: Standing(standing.balance, standing.held, True)}
    )
    assert ledger.do(ledger.desk.place(1, "buy", 1, price=100)) == "account_frozen"
    assert ledger.do(Amend(1, 1024, None, 0, lots, 0, 1)) == "account_frozen"
    assert ledger.do(Cancel(1, 1024, None, 1)) == ""
    assert ledger.funds.standing(12).held == 0


def test_a_refused_command_books_nothing() -> None:
    ledger = Ledger(Desk(), _12=Standing(99, 0, False))
    assert ledger.do(ledger.desk.place(1, "buy", 1, price=100)) == "insufficient_funds"
    assert ledger.funds.balance_deltas == {} and ledger.funds.held_deltas == {}


def test_a_rebate_is_more_than_the_fill() -> None:
    ledger = Ledger(Desk(maker_fee_ppm=-1_000, taker_fee_ppm=1_000), _12=Standing(0, 0, False))
    ledger.do(ledger.desk.place(1, "sell", 1_000, price=5))
    ledger.do(ledger.desk.place(2, "buy", 1_000, price=5))
    assert ledger.funds.standing(12).balance == 5_005
    assert ledger.funds.standing(21).balance == RICH.balance + 999


def test_accounts_of_a_trade_are_all_four() -> None:
    desk = Desk()
    desk.sell(1, 1, 100)
    events = desk.do(desk.place(2, "buy", 1, price=100))
    assert accounts_of(events) == {11, 12, 21, 22}
    with pytest.raises(AccountNotLocked):
        Funds({11: RICH, 12: RICH, 22: RICH}).require(events)


def test_a_cancel_of_nothing_is_judged_without_a_word() -> None:
    assert Funds({}).judge([]) == ""
