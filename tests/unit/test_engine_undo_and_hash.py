"""Marks, undo and settling over overlapping batches; and that the hash sees whatever could matter later."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.unit.engine_desk import Desk, market
from trading.engine import batching
from trading.engine.check import violations
from trading.engine.commands import Countdown, SetFees
from trading.engine.funds import Standing
from trading.engine.matching import SHARDS_MAX, Engine
from trading.engine.rules import MarketState


def busy(desk: Desk, seed: int, steps: int) -> None:
    """A crowd of every kind of order."""
    rng = random.Random(seed)
    for _ in range(steps):
        user, side, lots = rng.randint(1, 6), rng.choice(["buy", "sell"]), rng.randint(1, 20)
        price, last = rng.randint(90, 110), desk.book.last_price or 100
        kind = rng.choice(
            ["limit", "limit", "limit", "market", "stop", "take_profit_limit", "trailing_stop", "oco", "amend"]
        )
        mode = rng.choice(["cancel_newest", "cancel_oldest", "cancel_both", "decrement"])
        if kind == "limit":
            shown = rng.choice([0, max(1, lots // 3)]) if lots > 1 else 0
            desk.tell(desk.place(user, side, lots, price=price, display_lots=shown, self_trade=mode))
        elif kind == "market":
            desk.at_market(user, side, lots, self_trade=mode)
        elif kind == "oco":
            up, down = last + rng.randint(1, 9), max(1, last - rng.randint(1, 9))
            desk.oco(user, side, lots, price=up if side == "sell" else down, stop=down if side == "sell" else up)
        elif kind == "amend":
            live = [order for order in desk.engine.orders.values() if order.live]
            if live:
                order = rng.choice(live)
                desk.amend(order.user_id, order.id // SHARDS_MAX, lots=rng.randint(1, 20), price=rng.choice([0, price]))
        elif kind == "trailing_stop":
            desk.tell(desk.place(user, side, lots, kind=kind, trail_ticks=rng.randint(1, 5)))
        else:
            limit = price if kind == "take_profit_limit" else 0
            desk.tell(desk.place(user, side, lots, kind=kind, price=limit, stop_price=rng.randint(85, 115)))


@pytest.mark.parametrize("seed", range(5))
def test_the_newer_of_two_batches_is_taken_back_while_the_older_is_made_final(seed: int) -> None:
    desk = Desk(last=100)
    busy(desk, seed, 60)
    desk.engine.settle()
    busy(desk, seed + 100, 40)
    second, before = desk.engine.mark(), desk.engine.state_hash()
    busy(desk, seed + 200, 40)
    desk.engine.settle(second)
    assert not violations(desk.engine)
    desk.engine.undo(second)
    assert desk.engine.state_hash() == before
    assert not violations(desk.engine)
    assert desk.engine.mark() == second
    assert all(order.live for order in desk.engine.orders.values()), "what was done is forgotten once it is final"


@pytest.mark.parametrize("seed", range(5))
def test_both_batches_are_taken_back_at_once(seed: int) -> None:
    desk = Desk(last=100)
    busy(desk, seed, 60)
    desk.engine.settle()
    before = desk.engine.state_hash()
    busy(desk, seed + 100, 80)
    desk.engine.undo()
    assert desk.engine.state_hash() == before
    assert not violations(desk.engine)


def test_what_is_settled_cannot_be_taken_back() -> None:
    desk = Desk()
    mark = desk.engine.mark()
    desk.buy(1, 1, 100)
    desk.engine.settle()
    with pytest.raises(ValueError, match="settled"):
        desk.engine.undo(mark)


def test_a_done_order_is_known_until_it_is_settled() -> None:
    desk = Desk()
    desk.buy(1, 1, 100)
    desk.cancel(1, 1)
    assert desk.engine.order(SHARDS_MAX).reason == "user"
    desk.engine.settle()
    assert desk.engine.order(SHARDS_MAX) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.buy(1, 1, 100), lambda d: d.set_state("halted"), lambda d: d.set_rules(max_open_orders=7),
        lambda d: d.do(SetFees(1, 5, 5, 1)), lambda d: d.do(Countdown(1, 900, 1)), lambda d: d.trade(100),
        lambda d: d.amend(5, 1, lots=9), lambda d: d.amend(5, 1, lots=11), lambda d: d.amend(5, 2, stop=120),
        lambda d: d.trade(97), lambda d: d.sell(3, 1, 90, tif="IOC"),
    ],
)  # fmt: skip
def test_the_hash_sees_each_change(change: Any) -> None:
    desk = Desk(last=100)
    desk.buy(5, 10, 90, display_lots=2)
    desk.tell(desk.place(5, "buy", 1, kind="stop", stop_price=110))
    desk.tell(desk.place(5, "buy", 1, kind="trailing_stop", trail_ticks=9))
    before = desk.engine.state_hash()
    change(desk)
    assert desk.engine.state_hash() != before


def test_the_hash_does_not_depend_on_how_the_state_was_come_by() -> None:
    one, other = Desk(), Desk()
    for desk, users in ((one, (1, 2)), (other, (2, 1))):
        for user in users:
            desk.do(SetFees(user, 5, 5, 1))
            desk.do(Countdown(user, 900 + user, 1))
    assert one.engine.state_hash() == other.engine.state_hash()


def test_a_loaded_engine_is_the_same_engine() -> None:
    desk = Desk(last=100, triggers_max=1)
    busy(desk, 7, 150)
    desk.engine.settle()
    fresh = Engine(shard=0, next_order=desk.engine.next_order, next_trade=desk.engine.next_trade)
    fresh.add_market(market(), MarketState.OPEN, desk.book.last_price)
    for order in sorted(desk.engine.orders.values(), key=lambda order: order.rank):
        fresh.load(order)
    assert fresh.state_hash() == desk.engine.state_hash()
    assert not violations(fresh)


def test_batches_that_overlap_end_where_batches_that_do_not_end() -> None:
    """The second batch is matched on credit while the first is not settled, and somebody in it cannot pay."""
    rng = random.Random(11)
    desk = Desk()
    commands = [
        desk.place(rng.randint(1, 5), rng.choice(["buy", "sell"]), rng.randint(1, 9), price=rng.randint(95, 105))
        for _ in range(400)
    ]
    standings = {user * 10 + k: Standing(0 if user == 3 else 10**9, 0, False) for user in range(1, 6) for k in (1, 2)}
    plain, overlapping = Desk().engine, Desk().engine
    funds = standings
    for part in (commands[:200], commands[200:]):
        matched = batching.match(plain, part, lambda wanted: funds)  # noqa: B023
        plain.settle()
        funds = {account: matched.funds.standing(account) for account in funds}
    first = batching.match(overlapping, commands[:200], lambda wanted: standings)
    second = batching.on_credit(overlapping, commands[200:])
    overlapping.settle(second.start)
    after = {account: first.funds.standing(account) for account in standings}
    judged = batching.judge(overlapping, commands[200:], second, after)
    assert overlapping.state_hash() == plain.state_hash()
    assert {account: judged.funds.standing(account) for account in funds} == funds


def test_idle_accounts_are_forgotten_but_for_their_tiers() -> None:
    desk = Desk()
    engine = desk.engine
    engine.accounts_max = 10
    engine.apply(SetFees(500, 5, 5, 1))
    for user in range(1, 50):
        engine.apply(desk.place(user, "buy", 1, price=90, tif="IOC"))
    engine.apply(desk.place(77, "buy", 1, price=90))
    engine.settle()
    assert set(engine.accounts) == {500, 77}


def test_what_expired_long_ago_leaves_no_entry_behind() -> None:
    desk = Desk()
    engine = desk.engine
    desk.book.expiries_max = 10
    for _ in range(50):
        engine.apply(desk.place(1, "buy", 1, price=90, tif="GTD", expires_at=10**6))
        desk.cancel(1, engine.next_order - 1)
    engine.apply(desk.place(1, "buy", 1, price=90, tif="GTD", expires_at=10**6))
    engine.settle()
    assert len(desk.book.expiries) == 1
    assert engine.due() == 10**6
