"""Many orders with one word: batches, cancels of all, the dead man's switch; and staff, whose rules the next batch obeys."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

import orjson
import pytest

from exchange.accounts.api import threads
from exchange.assets.models import Rate
from exchange.audit.models import Record
from exchange.core.errors import DomainError
from tests.integration.trading.conftest import ALICE, BOB, CAROL, Engine, Money, eventually, now
from trading import selectors
from trading.models import AccountFee, Market
from trading.presentation import OrderView
from trading.services import catalogue, fees, line, markets, orders, staff

pytestmark = pytest.mark.django_db(transaction=True)
STAFF = 7


@pytest.fixture(autouse=True)
def _trading(engine: Engine, money: Money) -> None:
    engine.start()
    money.fund(ALICE, BTC="10", USDT="100000", LTC="100")
    money.fund(BOB, BTC="10", USDT="100000")


def limit(user_id: int, side: str, quantity: str, price: str, **order: Any) -> OrderView:
    given = {"user_id": user_id, "market": "BTC-USDT", "side": side, "type": "limit", "now": now(), **order}
    return orders.place_sync(quantity=quantity, price=price, **given).order


def code_of(**order: Any) -> str:
    given = {"user_id": ALICE, "market": "BTC-USDT", "side": "buy", "type": "limit", "now": now(), **order}
    try:
        orders.place_sync(**given)
    except DomainError as error:
        return error.code
    return "accepted"


def states(user_id: int) -> list[str]:
    return [order.state for order in selectors.orders(user_id)]


async def test_a_batch_has_an_outcome_or_an_error_for_each(money: Money) -> None:
    first = await orders.place(
        user_id=ALICE, market="BTC-USDT", side="buy", type="limit", quantity="1", price="10000", now=now()
    )
    item = {"op": "place", "market": "BTC-USDT", "side": "buy", "type": "limit", "quantity": "0.1", "price": "9000"}
    items: list[dict[str, Any]] = [
        {**item, "client_order_id": "one"},
        {**item, "price": "bad"},
        {**item, "quantity": "100"},
        {**item, "client_order_id": "one"},
        {"op": "amend", "order_id": first.order.id, "quantity": "0.5"},
        {"op": "cancel", "order_id": first.order.id},
        {"op": "cancel", "order_id": first.order.id},
        {"op": "cancel", "client_order_id": "one", "market": "BTC-USDT"},
        {**item, "market": "LTC-USDT", "side": "sell", "type": "market", "price": None},
    ]
    done = await orders.batch(user_id=ALICE, items=items, now=now())
    assert [item.error.code if item.error else "" for item in done] == [
        "", "amount_invalid", "insufficient_funds", "", "", "", "order_closed", "", "",
    ]  # fmt: skip
    ids = [item.outcome.order.id if item.outcome else 0 for item in done]
    assert ids[4] == ids[5] == first.order.id and ids[3] == ids[7] == ids[0] != ids[8]
    assert [item.outcome.duplicate for item in done if item.outcome] == [False, True, False, False, False, False]
    assert await threads.run(selectors.open_orders, ALICE) == []
    many = await orders.batch(
        user_id=BOB, items=[{**item, "price": f"{5000 + n}", "client_order_id": f"n-{n}"} for n in range(50)], now=now()
    )
    ids = [item.outcome.order.id for item in many]
    assert ids == sorted(ids) and len(set(ids)) == 50, "in the order of the list"
    assert await orders.cancel_all(user_id=BOB, market="LTC-USDT", now=now()) == 0
    assert await orders.cancel_all(user_id=BOB, now=now()) == 50
    assert await orders.cancel_all(user_id=BOB, now=now()) == 0
    await line.close()


def test_cancel_all_is_of_a_market_and_a_side(money: Money) -> None:
    limit(ALICE, "buy", "1", "10000")
    limit(ALICE, "sell", "1", "30000")
    limit(ALICE, "sell", "1", "100", market="LTC-USDT")
    stop = orders.place_sync(
        user_id=ALICE, market="BTC-USDT", side="buy", type="stop", quantity="1", stop_price="40000", now=now()
    ).order
    assert orders.cancel_all_sync(user_id=ALICE, market="BTC-USDT", side="buy", now=now()) == 2
    assert selectors.order(ALICE, order_id=stop.id).reason == "user"
    assert [order.side for order in selectors.open_orders(ALICE)] == ["sell", "sell"]
    assert orders.cancel_all_sync(user_id=ALICE, market="LTC-USDT", now=now()) == 1
    assert orders.cancel_all_sync(user_id=ALICE, reason="disconnect", now=now()) == 1
    assert selectors.orders(ALICE)[2].reason == "disconnect"
    assert {code: held for code, (_, held) in money.of(ALICE).items()} == {"BTC": "0", "USDT": "0", "LTC": "0"}


def test_the_dead_mans_switch(money: Money) -> None:
    taken_back = _taken_back()
    limit(BOB, "buy", "1", "10000")
    due = taken_back
    while due <= taken_back:  # what runs out later shows that the earlier one would have run out
        due = orders.countdown_sync(user_id=BOB, seconds=2, now=now())
    eventually("it to go off", lambda: states(BOB) != ["open"], seconds=120)
    assert now() >= due
    assert (states(BOB), selectors.orders(BOB)[0].reason) == (["cancelled"], "disconnect")
    assert states(ALICE)[0] == "open", "taken back in time"


def _taken_back() -> datetime:
    """When a countdown of Alice's would have run out; taken back before that, however slow the machine."""
    for seconds in (2, 20, 200):
        limit(ALICE, "buy", "1", "10000")
        due = orders.countdown_sync(user_id=ALICE, seconds=seconds, now=now())
        orders.countdown_sync(user_id=ALICE, seconds=0, now=now())
        if now() < due:
            return due
    raise AssertionError("two commands take longer than 200 s")


def test_the_next_batch_obeys_new_rules_and_they_are_on_record() -> None:
    limit(BOB, "sell", "1", "20000")
    limit(ALICE, "buy", "0.1", "20000")
    after = markets.set_rules_sync(
        symbol="BTC-USDT", min_notional="10", band_ppm=100_000, max_open_orders=2, taker_fee_ppm=1_500, actor_id=STAFF,
        now=now(),
    )  # fmt: skip
    assert (after.min_notional, after.price_band, after.max_open_orders, after.taker_fee) == ("10", "10", 2, "0.0015")
    assert code_of(quantity="0.0001", price="19000") == "notional_too_small"
    assert code_of(quantity="1", price="17999.99") == "price_out_of_band"
    assert code_of(quantity="1", price="18000") == "accepted"
    assert code_of(quantity="1", price="18000") == "accepted"
    assert code_of(quantity="1", price="18000") == "too_many_open_orders"
    assert code_of(quantity="1", price="18000", market="LTC-USDT") == "accepted", "only this market's rules changed"
    fill = limit(BOB, "sell", "1", "18000")
    assert fill.fee == "27", "the new taker fee of 18,000"
    deed = Record.objects.get(subject="market:BTC-USDT")
    assert (deed.actor_id, deed.action) == (STAFF, "trading.market_rules")
    assert deed.before == {"min_notional": "0", "band_ppm": 0, "max_open_orders": 1000, "taker_fee_ppm": 2000}
    assert deed.after == {"min_notional": "10", "band_ppm": 100_000, "max_open_orders": 2, "taker_fee_ppm": 1500}


def test_of_two_changes_that_meet_the_last_wins_and_neither_is_lost(engine: Engine) -> None:
    """Each starts from what the other left, so that different rules set at once are both there in the end."""
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connections

    def set_one(number: int) -> None:
        try:
            rule = {"band_ppm": 1_000 * number} if number % 2 else {"max_open_orders": number}
            markets.set_rules_sync(symbol="ETH-USDT", **rule, actor_id=STAFF, now=now())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(set_one, range(1, 9)))
    market = Market.objects.get(symbol="ETH-USDT")
    deeds = list(Record.objects.filter(subject="market:ETH-USDT").order_by("id"))
    last = {name: value for deed in deeds for name, value in deed.after.items()}
    assert len(deeds) == 8
    assert (market.band_ppm, market.max_open_orders) == (last["band_ppm"], last["max_open_orders"])
    for before, after in pairwise(deeds):
        for name in before.after.keys() & after.before.keys():
            assert after.before[name] == before.after[name], "no deed starts from an older state than the one before"


def test_a_post_only_market_takes_what_rests() -> None:
    limit(BOB, "sell", "1", "20000")
    markets.set_state_sync(symbol="BTC-USDT", state="post_only", actor_id=STAFF, now=now())
    assert code_of(type="market", quantity="1") == "market_post_only"
    assert code_of(quantity="1", price="20000", time_in_force="IOC") == "market_post_only"
    assert code_of(quantity="1", price="20000") == "post_only_would_match"
    assert code_of(quantity="1", price="19000") == "accepted"
    assert orders.cancel_all_sync(user_id=ALICE, now=now()) == 1


def test_a_new_market_trades_without_a_restart(engine: Engine, money: Money) -> None:
    markets.open(
        symbol="LTC-BTC", base_asset_id=2, quote_asset_id=1, base_decimals=8, quote_decimals=8, price_decimals=6,
        quantity_decimals=2, max_open_orders=3, actor_id=STAFF, now=now(),
    )  # fmt: skip
    catalogue.forget()
    assert selectors.market("LTC-BTC").opened, "the running engine took it up"
    limit(ALICE, "sell", "10", "0.005", market="LTC-BTC")
    taken = limit(BOB, "buy", "4", "0.005", market="LTC-BTC")
    assert (taken.state, taken.fee, taken.fee_asset) == ("filled", "0.008", "LTC")
    assert money.of(BOB)["LTC"] == ("3.992", "0")
    assert len(engine.processes) == 1
    engine.processes[0].terminate()
    engine.wait_dead(engine.processes[0])
    engine.start()
    assert limit(BOB, "buy", "6", "0.005", market="LTC-BTC").state == "filled", "and a restart knows it"


def test_staff_take_back_a_markets_and_a_customers_orders(money: Money) -> None:
    for user_id in (ALICE, BOB):
        for price in ("9000", "9001"):
            limit(user_id, "buy", "0.1", price)
    limit(ALICE, "sell", "1", "100", market="LTC-USDT")
    assert staff.cancel_market_sync(symbol="BTC-USDT", actor_id=STAFF, now=now()) == 4
    assert {order.reason for order in selectors.orders(BOB)} == {"staff"}
    assert staff.cancel_customer_sync(user_id=ALICE, actor_id=STAFF, now=now()) == 1
    deeds = Record.objects.filter(action__startswith="trading.cancel").order_by("id")
    assert [(deed.action, deed.actor_id, deed.after["cancelled"]) for deed in deeds] == [
        ("trading.cancel_market", STAFF, 4), ("trading.cancel_customer", STAFF, 1),
    ]  # fmt: skip
    limit(ALICE, "buy", "0.1", "9000")
    markets.set_state_sync(symbol="BTC-USDT", state="halted", actor_id=STAFF, now=now())
    with pytest.raises(orders.MarketClosed):
        staff.cancel_market_sync(symbol="BTC-USDT", actor_id=STAFF, now=now())
    assert orders.cancel_all_sync(user_id=ALICE, now=now()) == 0, "a halted market keeps its orders"


def test_a_tier_counts_from_the_fill_on_and_a_rebate_is_paid_by_the_house(money: Money) -> None:
    """Taker fee up, rebate towards zero, each in the asset received; what the house pays is an expense of its own."""
    from exchange.ledger import selectors as ledger
    from exchange.ledger.journal import Kind

    Rate.objects.update_or_create(
        asset_id=4, defaults={"price": "1", "as_of": now(), "fetched_at": now(), "source": "test"}
    )
    money.fund(CAROL, USDT="30000")
    tier = {"volume_from": "1000", "maker_fee_ppm": -333, "taker_fee_ppm": 777, "actor_id": STAFF, "now": now()}
    tier_id = fees.add_tier(name="Maker", **tier)
    limit(ALICE, "sell", "1", "20000")
    limit(BOB, "buy", "1", "20000")
    assert fees.refresh(now=now()) == 2, "ALICE and BOB, and nobody else"
    assert fees.refresh(now=now()) == 0, "nothing changed since"
    assert dict(AccountFee.objects.values_list("user_id", "maker_fee_ppm")) == {ALICE: -333, BOB: -333}
    assert selectors.fees(ALICE, now=now()).tier == "Maker"

    made = limit(ALICE, "sell", "0.0007", "19999.99")
    taken = limit(BOB, "buy", "0.0007", "19999.99")
    # 13.999993 USDT and 70,000 satoshi moved.
    assert selectors.order(ALICE, order_id=made.id).fee == "-0.004661", "4,661.99… base units, towards zero"
    assert taken.fee == "0.00000055", "54.39 satoshi, rounded up"
    rebates = [row for row in ledger.totals() if row.kind == Kind.HOUSE_REBATES and row.balance]
    assert [(row.asset_id, row.balance) for row in rebates] == [(4, -4661)]
    newcomer = limit(CAROL, "buy", "0.001", "19000")
    sold = limit(ALICE, "sell", "0.001", "19000")
    assert selectors.order(CAROL, order_id=newcomer.id).fee == "0.000001", "the market's maker fee"
    assert sold.fee == "0.014763", "the tier's taker fee of 19 USDT"
    fees.remove_tier(tier_id=tier_id, actor_id=STAFF, now=now())
    assert fees.refresh(now=now()) == 2
    limit(CAROL, "buy", "0.001", "19000")
    assert limit(ALICE, "sell", "0.001", "19000").fee == "0.038", "the market's own again"


def lose(self: line.Line, data: bytes) -> None:
    """Replies come and are lost; whoever waits for one has waited long enough."""
    for reply in orjson.loads(data):
        if (waiting := self._waiting.get(reply["id"])) is not None and not waiting.done():
            waiting.set_exception(line._Late())


def test_what_was_stored_is_told_though_every_reply_is_lost(monkeypatch: pytest.MonkeyPatch, money: Money) -> None:
    monkeypatch.setattr(line.Line, "_take", lose)
    first = limit(ALICE, "buy", "1", "10000", client_order_id="once")
    assert first.state == "open"
    retried = orders.place_sync(
        user_id=ALICE, market="BTC-USDT", side="buy", type="limit", quantity="1", price="10000", client_order_id="once",
        now=now(),
    )  # fmt: skip
    assert retried.duplicate and retried.order.id == first.id
    assert code_of(quantity="100", price="10000", client_order_id="dear") == "insufficient_funds"
    assert code_of(quantity="100", price="10000", client_order_id="dear") == "insufficient_funds", "the first result"
    pair = orders.place_oco_sync(
        user_id=ALICE, market="BTC-USDT", side="sell", quantity="1", price="30000", stop_price="5000", now=now()
    )
    assert (pair.limit.oco_order_id, pair.stop.oco_order_id) == (pair.stop.id, pair.limit.id)
    less = orders.amend_sync(user_id=ALICE, order_id=first.id, quantity="0.5", now=now())
    assert (less.order.quantity, less.duplicate) == ("0.5", False)
    item = {"op": "place", "market": "BTC-USDT", "side": "buy", "type": "limit", "quantity": "0.1", "price": "9000"}
    done = orders.batch_sync(
        user_id=ALICE, items=[item, {"op": "cancel", "order_id": first.id}, {**item, "quantity": "100"}], now=now()
    )
    assert [each.outcome.order.state if each.outcome else each.error.code for each in done] == [
        "open", "cancelled", "insufficient_funds",
    ]  # fmt: skip
    assert orders.cancel_all_sync(user_id=ALICE, now=now()) == 3


def test_what_is_asked_of_all_markets_reaches_every_shard(engine: Engine, settings: Any, money: Money) -> None:
    settings.ENGINE_REPLY_TIMEOUT_S = 0.3
    markets.open(
        symbol="LTC-BTC", base_asset_id=2, quote_asset_id=1, base_decimals=8, quote_decimals=8, price_decimals=6,
        quantity_decimals=2, shard=1, actor_id=STAFF, now=now(),
    )  # fmt: skip
    assert not selectors.market("LTC-BTC").opened, "no engine of its shard runs yet"
    settings.ENGINE_REPLY_TIMEOUT_S = 120.0
    engine.start("--shard", "1", wait=False)
    catalogue.forget()
    far = limit(ALICE, "sell", "10", "0.005", market="LTC-BTC")
    near = limit(ALICE, "buy", "1", "10000")
    assert (far.id % 1024, near.id % 1024) == (1, 0)
    items = [{"op": "amend", "order_id": far.id, "quantity": "5"}, {"op": "cancel", "order_id": near.id}]
    done = orders.batch_sync(user_id=ALICE, items=items, now=now())
    assert [each.outcome.order.market for each in done if each.outcome] == ["LTC-BTC", "BTC-USDT"]
    limit(ALICE, "buy", "1", "10000")
    assert orders.cancel_all_sync(user_id=ALICE, now=now()) == 2
    fees.add_tier(name="All", volume_from="0.01", maker_fee_ppm=1, taker_fee_ppm=1, actor_id=STAFF, now=now())
    limit(ALICE, "sell", "1", "0.005", market="LTC-BTC")
    limit(BOB, "buy", "1", "0.005", market="LTC-BTC")
    Rate.objects.update_or_create(
        asset_id=1, defaults={"price": "20000", "as_of": now(), "fetched_at": now(), "source": "test"}
    )
    assert fees.refresh(now=now()) == 4, "two customers, two shards"
    assert set(AccountFee.objects.values_list("shard_id", "user_id")) == {(s, u) for s in (0, 1) for u in (ALICE, BOB)}
    assert selectors.fees(BOB, now=now()).volume == "100"
