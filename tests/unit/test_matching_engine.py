"""The core by example: who trades with whom, at what price, in what order; and that undo leaves no trace."""

from __future__ import annotations

import random

import pytest

from trading.engine import batching
from trading.engine.commands import PLAIN, Cancel, Place, SetMarketState
from trading.engine.events import Accepted, Closed, Event, Refused, Rested, Traded
from trading.engine.fees import fee
from trading.engine.funds import Standing
from trading.engine.matching import Engine
from trading.engine.rules import FILLS_PER_COMMAND_MAX, Kind, Market, MarketState, Side, TimeInForce

MARKET = Market(
    id=1,
    base_asset_id=1,
    quote_asset_id=4,
    lot_base_units=100,
    tick_quote_units=3,
    maker_fee_ppm=1_000,
    taker_fee_ppm=2_000,
)


def engine(shard: int = 5) -> Engine:
    made = Engine(shard=shard)
    made.add_market(MARKET, MarketState.OPEN)
    return made


def order(
    user: int, side: str, lots: int = 0, price: int = 0, *, quote: int = 0, ioc: bool = False, client: str | None = None
) -> Place:
    return Place(
        market_id=1, user_id=user, side=Side.BUY if side == "buy" else Side.SELL, kind=Kind.LIMIT if price else Kind.MARKET,
        time_in_force=TimeInForce.GTC if price and not ioc else TimeInForce.IOC, price=price, lots=lots, quote_units=quote,
        base_account=user * 10, quote_account=user * 10 + 1, client_order_id=client, terms=PLAIN, at=7,
    )  # fmt: skip


def trades(events: list[Event]) -> list[tuple[int, int, int]]:
    """(maker, price, lots) of each fill."""
    return [(event.maker_id, event.price, event.lots) for event in events if isinstance(event, Traded)]


def end(events: list[Event]) -> str:
    last = events[-1]
    return last.reason if isinstance(last, Closed) else "rested" if isinstance(last, Rested) else last.code


def test_the_best_price_first_then_the_oldest() -> None:
    shard = engine()
    for user, price in ((1, 102), (2, 101), (3, 101), (4, 103)):
        shard.apply(order(user, "sell", 10, price))
    events = shard.apply(order(9, "buy", 35, 103))
    assert trades(events) == [(2, 101, 10), (3, 101, 10), (1, 102, 10), (4, 103, 5)]
    assert end(events) == "filled"
    assert [o.user_id for o in shard.books[1].asks.in_priority()] == [4]


def test_ids_are_counter_times_1024_plus_shard() -> None:
    shard = engine(shard=5)
    first = shard.apply(order(1, "sell", 1, 100))[0]
    second = shard.apply(order(2, "buy", 1, 100))
    assert isinstance(first, Accepted) and first.order_id == 1 * 1024 + 5
    assert [(e.id, e.maker_order_id, e.taker_order_id) for e in second if isinstance(e, Traded)] == [(1029, 1029, 2053)]


def test_both_sides_pay_their_fee_in_what_they_receive() -> None:
    shard = engine()
    shard.apply(order(1, "sell", 7, 11))
    (fill,) = (e for e in shard.apply(order(2, "buy", 7, 12)) if isinstance(e, Traded))
    assert (fill.base_units, fill.quote_units) == (700, 11 * 7 * 3)
    assert fill.buyer_fee == fee(700, ppm=MARKET.taker_fee_ppm) == 2
    assert fill.seller_fee == fee(231, ppm=MARKET.maker_fee_ppm) == 1


def test_a_market_order_never_rests() -> None:
    shard = engine()
    assert end(shard.apply(order(2, "buy", 5))) == "no_liquidity"
    shard.apply(order(1, "sell", 3, 100))
    events = shard.apply(order(2, "buy", 5))
    assert (trades(events), end(events)) == ([(1, 100, 3)], "no_liquidity")
    assert not shard.books[1].bids.depth(10)


def test_a_quote_amount_is_never_overspent() -> None:
    shard = engine()
    shard.apply(order(1, "sell", 3, 100))
    shard.apply(order(1, "sell", 9, 200))
    events = shard.apply(order(2, "buy", quote=3 * 300 + 2 * 600 + 599))
    assert (trades(events), end(events)) == ([(1, 100, 3), (1, 200, 2)], "filled")
    assert end(shard.apply(order(2, "buy", quote=599))) == "too_small"


def test_self_trade_keeps_the_fills_before_and_cancels_the_rest() -> None:
    shard = engine()
    shard.apply(order(1, "sell", 2, 100))
    shard.apply(order(2, "sell", 2, 101))
    events = shard.apply(order(2, "buy", 5, 105))
    assert (trades(events), end(events)) == ([(1, 100, 2)], "self_trade")
    assert [o.user_id for o in shard.books[1].asks.in_priority()] == [2]


def test_one_command_fills_a_thousand_orders_at_most() -> None:
    shard = engine()
    for _ in range(FILLS_PER_COMMAND_MAX + 1):
        shard.apply(order(1, "sell", 1, 100))
    events = shard.apply(order(2, "buy", FILLS_PER_COMMAND_MAX + 1, 100))
    assert (len(trades(events)), end(events)) == (FILLS_PER_COMMAND_MAX, "too_many_fills")


def test_cancel_by_either_id_and_only_by_the_owner() -> None:
    shard = engine()
    first = shard.apply(order(1, "buy", 4, 90, client="mine"))[0].order_id
    shard.apply(order(1, "buy", 4, 91))
    assert end(shard.apply(Cancel(user_id=2, order_id=first, client_order_id=None, at=8))) == "order_not_found"
    assert end(shard.apply(Cancel(user_id=2, order_id=0, client_order_id="mine", at=8))) == "order_not_found"
    assert shard.apply(order(1, "buy", 1, 1, client="mine")) == [Refused("client_order_id_taken")]
    done = shard.apply(Cancel(user_id=1, order_id=0, client_order_id="mine", at=8))
    assert done == [Closed(first, 11, 90, 4 * 90 * 3, "user")]
    assert end(shard.apply(Cancel(user_id=1, order_id=first, client_order_id=None, at=8))) == "order_not_found"
    assert end(shard.apply(order(1, "buy", 1, 1, client="mine"))) == "rested"


@pytest.mark.parametrize(
    ("state", "place", "cancel"),
    [(MarketState.CANCEL_ONLY, "market_closed", "user"), (MarketState.HALTED, "market_closed", "market_closed")],
)
def test_a_closed_market(state: MarketState, place: str, cancel: str) -> None:
    shard = engine()
    resting = shard.apply(order(1, "buy", 4, 90))[0].order_id
    shard.apply(SetMarketState(market_id=1, state=state, at=8))
    assert end(shard.apply(order(1, "buy", 4, 90))) == place
    assert end(shard.apply(Cancel(user_id=1, order_id=resting, client_order_id=None, at=8))) == cancel
    assert shard.apply(SetMarketState(market_id=9, state=state, at=8)) == [Refused("market_not_found")]


def test_prices_that_ran_empty_are_swept() -> None:
    shard = engine()
    for price in range(1, 5_000):
        placed = shard.apply(order(1, "buy", 1, price))[0].order_id
        shard.apply(Cancel(user_id=1, order_id=placed, client_order_id=None, at=8))
    shard.apply(order(1, "buy", 1, 3))
    shard.settle()
    assert list(shard.books[1].bids.levels) == [3]
    assert shard.books[1].bids.best().price == 3


def test_a_batch_with_somebody_short_is_the_batch_without_him() -> None:
    """Refused commands leave no trace: not an id, not a place in the queue."""
    rng = random.Random(4)
    commands = [
        order(rng.randint(1, 5), rng.choice(["buy", "sell"]), rng.randint(1, 9), rng.randint(95, 105))
        for _ in range(400)
    ]
    standings = {user * 10 + k: Standing(0 if user == 3 else 10**9, 0, False) for user in range(1, 6) for k in (0, 1)}
    with_him, without_him = engine(), engine()
    matched = batching.match(with_him, commands, lambda wanted: standings)
    batching.match(without_him, [c for c in commands if c.user_id != 3], lambda wanted: standings)
    assert with_him.state_hash() == without_him.state_hash()
    refusals = [end(events) for command, events in zip(commands, matched.events, strict=True) if command.user_id == 3]
    assert set(refusals) == {"insufficient_funds"}


def test_a_batch_asks_for_more_accounts_rather_than_touch_one_unlocked() -> None:
    """Without the first order, which cannot be paid, the second meets a maker whom nobody foresaw."""
    shard = engine()
    shard.apply(order(1, "sell", 5, 100))
    shard.settle()
    before = shard.state_hash()
    commands = [order(6, "sell", 5, 99), order(4, "buy", 5, 100)]
    standings = {user * 10 + k: Standing(0 if user == 6 else 10**9, 0, False) for user in (1, 4, 6) for k in (0, 1)}

    def lock(wanted: object) -> dict[int, Standing]:
        return {account: standing for account, standing in standings.items() if account in wanted}

    with pytest.raises(batching.MoreAccountsNeeded) as caught:
        batching.match(shard, commands, lock)
    assert shard.state_hash() == before
    assert caught.value.accounts >= {10, 11, 40, 41}
    matched = batching.match(shard, commands, lock, also=caught.value.accounts)
    assert [end(events) for events in matched.events] == ["insufficient_funds", "filled"]
    assert trades(matched.events[1]) == [(1, 100, 5)]


def test_a_batch_ends_where_its_fills_are_enough() -> None:
    shard = engine()
    for _ in range(4):
        for _ in range(FILLS_PER_COMMAND_MAX):
            shard.apply(order(1, "sell", 1, 100))
    shard.settle()
    commands = [order(2, "buy", FILLS_PER_COMMAND_MAX, 100) for _ in range(4)]
    standings = {user * 10 + k: Standing(10**9, 0, False) for user in (1, 2) for k in (0, 1)}
    assert len(batching.match(shard, commands, lambda wanted: standings).events) == 3
