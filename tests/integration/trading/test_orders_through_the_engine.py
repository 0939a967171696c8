"""Two customers trade through the real engine process, PostgreSQL and Valkey."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from typing import Any

import pytest

from exchange.core.errors import DomainError
from exchange.core.times import iso
from exchange.ledger import reconciliation
from tests.integration.trading.conftest import ALICE, BOB, CAROL, Engine, Money, eventually, now, shown_book, soon
from trading import selectors
from trading.candles import INTERVALS
from trading.presentation import OrderView
from trading.services import line, markets, orders

pytestmark = pytest.mark.django_db(transaction=True)


def place(
    user_id: int, side: str, quantity: str | None = None, price: str | None = None, **more: str
) -> orders.OrderOutcome:
    kind = "limit" if price else "market"
    market = more.pop("market", "BTC-USDT")
    return orders.place_sync(
        user_id=user_id, market=market, side=side, type=kind, quantity=quantity, price=price, now=now(), **more
    )


def refused(code: str, param: str | None, **order: object) -> None:
    with pytest.raises(DomainError) as caught:
        orders.place_sync(**{"user_id": BOB, "market": "BTC-USDT", "now": now(), **order})
    assert (caught.value.code, caught.value.param) == (code, param)


def test_two_customers_trade_and_every_unit_is_accounted_for(engine: Engine, money: Money) -> None:
    engine.start()
    money.fund(ALICE, BTC="1")
    money.fund(BOB, USDT="10000")

    resting = place(ALICE, "sell", "0.5", "20000").order
    assert (resting.state, resting.filled_quantity) == ("open", "0")
    assert money.of(ALICE) == {"BTC": ("1", "0.5")}

    taken = place(BOB, "buy", "0.2", "20100").order
    assert (taken.state, taken.filled_quantity, taken.average_price) == ("filled", "0.2", "20000")
    assert (taken.fee, taken.fee_asset) == ("0.0004", "BTC")
    assert money.of(BOB) == {"USDT": ("6000", "0"), "BTC": ("0.1996", "0")}
    assert money.of(ALICE) == {"BTC": ("0.8", "0.3"), "USDT": ("3996", "0")}
    assert (money.fees("BTC"), money.fees("USDT")) == ("0.0004", "4")

    cancelled = orders.cancel_sync(user_id=ALICE, order_id=resting.id, now=now()).order
    assert (cancelled.state, cancelled.reason, cancelled.filled_quantity) == ("cancelled", "user", "0.2")
    assert money.of(ALICE)["BTC"] == ("0.8", "0")
    assert [fill.role for fill in selectors.fills(ALICE)] == ["maker"]
    assert [fill.fee for fill in selectors.fills(BOB)] == ["0.0004"]
    assert [trade.price for trade in selectors.trades("BTC-USDT")] == ["20000"]
    assert [candle.volume for candle in selectors.candles("BTC-USDT", "1m", now=now())][:1] == ["0.2"]
    assert selectors.ticker("BTC-USDT", now=now()).last == "20000"
    assert reconciliation.run(now=now()).ok


def test_market_orders_by_quantity_and_by_quote_amount(engine: Engine, money: Money) -> None:
    engine.start()
    money.fund(ALICE, BTC="2")
    money.fund(BOB, USDT="50000")
    place(ALICE, "sell", "1", "20000")
    place(ALICE, "sell", "1", "21000")
    spent = place(BOB, "buy", quote_amount="30500").order
    assert (spent.state, spent.filled_quantity, spent.filled_quote) == ("filled", "1.5", "30500")
    rest = place(BOB, "buy", "0.9").order
    assert (rest.state, rest.reason, rest.filled_quantity) == ("cancelled", "no_liquidity", "0.5")
    nothing = place(BOB, "buy", "0.9").order
    assert (nothing.state, nothing.reason, nothing.filled_quantity) == ("cancelled", "no_liquidity", "0")


def test_insufficient_funds_moves_nothing(engine: Engine, money: Money) -> None:
    engine.start()
    money.fund(ALICE, BTC="1")
    money.fund(BOB, USDT="100")
    place(ALICE, "sell", "1", "20000")
    before = (money.of(ALICE), money.of(BOB))
    refused("insufficient_funds", "quantity", side="buy", type="limit", quantity="1", price="20000")
    refused("insufficient_funds", "quantity", side="buy", type="market", quantity="0.01")
    refused("insufficient_funds", "quote_amount", side="buy", type="market", quote_amount="102")
    refused("insufficient_funds", "quantity", side="sell", type="limit", quantity="0.0001", price="1")
    assert (money.of(ALICE), money.of(BOB)) == before
    assert selectors.orders(BOB) == [] and selectors.trades("BTC-USDT") == []


def test_a_client_order_id_names_one_order(engine: Engine, money: Money) -> None:
    engine.start()
    money.fund(ALICE, BTC="1")
    first = place(ALICE, "sell", "0.1", "20000", client_order_id="mine-1")
    again = place(ALICE, "sell", "0.4", "10000", client_order_id="mine-1")
    assert not first.duplicate and again.duplicate
    assert again.order == first.order
    assert money.of(ALICE) == {"BTC": ("1", "0.1")}
    money.fund(BOB, BTC="1")
    assert not place(BOB, "sell", "0.1", "20000", client_order_id="mine-1").duplicate
    done = orders.cancel_sync(user_id=ALICE, client_order_id="mine-1", now=now()).order
    assert done.id == first.order.id
    assert place(ALICE, "sell", "0.1", "20000", client_order_id="mine-1").order.state == "cancelled"
    with pytest.raises(orders.OrderClosed):
        orders.cancel_sync(user_id=ALICE, order_id=done.id, now=now())


def test_nobody_cancels_somebody_elses_order(engine: Engine, money: Money) -> None:
    engine.start()
    money.fund(ALICE, BTC="1")
    resting = place(ALICE, "sell", "0.1", "20000").order
    with pytest.raises(selectors.OrderNotFound):
        orders.cancel_sync(user_id=BOB, order_id=resting.id, now=now())
    assert [order.id for order in selectors.open_orders(ALICE)] == [resting.id]


def test_self_trade_cancels_the_newest(engine: Engine, money: Money) -> None:
    engine.start()
    money.fund(ALICE, BTC="1", USDT="50000")
    resting = place(ALICE, "sell", "0.1", "20000").order
    own = place(ALICE, "buy", "0.2", "20000").order
    assert (own.state, own.reason, own.filled_quantity) == ("cancelled", "self_trade", "0")
    assert [order.id for order in selectors.open_orders(ALICE)] == [resting.id]
    assert money.of(ALICE)["USDT"] == ("50000", "0")


def test_market_data_follows_the_commit(engine: Engine, money: Money) -> None:
    money.fund(ALICE, BTC="1")
    money.fund(BOB, USDT="10000")
    feed = engine.valkey.pubsub(ignore_subscribe_messages=True)
    feed.subscribe("md:BTC-USDT", f"user:{ALICE}")
    engine.start()
    empty = eventually("the stored book", shown_book)
    assert (empty.u, empty.bids, empty.asks) == (0, (), ())
    place(ALICE, "sell", "0.5", "20000")
    place(BOB, "buy", "0.2", "20000")
    public, private = _messages(feed, public=2, private=6)
    assert [(m["U"], m["u"], m["asks"]) for m in public] == [(1, 1, [["20000", "0.5"]]), (2, 2, [["20000", "0.3"]])]
    assert [t["quantity"] for m in public for t in m["trades"]] == ["0.2"]
    assert {c["interval"] for c in public[1]["candles"]} == set(INTERVALS)
    assert [m["type"] for m in private] == ["order", "balance", "order", "fill", "balance", "balance"]
    assert {m["balance"]["asset"]: m["balance"]["held"] for m in private[-2:]} == {"BTC": "0.3", "USDT": "0"}
    book = eventually("the stored book to follow", lambda: (book := shown_book()) and book.u >= 2 and book)
    assert (book.u, book.asks) == (2, (("20000", "0.3"),))


def _messages(feed: Any, *, public: int, private: int, rest_s: float = 0.5) -> tuple[list[dict], list[dict]]:
    """So many of each, however long they take, and what still comes in a moment after them."""
    heard: tuple[list[dict], list[dict]] = [], []
    until = time.monotonic() + 60
    while True:
        enough = len(heard[0]) >= public and len(heard[1]) >= private
        message = feed.get_message(timeout=rest_s)
        if message:
            heard[not message["channel"].startswith(b"md:")].append(json.loads(message["data"]))
        elif enough:
            return heard
        assert time.monotonic() < until, heard


def test_a_frozen_customer_may_cancel_and_not_place(engine: Engine, money: Money) -> None:
    from exchange.ledger.services import freezes

    engine.start()
    money.fund(CAROL, BTC="1")
    resting = place(CAROL, "sell", "0.1", "20000").order
    freezes.freeze(owner_id=CAROL, reason="test", actor=None, now=now())
    with pytest.raises(orders.AccountFrozen):
        place(CAROL, "sell", "0.1", "20000")
    assert orders.cancel_sync(user_id=CAROL, order_id=resting.id, now=now()).order.state == "cancelled"


@pytest.fixture
def trading(engine: Engine, money: Money) -> None:
    engine.start()
    money.fund(ALICE, BTC="1")
    money.fund(BOB, USDT="10000")


async def test_a_web_process_places_many_orders_at_once(trading: None) -> None:
    """One event loop, one subscription, more commands in flight than a client has connections; each gets its answer."""

    async def one(number: int) -> orders.OrderOutcome:
        user, side = (ALICE, "sell") if number % 2 else (BOB, "buy")
        return await orders.place(
            user_id=user, market="BTC-USDT", side=side, type="limit", quantity="0.001", price="20000",
            client_order_id=f"n-{number}", now=now(),
        )  # fmt: skip

    outcomes = await asyncio.gather(*(one(number) for number in range(150)))
    assert [outcome.order.client_order_id for outcome in outcomes] == [f"n-{number}" for number in range(150)]
    again = await asyncio.gather(*(one(number) for number in range(150)))
    assert [o.order.id for o in again] == [o.order.id for o in outcomes] and all(o.duplicate for o in again)
    resting = await orders.place(
        user_id=BOB, market="BTC-USDT", side="buy", type="limit", quantity="0.001", price="1", now=now()
    )
    cancelled = await orders.cancel(user_id=BOB, order_id=resting.order.id, now=now())
    assert cancelled.order.state == "cancelled"
    with pytest.raises(orders.InsufficientFunds):
        await orders.place(
            user_id=BOB, market="BTC-USDT", side="sell", type="limit", quantity="1", price="1", now=now()
        )
    await line.close()


def test_staff_halt_and_open_a_market(trading: None) -> None:
    resting = place(ALICE, "sell", "0.1", "20000").order
    assert markets.set_state_sync(symbol="BTC-USDT", state="halted", actor_id=1, now=now()).state == "halted"
    with pytest.raises(orders.MarketClosed):
        place(BOB, "buy", "0.1", "20000")
    with pytest.raises(orders.MarketClosed):
        orders.cancel_sync(user_id=ALICE, order_id=resting.id, now=now())
    place(BOB, "buy", "1", "0.01", market="ETH-USDT")
    markets.set_state_sync(symbol="BTC-USDT", state="cancel_only", actor_id=1, now=now())
    with pytest.raises(orders.MarketClosed):
        place(BOB, "buy", "0.1", "20000")
    assert orders.cancel_sync(user_id=ALICE, order_id=resting.id, now=now()).order.state == "cancelled"
    markets.set_state_sync(symbol="BTC-USDT", state="open", actor_id=1, now=now())
    assert place(BOB, "buy", "0.1", "20000").order.state == "open"
    with pytest.raises(markets.MarketStateInvalid):
        markets.set_state_sync(symbol="BTC-USDT", state="closed", actor_id=1, now=now())
    assert orders.cancel_all_sync(user_id=BOB, now=now()) == 2


def test_an_idle_engine_wakes_for_what_is_due(trading: None) -> None:
    """Nobody sends anything: an order with an end goes at its time, and so does everything of a customer who fell silent."""

    def ends_soon(seconds: float) -> OrderView:
        return place(
            ALICE, "sell", "0.1", "20000", time_in_force="GTD", expires_at=iso(now() + timedelta(seconds=seconds))
        ).order

    ending = soon(ends_soon)
    silent = place(BOB, "buy", "0.1", "10000").order
    due = orders.countdown_sync(user_id=BOB, seconds=1, now=now())
    assert ending.state == silent.state == "open" and due is not None

    def gone() -> list[OrderView] | None:
        seen = [selectors.order(ALICE, order_id=ending.id), selectors.order(BOB, order_id=silent.id)]
        return seen if all(order.state != "open" for order in seen) else None

    ended, cancelled = eventually("both to end", gone)
    assert (ended.state, ended.reason, cancelled.state, cancelled.reason) == (
        "expired", "expired", "cancelled", "disconnect",
    )  # fmt: skip
    assert ended.updated_at >= ending.expires_at and cancelled.updated_at >= due
    assert reconciliation.run(now=now()).ok
