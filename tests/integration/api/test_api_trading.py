"""Orders over REST and the websocket, with a real engine on a real ledger."""

from __future__ import annotations

import concurrent.futures
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.integration.api.conftest import Customer, Exchange, error
from tests.integration.api.test_api_websocket import opened

BTC, USDT = 1, 4
MARKET = "BTC-USDT"


@pytest.fixture(scope="module")
def seller(trading: Exchange) -> Customer:
    customer = trading.customer("seller")
    trading.fund(customer, BTC, 10 * 10**8)
    return customer


@pytest.fixture(scope="module")
def buyer(trading: Exchange) -> Customer:
    customer = trading.customer("buyer")
    trading.fund(customer, USDT, 1_000_000 * 10**6)
    return customer


@pytest.fixture(autouse=True)
def _no_order_is_left(seller: Customer, buyer: Customer) -> Iterator[None]:
    yield
    for customer in (seller, buyer):
        for order in customer.get("orders").json()["data"]:
            customer.delete(f"orders/{order['id']}")


def limit(side: str, price: str, quantity: str, **more: Any) -> dict[str, Any]:
    return {"market": MARKET, "side": side, "type": "limit", "price": price, "quantity": quantity, **more}


def available(customer: Customer) -> dict[str, str]:
    return {row["asset"]: row["available"] for row in customer.get("balances").json()["data"]}


def test_an_order_is_placed_shown_and_cancelled(trading: Exchange, seller: Customer) -> None:
    placed = seller.post("orders", limit("sell", "90000", "1.5", client_order_id="mine-1"))
    assert placed.status_code == 201, placed.text
    order = placed.json()
    assert (order["state"], order["price"], order["quantity"], order["filled_quantity"]) == (
        "open",
        "90000",
        "1.5",
        "0",
    )
    assert order["client_order_id"] == "mine-1"
    assert available(seller)["BTC"] == "8.5"
    assert seller.get("orders").json()["data"] == [order]
    assert seller.get(f"orders/{order['id']}").json() == order
    assert seller.get("orders/by-client-id/mine-1").json() == order
    cancelled = seller.delete(f"orders/{order['id']}")
    assert (cancelled.status_code, cancelled.json()["state"], cancelled.json()["reason"]) == (200, "cancelled", "user")
    assert available(seller)["BTC"] == "10"
    assert seller.get("orders").json()["data"] == []
    again = seller.delete(f"orders/{order['id']}")
    assert (again.status_code, error(again)["code"]) == (409, "order_closed")


def test_a_retry_with_the_same_client_order_id_places_one_order(seller: Customer) -> None:
    body = limit("sell", "91000", "0.1", client_order_id="retry-1")
    first, second = seller.post("orders", body), seller.post("orders", body)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert len(seller.get("orders").json()["data"]) == 1
    assert seller.delete("orders/by-client-id/retry-1").status_code == 200


def test_two_customers_trade_and_everybody_sees_it(trading: Exchange, seller: Customer, buyer: Customer) -> None:
    with opened(trading, token=buyer.token) as mine, opened(trading) as public, opened(trading) as tickers:
        for reader in (mine, public, tickers):
            reader.read()
        tickers.subscribe(f"ticker:{MARKET}")
        mine.subscribe("orders", "fills", "balances")
        public.subscribe(f"book:{MARKET}", f"trades:{MARKET}", f"candles:{MARKET}:1m")
        resting = seller.post("orders", limit("sell", "60000", "0.5")).json()
        # The tests before this one changed the book a moment ago: a gap may be announced, and is mended by a snapshot.
        shown = public.until(
            lambda m: m.get("channel") == f"book:{MARKET}" and ["60000", "0.5"] in m["data"].get("asks", ())
        )
        assert shown["type"] in ("update", "snapshot")
        taken = buyer.post("orders", {"market": MARKET, "side": "buy", "type": "market", "quantity": "0.2"}).json()
        assert (taken["state"], taken["filled_quantity"], taken["average_price"]) == ("filled", "0.2", "60000")
        assert (taken["fee"], taken["fee_asset"]) == ("0.0004", "BTC")

        order = mine.until(lambda m: m.get("channel") == "orders" and m["type"] == "update")["data"]["orders"][0]
        assert order == taken
        fill = mine.of("fills", "update")["fills"][0]
        assert fill == buyer.get("fills").json()["data"][0]
        assert (fill["role"], fill["price"], fill["quantity"], fill["quote_amount"]) == (
            "taker",
            "60000",
            "0.2",
            "12000",
        )
        balances: dict[str, Any] = {}
        while set(balances) < {"BTC", "USDT"}:
            balances |= {row["asset"]: row for row in mine.of("balances", "update")["balances"]}
        assert balances["BTC"] == {"asset": "BTC", "balance": "0.1996", "held": "0", "available": "0.1996"}
        assert balances["USDT"]["available"] == "988000"

        trade = public.until(lambda m: m.get("channel") == f"trades:{MARKET}" and m["type"] == "update")["data"][
            "trades"
        ][0]
        assert trade == trading_trades(trading)[0]
        assert (trade["id"], trade["price"], trade["quantity"], trade["side"]) == (fill["id"], "60000", "0.2", "buy")
        candle = public.until(
            lambda m: m.get("channel") == f"candles:{MARKET}:1m" and m["data"]["candles"][-1]["volume"] == "0.2"
        )["data"]["candles"][-1]
        shown = requests.get(f"{trading.url}/api/v1/markets/{MARKET}/candles", timeout=60).json()["data"]
        assert candle in shown  # not always as the last: a minute may end just now
        # What a test before this one traded may still be told, of a day that is empty by now.
        ticker = tickers.until(
            lambda m: (
                m.get("channel") == f"ticker:{MARKET}"
                and m["data"].get("last") == "60000"
                and m["data"].get("volume") != "0"
            )
        )["data"]
        assert (ticker["volume"], ticker["quote_volume"]) == ("0.2", "12000")

    still = seller.get(f"orders/{resting['id']}").json()
    assert (still["state"], still["filled_quantity"], still["fee"], still["fee_asset"]) == ("open", "0.2", "12", "USDT")
    # The stored book follows the trades by a tenth of a second.
    address = f"{trading.url}/api/v1/markets/{MARKET}/book?depth=1"
    trading.wait(lambda: requests.get(address, timeout=60).json()["asks"] == [["60000", "0.3"]])
    assert seller.delete(f"orders/{resting['id']}").json()["filled_quantity"] == "0.2"


def trading_trades(trading: Exchange) -> list[dict[str, Any]]:
    return list(requests.get(f"{trading.url}/api/v1/markets/{MARKET}/trades", timeout=60).json()["data"])


WRONG_ORDERS: list[tuple[dict[str, Any], int, str, str | None]] = [
    (limit("sell", "60000.001", "0.1"), 400, "amount_precision", "price"),
    (limit("sell", "60000", "0.00001"), 400, "amount_precision", "quantity"),
    (limit("sell", "-1", "0.1"), 400, "amount_invalid", "price"),
    (limit("sell", "1e5", "0.1"), 400, "amount_invalid", "price"),
    (limit("sell", "60000", "0"), 400, "quantity_lot", "quantity"),
    (limit("sell", "9" * 90, "0.1"), 400, "amount_range", "price"),
    (limit("sell", "60000", "11"), 400, "insufficient_funds", "quantity"),
    (limit("sell", "60000", "0.1", market="BTC-XYZ"), 404, "market_not_found", "market"),
    (limit("sell", "60000", "0.1", client_order_id="with space"), 400, "client_order_id_invalid", "client_order_id"),
    ({"market": MARKET, "side": "sell", "type": "limit", "quantity": "0.1"}, 400, "price_required", "price"),
    ({"market": MARKET, "side": "sell", "type": "limit", "price": "60000"}, 400, "quantity_required", "quantity"),
    (
        {"market": MARKET, "side": "sell", "type": "market", "quantity": "0.1", "price": "1"},
        400,
        "price_not_allowed",
        "price",
    ),
]


@pytest.mark.parametrize(("body", "status", "code", "param"), WRONG_ORDERS)
def test_a_wrong_order_is_refused_and_moves_nothing(
    trading: Exchange, seller: Customer, body: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    before = trading.books()
    answer = seller.post("orders", body)
    assert (answer.status_code, error(answer)["code"], error(answer)["param"]) == (status, code, param), answer.text
    assert trading.books() == before
    assert seller.get("orders").json()["data"] == []


def test_another_customers_order_does_not_exist(seller: Customer, buyer: Customer) -> None:
    order = seller.post("orders", limit("sell", "95000", "0.1", client_order_id="private-1")).json()
    for answer in (
        buyer.get(f"orders/{order['id']}"),
        buyer.delete(f"orders/{order['id']}"),
        buyer.get("orders/by-client-id/private-1"),
        buyer.delete("orders/by-client-id/private-1"),
    ):
        assert (answer.status_code, error(answer)["code"]) == (404, "order_not_found")
    assert all(row["id"] != order["id"] for row in buyer.get("orders/history").json()["data"])
    assert seller.get(f"orders/{order['id']}").json()["state"] == "open"
    assert seller.delete(f"orders/{order['id']}").status_code == 200


def test_pages_follow_each_other_without_a_hole_or_a_double(seller: Customer) -> None:
    for number in range(7):
        order = seller.post("orders", limit("sell", "96000", "0.01", client_order_id=f"page-{number}")).json()
        seller.delete(f"orders/{order['id']}")
    every = [row["id"] for row in seller.get("orders/history?limit=200").json()["data"]]
    seen: list[int] = []
    cursor = ""
    while True:
        page = seller.get(f"orders/history?limit=3{cursor}").json()
        assert len(page["data"]) <= 3
        seen += [row["id"] for row in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == every
    assert seen == sorted(seen, reverse=True)
    assert len(seen) >= 7


def test_one_idempotency_key_is_one_order(trading: Exchange, seller: Customer) -> None:
    body = limit("sell", "97000", "0.2")
    first = seller.post("orders", body, headers={"Idempotency-Key": "order-key"})
    assert (first.status_code, "Idempotent-Replayed" in first.headers) == (201, False)
    before = trading.books()
    second = seller.post("orders", dict(reversed(body.items())), headers={"Idempotency-Key": "order-key"})
    assert (second.status_code, second.headers["Idempotent-Replayed"]) == (201, "true")
    assert second.json() == first.json()
    other = seller.post("orders", limit("sell", "97000", "0.3"), headers={"Idempotency-Key": "order-key"})
    assert (other.status_code, error(other)["code"], error(other)["param"]) == (
        409,
        "idempotency_mismatch",
        "Idempotency-Key",
    )
    assert trading.books() == before
    assert seller.delete(f"orders/{first.json()['id']}").status_code == 200


def test_a_key_belongs_to_its_customer(seller: Customer, buyer: Customer) -> None:
    key = {"Idempotency-Key": "same-text"}
    hers = seller.post("orders", limit("sell", "98000", "0.1"), headers=key).json()
    his = buyer.post("orders", limit("buy", "1", "0.1"), headers=key).json()
    assert hers["id"] != his["id"]
    assert seller.delete(f"orders/{hers['id']}").status_code == 200
    assert buyer.delete(f"orders/{his['id']}").status_code == 200


def test_a_refusal_is_kept_under_its_key_too(trading: Exchange, seller: Customer) -> None:
    body, key = limit("sell", "60000", "9999"), {"Idempotency-Key": "refused"}
    first, second = seller.post("orders", body, headers=key), seller.post("orders", body, headers=key)
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert (error(second)["code"], second.headers["Idempotent-Replayed"]) == ("insufficient_funds", "true")


@pytest.mark.parametrize("key", ["", "x" * 201, "ümlaut".encode()])
def test_a_key_that_is_none_is_refused(seller: Customer, key: str | bytes) -> None:
    answer = seller.post("orders", limit("sell", "60000", "0.1"), headers={"Idempotency-Key": key})
    assert (answer.status_code, error(answer)["code"]) == (400, "idempotency_key_invalid")


def test_the_same_key_from_many_at_once_is_one_order(trading: Exchange, seller: Customer) -> None:
    body, key = limit("sell", "99000", "0.1"), {"Idempotency-Key": "race"}

    def place(_: int) -> requests.Response:
        headers = {"X-Session-Token": seller.token, **key}
        return requests.post(f"{trading.url}/api/v1/orders", json=body, headers=headers, timeout=60)

    with concurrent.futures.ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(place, range(12)))
    placed = [answer.json()["id"] for answer in answers if answer.status_code in (200, 201)]
    assert len(set(placed)) == 1
    assert {error(answer)["code"] for answer in answers if answer.status_code == 409} <= {"idempotency_in_progress"}
    assert [row["id"] for row in seller.get("orders").json()["data"]] == placed[:1]
    assert seller.delete(f"orders/{placed[0]}").status_code == 200


def test_a_key_whose_process_died_can_be_taken_over(trading: Exchange, seller: Customer) -> None:
    """As a kill between the order and its answer leaves it: the order stands, the key has no answer."""
    body, key = limit("sell", "99500", "0.1"), {"Idempotency-Key": "died"}
    first = seller.post("orders", body, headers=key)
    with trading.owner.cursor() as cursor:
        cursor.execute("UPDATE site_pages_idempotency_key SET status = NULL, answer = '' WHERE key = 'died'")
        early = seller.post("orders", body, headers=key)
        assert (early.status_code, error(early)["code"]) == (409, "idempotency_in_progress")
        cursor.execute(
            "UPDATE site_pages_idempotency_key SET started_at = started_at - interval '61 s' WHERE key = 'died'"
        )
    later = seller.post("orders", body, headers=key)
    assert (later.status_code, later.json()["id"]) == (200, first.json()["id"])
    assert len(seller.get("orders").json()["data"]) == 1
    assert seller.delete(f"orders/{first.json()['id']}").status_code == 200


def test_a_closed_market_takes_no_order(trading: Exchange, seller: Customer) -> None:
    halt = f"""
from django.utils import timezone
from trading.services import markets
markets.set_state_sync(symbol="ETH-BTC", state="halted", actor_id={seller.user_id}, now=timezone.now())
"""
    assert trading.start(sys.executable, "manage.py", "shell", "-c", halt).wait(60) == 0
    before = trading.books()
    answer = seller.post("orders", {**limit("buy", "0.05", "0.1"), "market": "ETH-BTC"})
    assert (answer.status_code, error(answer)["code"]) == (409, "market_closed")
    assert trading.books() == before
    shown = requests.get(f"{trading.url}/api/v1/markets/ETH-BTC", timeout=60).json()
    assert shown["state"] == "halted"


def test_an_engine_killed_and_started_again_leaves_every_reader_right(
    trading: Exchange, seller: Customer, buyer: Customer
) -> None:
    """kill -9 in the midst of orders: what was acknowledged stands, and a socket that was open sees it without asking again."""
    with opened(trading) as public, opened(trading, token=seller.token) as mine:
        for reader in (public, mine):
            reader.read()
        public.subscribe(f"book:{MARKET}")
        mine.subscribe("orders")
        reach = public.of(f"book:{MARKET}", "snapshot")["u"]
        first = seller.post("orders", limit("sell", "70000", "0.1")).json()
        engine = trading.engine
        engine.kill()
        engine.wait(60)
        lost = seller.post("orders", limit("sell", "71000", "0.1", client_order_id="in-the-dark"))
        assert (lost.status_code, error(lost)["type"]) in ((504, "outcome_unknown"), (503, "unavailable"))
        trading.start_engine()
        second = seller.post("orders", limit("sell", "72000", "0.1"))
        assert second.status_code == 201, second.text
        asks: dict[str, str] = {}
        while "72000" not in asks:
            message = public.until(lambda m: m.get("channel") == f"book:{MARKET}" and m["type"] != "gap", timeout=60)
            data = message["data"]
            if message["type"] == "snapshot":
                asks = {}
            else:
                assert data["U"] == reach + 1
            reach = data["u"]
            asks |= dict(data["asks"])
        assert asks["70000"] == "0.1"
        seen: set[int] = set()
        while second.json()["id"] not in seen:
            seen |= {
                order["id"] for order in mine.until(lambda m: m.get("channel") == "orders")["data"].get("orders", [])
            }
    open_ids = {order["id"] for order in seller.get("orders").json()["data"]}
    assert {first["id"], second.json()["id"]} <= open_ids
    again = seller.post("orders", limit("sell", "71000", "0.1", client_order_id="in-the-dark"))
    assert again.status_code in (200, 201)  # known by now or placed by this: once, either way
    assert len(seller.get("orders").json()["data"]) == 3


def test_valkey_emptied_under_everybody_loses_nothing_acknowledged(trading: Exchange, seller: Customer) -> None:
    """As a Valkey that was started again without its data. Orders stand, and an open socket comes to see the new ones."""
    with opened(trading) as public:
        public.read()
        public.subscribe(f"book:{MARKET}")
        public.of(f"book:{MARKET}", "snapshot")
        first = seller.post("orders", limit("sell", "80000", "0.1")).json()
        trading.valkey.flushdb()
        trading.valkey.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        placed: list[requests.Response] = []

        def accepted() -> bool:
            own_id = {"client_order_id": "after-the-flood"}  # the same each time: asked again, it is placed once
            placed.append(seller.post("orders", limit("sell", "81000", "0.1", **own_id)))
            return placed[-1].status_code in (200, 201)

        trading.wait(accepted)
        asks: dict[str, str] = {}
        while "81000" not in asks:
            message = public.until(lambda m: m.get("channel") == f"book:{MARKET}" and m["type"] != "gap", timeout=60)
            asks = ({} if message["type"] == "snapshot" else asks) | dict(message["data"]["asks"])
    assert asks["80000"] == "0.1"
    assert {order["id"] for order in seller.get("orders").json()["data"]} == {first["id"], placed[-1].json()["id"]}


def test_without_an_engine_nothing_is_promised(trading: Exchange, seller: Customer) -> None:
    """Last in this file. Nobody takes the order, and the answer says that it is not known; it is never said to stand."""
    trading.end(trading.engine)
    before = trading.books()
    answer = seller.post("orders", limit("sell", "60000", "0.1", client_order_id="nobody"))
    assert (answer.status_code, error(answer)["type"]) in ((504, "outcome_unknown"), (503, "unavailable"))
    assert trading.books() == before
    trading.start_engine()
