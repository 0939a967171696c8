"""Every type of order through the real engine process: what it holds, when it runs, and what its owner is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from exchange.core.errors import DomainError
from exchange.core.times import iso
from exchange.ledger import reconciliation
from tests.integration.trading.conftest import ALICE, BOB, CAROL, Engine, Money, eventually, now, shown_book, soon
from trading import selectors
from trading.presentation import OrderView
from trading.services import orders

pytestmark = pytest.mark.django_db(transaction=True)


def place(user_id: int, side: str, type: str, **order: Any) -> OrderView:
    given = {"user_id": user_id, "market": "BTC-USDT", "side": side, "type": type, "now": now(), **order}
    return orders.place_sync(**given).order


def limit(user_id: int, side: str, quantity: str, price: str, **order: Any) -> OrderView:
    return place(user_id, side, "limit", quantity=quantity, price=price, **order)


def again(order: OrderView) -> OrderView:
    return selectors.order(order.user_id, order_id=order.id)


def refused(code: str, act: Callable[..., Any], *args: Any, **given: Any) -> None:
    with pytest.raises(DomainError) as caught:
        act(*args, **given)
    assert caught.value.code == code


@pytest.fixture(autouse=True)
def _trading(engine: Engine, money: Money) -> Any:
    engine.start()
    money.fund(ALICE, BTC="10", USDT="100000")
    money.fund(BOB, BTC="10", USDT="100000")
    yield
    assert reconciliation.run(now=now()).ok, "what open orders hold is what the ledger holds"


def trade_at(price: str, quantity: str = "0.01") -> None:
    """Somebody else trades at this price, so that the last price is this."""
    limit(CAROL, "sell", quantity, price)
    limit(CAROL + 1, "buy", quantity, price)


@pytest.fixture
def others(money: Money) -> None:
    money.fund(CAROL, BTC="10")
    money.fund(CAROL + 1, USDT="1000000")


def test_stops_and_take_profits_wait_hold_and_run(others: None, money: Money) -> None:
    trade_at("20000")
    stop = place(ALICE, "sell", "stop", quantity="1", stop_price="19000")
    assert (stop.state, stop.stop_price, stop.price, stop.time_in_force) == ("pending", "19000", None, "GTC")
    profit = place(ALICE, "sell", "take_profit_limit", quantity="0.5", stop_price="21000", price="20900")
    buying = place(ALICE, "buy", "stop_limit", quantity="1", stop_price="20500", price="20600")
    assert money.of(ALICE) == {"BTC": ("10", "1.5"), "USDT": ("100000", "20600")}
    assert eventually("the stored book", shown_book).bids == (), "what waits is not in the book"
    refused("stop_would_trigger", place, ALICE, "sell", "stop", quantity="1", stop_price="20000")
    refused("stop_would_trigger", place, ALICE, "sell", "take_profit", quantity="1", stop_price="20000")

    limit(BOB, "buy", "2", "18900")
    trade_at("19000")
    done = again(stop)
    assert (done.state, done.filled_quantity, done.average_price) == ("filled", "1", "18900")
    assert again(profit).state == again(buying).state == "pending"
    trade_at("21000")
    assert (again(profit).state, again(profit).price) == ("open", "20900")
    assert money.of(ALICE)["BTC"][1] == "0.5"
    resting = again(buying)
    assert (resting.state, resting.stop_price) == ("open", "20500"), "20,500 was passed on the way to 21,000"
    assert orders.cancel_sync(user_id=ALICE, order_id=buying.id, now=now()).order.state == "cancelled"


def test_a_take_profit_for_a_quote_amount_spends_no_more(others: None, money: Money) -> None:
    trade_at("20000")
    order = place(ALICE, "buy", "take_profit", quote_amount="1000", stop_price="19000", slippage="1")
    assert (order.quote_amount, order.quantity, order.slippage) == ("1000", None, "1")
    assert money.of(ALICE)["USDT"] == ("100000", "1000")
    limit(BOB, "sell", "1", "19100")
    trade_at("19000")
    done = again(order)
    assert (done.state, done.filled_quantity, done.filled_quote) == ("filled", "0.0523", "998.93"), "no lot more fits"
    assert money.of(ALICE)["USDT"][1] == "0"


def test_a_trailing_stop_follows_and_gives_back_at_once(others: None, money: Money) -> None:
    refused("no_reference_price", place, ALICE, "sell", "trailing_stop", quantity="1", trail="500")
    trade_at("20000")
    selling = place(ALICE, "sell", "trailing_stop", quantity="1", trail="500")
    buying = place(ALICE, "buy", "trailing_stop", quantity="1", trail_percent="5", slippage="1")
    assert (selling.stop_price, selling.trail, buying.stop_price, buying.trail_percent) == (
        "19500",
        "500",
        "21000",
        "5",
    )
    assert money.of(ALICE)["USDT"][1] == "21210", "the stop and one percent"
    trade_at("19800")
    assert (again(selling).stop_price, again(buying).stop_price) == ("19500", "20790")
    assert money.of(ALICE)["USDT"][1] == "20997.9"
    trade_at("20400")
    assert again(selling).stop_price == "19900"
    limit(BOB, "buy", "1", "19850")
    trade_at("19900")
    assert (again(selling).state, again(selling).average_price) == ("filled", "19850")


def test_an_iceberg_shows_a_slice_and_goes_behind_after_it(money: Money) -> None:
    berg = limit(ALICE, "sell", "1", "20000", display_quantity="0.1")
    assert (berg.display_quantity, money.of(ALICE)["BTC"][1]) == ("0.1", "1")
    small = limit(ALICE, "sell", "0.1", "20000")
    limit(BOB, "buy", "0.15", "20000")
    assert (again(berg).filled_quantity, again(small).filled_quantity) == ("0.1", "0.05")
    slice_and_small = (("20000", "0.15"),)  # a slice of 0.1, and what is left of the small one
    eventually("the book to show it", lambda: (book := shown_book()) and book.asks == slice_and_small)


def test_post_only_fok_ioc_and_gtd(money: Money) -> None:
    limit(ALICE, "sell", "1", "20000")
    refused("post_only_would_match", limit, BOB, "buy", "1", "20000", post_only=True)
    quiet = limit(BOB, "buy", "1", "19999", post_only=True)
    assert (quiet.state, quiet.post_only) == ("open", True)
    killed = limit(BOB, "buy", "1.5", "20000", time_in_force="FOK")
    assert (killed.state, killed.reason, killed.filled_quantity) == ("cancelled", "not_fillable", "0")
    whole = limit(BOB, "buy", "0.4", "20000", time_in_force="FOK")
    assert whole.state == "filled"
    part = limit(BOB, "buy", "1.5", "20000", time_in_force="IOC")
    assert (part.state, part.reason, part.filled_quantity) == ("cancelled", "no_liquidity", "0.6")
    refused("already_expired", limit, BOB, "buy", "1", "1", time_in_force="GTD", expires_at="2020-01-01T00:00:00Z")
    asked: list[str] = []

    def ends_soon(seconds: float) -> OrderView:
        asked.append(iso(now() + timedelta(seconds=seconds)))
        return limit(BOB, "buy", "1", "19000", time_in_force="GTD", expires_at=asked[-1])

    brief = soon(ends_soon)
    assert (brief.state, iso(brief.expires_at)) == ("open", asked[-1])
    eventually("it to end", lambda: again(brief).state != "open", seconds=120)
    assert (again(brief).state, again(brief).reason) == ("expired", "expired")
    assert money.of(BOB)["USDT"][1] == "19999"


def test_a_market_order_stops_at_its_cap(money: Money) -> None:
    for price in ("20000", "20100", "20500"):
        limit(ALICE, "sell", "0.1", price)
    capped = place(BOB, "buy", "market", quantity="0.3", slippage="1")
    assert (capped.state, capped.reason, capped.filled_quantity) == ("cancelled", "slippage", "0.2")
    rest = place(BOB, "buy", "market", quantity="0.3")
    assert (rest.reason, rest.filled_quantity) == ("no_liquidity", "0.1")
    refused("insufficient_funds", limit, BOB, "buy", "10", "20000")


def test_of_a_pair_one_ends_the_other(others: None, money: Money) -> None:
    trade_at("20000")
    pair = {
        "user_id": ALICE, "market": "BTC-USDT", "side": "sell", "quantity": "1", "price": "21000", "stop_price": "19000",
        "client_order_id": "pair-1", "now": now(),
    }  # fmt: skip
    placed = orders.place_oco_sync(**pair)
    assert (placed.limit.state, placed.stop.state) == ("open", "pending")
    assert (placed.limit.oco_order_id, placed.stop.oco_order_id) == (placed.stop.id, placed.limit.id)
    assert placed.limit.client_order_id == "pair-1" and placed.stop.client_order_id is None
    assert money.of(ALICE)["BTC"][1] == "1", "both together hold what one can cost"
    retried = orders.place_oco_sync(**pair)
    assert retried.duplicate and (retried.limit.id, retried.stop.id) == (placed.limit.id, placed.stop.id)
    refused("oco_not_amendable", orders.amend_sync, user_id=ALICE, order_id=placed.limit.id, quantity="0.5", now=now())

    limit(BOB, "buy", "0.3", "21000")
    assert (again(placed.limit).state, again(placed.limit).filled_quantity) == ("open", "0.3")
    assert (again(placed.stop).state, again(placed.stop).reason) == ("cancelled", "oco")
    assert money.of(ALICE)["BTC"][1] == "0.7"

    second = orders.place_oco_sync(**{**pair, "client_order_id": None, "stop_limit_price": "18900"})
    assert (second.stop.type, second.stop.price) == ("stop_limit", "18900")
    orders.cancel_sync(user_id=ALICE, order_id=second.stop.id, now=now())
    assert (again(second.limit).state, again(second.limit).reason) == ("cancelled", "oco")
    third = orders.place_oco_sync(**{**pair, "client_order_id": None})
    limit(BOB, "buy", "2", "18950")
    trade_at("19000")
    assert (again(third.stop).state, again(third.stop).average_price) == ("filled", "18950")
    assert (again(third.limit).state, again(third.limit).reason) == ("cancelled", "oco")


def test_less_keeps_its_place_and_anything_else_loses_it(money: Money) -> None:
    first, second = limit(ALICE, "sell", "1", "20000"), limit(ALICE, "sell", "1", "20000")
    less = orders.amend_sync(user_id=ALICE, order_id=first.id, quantity="0.5", now=now())
    assert (less.order.quantity, less.order.id, less.duplicate) == ("0.5", first.id, False)
    assert money.of(ALICE)["BTC"][1] == "1.5"
    assert orders.amend_sync(user_id=ALICE, order_id=first.id, quantity="0.5", now=now()).duplicate
    limit(BOB, "buy", "0.2", "20000")
    assert (again(first).filled_quantity, again(second).filled_quantity) == ("0.2", "0")

    more = orders.amend_sync(user_id=ALICE, order_id=first.id, quantity="2", now=now()).order
    assert (more.quantity, more.filled_quantity) == ("2", "0.2")
    limit(BOB, "buy", "0.2", "20000")
    assert (again(first).filled_quantity, again(second).filled_quantity) == ("0.2", "0.2"), "it stands behind now"

    refused("quantity_below_filled", orders.amend_sync, user_id=ALICE, order_id=first.id, quantity="0.2", now=now())
    refused("insufficient_funds", orders.amend_sync, user_id=ALICE, order_id=first.id, quantity="50", now=now())
    refused("amend_not_possible", orders.amend_sync, user_id=ALICE, order_id=first.id, stop_price="1", now=now())
    refused("amend_empty", orders.amend_sync, user_id=ALICE, order_id=first.id, now=now())
    assert again(first).quantity == "2"
    limit(BOB, "buy", "0.3", "19900")
    crossing = orders.amend_sync(user_id=ALICE, order_id=first.id, price="19900", now=now()).order
    assert (crossing.price, crossing.filled_quantity, crossing.state) == ("19900", "0.5", "open")
    orders.cancel_sync(user_id=ALICE, order_id=first.id, now=now())
    refused("order_closed", orders.amend_sync, user_id=ALICE, order_id=first.id, price="20000", now=now())


@pytest.mark.parametrize(
    ("mode", "resting", "incoming"),
    [
        ("cancel_newest", ("open", "1"), ("cancelled", "2")),
        ("cancel_oldest", ("cancelled", "1"), ("open", "2")),
        ("cancel_both", ("cancelled", "1"), ("cancelled", "2")),
        ("decrement", ("cancelled", "1"), ("open", "1")),
    ],
)
def test_nobody_trades_with_himself(
    mode: str, resting: tuple[str, str], incoming: tuple[str, str], money: Money
) -> None:
    old = limit(ALICE, "sell", "1", "20000")
    new = limit(ALICE, "buy", "2", "20000", self_trade=mode)
    assert new.self_trade == mode
    assert ((again(old).state, again(old).quantity), (again(new).state, again(new).quantity)) == (resting, incoming)
    assert selectors.fills(ALICE) == []


def test_two_customers_reach_nothing_of_each_other() -> None:
    hers, his = (
        limit(ALICE, "buy", "1", "10000", client_order_id="a"),
        limit(BOB, "buy", "1", "9000", client_order_id="a"),
    )
    assert hers.id != his.id, "an id of one's own is one's own"
    for act in (orders.cancel_sync, orders.amend_sync):
        change = {} if act is orders.cancel_sync else {"quantity": "0.5"}
        refused("order_not_found", act, user_id=BOB, order_id=hers.id, now=now(), **change)
    refused("order_not_found", selectors.order, BOB, order_id=hers.id)
    assert orders.cancel_all_sync(user_id=BOB, now=now()) == 1
    assert again(hers).state == "open"
    assert orders.amend_sync(user_id=ALICE, client_order_id="a", quantity="0.5", now=now()).order.id == hers.id
    assert [order.id for order in selectors.open_orders(BOB)] == []
