"""Orders over the websocket: what REST takes, side by side, bounded, and cancelled when the line breaks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from websockets.exceptions import ConnectionClosed

from exchange.core.times import iso
from tests.integration.api.conftest import Customer, Exchange
from tests.integration.api.test_api_orders import EVERY_KIND, limit
from tests.integration.api.test_api_websocket import Reader, opened
from tests.integration.api.test_api_websocket_line import cookies

BTC, USDT = 1, 4
COUNTDOWN_S, RENEW_S = 60, 1
SHORT_S = 8  # where it is to run out


@pytest.fixture(scope="module")
def trading(exchange: Exchange) -> Exchange:
    """With a countdown that is renewed each second, and so long that no machine is too busy to renew it in time."""
    exchange.end(exchange.processes[-1])
    counting_down_from(exchange, COUNTDOWN_S)
    exchange.start_engine()
    return exchange


def counting_down_from(exchange: Exchange, seconds: int) -> None:
    """Another web process."""
    exchange.environment = {"WEBSOCKET_COUNTDOWN_S": str(seconds), "WEBSOCKET_RENEW_S": str(RENEW_S)}
    exchange.start_web()


def runs_out_at(exchange: Exchange, customer: Customer) -> str | None:
    """When the engine will cancel all the customer's orders, in the API's form; None where it will not."""
    with exchange.owner.cursor() as cursor:
        cursor.execute("SELECT until_us FROM trading_countdown WHERE user_id = %s", (customer.user_id,))
        row = cursor.fetchone()
    return iso(datetime.fromtimestamp(row[0] / 1_000_000, UTC)) if row else None


@pytest.fixture(scope="module")
def ann(trading: Exchange) -> Customer:
    ann, bob = trading.customer("ann"), trading.customer("bob")
    for customer in (ann, bob):
        trading.fund(customer, BTC, 10 * 10**8)
        trading.fund(customer, USDT, 1_000_000 * 10**6)
    assert ann.post("orders", limit("sell", "60000", "0.1")).status_code == 201
    assert bob.post("orders", limit("buy", "60000", "0.1")).json()["state"] == "filled"
    return ann


@pytest.fixture(autouse=True)
def _nothing_is_left(ann: Customer, trading: Exchange) -> Iterator[None]:
    yield
    ann.url = trading.url
    assert ann.delete("orders").status_code == 200
    assert trading.books()[1] == 0, "something is held for no order"


def ask(reader: Reader, op: str, **fields: Any) -> dict[str, Any]:
    """Send a command and read its own answer."""
    reader.send(op=op, id="ask", **fields)
    return reader.until(lambda message: message.get("id") == "ask")


@pytest.fixture
def desk(trading: Exchange, ann: Customer) -> Iterator[Reader]:
    with opened(trading, token=ann.token) as reader:
        assert reader.read()["authenticated"]
        yield reader


@pytest.mark.parametrize(("body", "state", "shown"), EVERY_KIND)
def test_every_kind_is_placed_as_over_rest(
    desk: Reader, ann: Customer, body: dict[str, Any], state: str, shown: dict[str, Any]
) -> None:
    answer = ask(desk, "place", **body)
    assert (answer["type"], answer["duplicate"]) == ("placed", False), answer
    assert answer["order"]["state"] == state
    assert {name: answer["order"][name] for name in shown} == shown
    assert ann.get(f"orders/{answer['order']['id']}").json() == answer["order"]


def test_a_life_over_the_line(desk: Reader, ann: Customer) -> None:
    own = f"life-{time.time_ns()}"
    placed = ask(desk, "place", **limit("sell", "61000", "0.3", client_order_id=own))["order"]
    again = ask(desk, "place", **limit("sell", "61000", "0.3", client_order_id=own))
    assert (again["duplicate"], again["order"]["id"]) == (True, placed["id"])
    amended = ask(desk, "amend", client_order_id=own, quantity="0.2")
    assert (amended["type"], amended["order"]["quantity"]) == ("amended", "0.2")
    amended = ask(desk, "amend", order_id=placed["id"], price="62000")
    assert amended["order"]["price"] == "62000"
    cancelled = ask(desk, "cancel", order_id=placed["id"])
    assert (cancelled["type"], cancelled["order"]["state"]) == ("cancelled", "cancelled")
    assert ask(desk, "cancel", client_order_id=own)["error"]["code"] == "order_closed"
    pair = ask(desk, "oco", market="BTC-USDT", side="sell", quantity="0.1", price="70000", stop_price="50000")
    assert (pair["type"], pair["limit"]["oco_order_id"]) == ("placed_oco", pair["stop"]["id"])
    batch = ask(
        desk, "batch", orders=[{"op": "place", **limit("buy", "1", "0.1")}, {"op": "cancel", "order_id": 1024 * 10**9}]
    )
    assert batch["data"][0]["order"]["state"] == "open"
    assert batch["data"][1]["error"]["code"] == "order_not_found"
    assert ask(desk, "cancel_all", side="buy") == {"type": "cancelled_all", "cancelled": 1, "id": "ask"}
    assert ask(desk, "cancel_all") == {"type": "cancelled_all", "cancelled": 2, "id": "ask"}


WRONG: list[tuple[str, dict[str, Any], str, str | None]] = [
    ("place", {}, "field_required", "market"),
    ("place", limit("sell", "61000", "0.1", nonsense=1), "unknown_field", "nonsense"),
    ("place", {**limit("sell", "61000", "0.1"), "price": 61000}, "amount_invalid", "price"),
    ("place", limit("sell", "61000.001", "0.1"), "amount_precision", "price"),
    ("place", limit("hold", "61000", "0.1"), "choice_invalid", "side"),
    ("place", limit("sell", "61000", "9999"), "insufficient_funds", "quantity"),
    ("place", {**limit("sell", "61000", "0.1"), "market": "NO-NO"}, "market_not_found", "market"),
    ("place", limit("sell", "61000", "0.1", client_order_id="a b"), "client_order_id_invalid", "client_order_id"),
    ("oco", {"market": "BTC-USDT"}, "field_required", "side"),
    ("amend", {"quantity": "1"}, "order_reference_required", "order_id"),
    ("amend", {"order_id": "1", "quantity": "1"}, "field_invalid", "order_id"),
    ("amend", {"order_id": 1024 * 10**9, "quantity": "1"}, "order_not_found", "order_id"),
    ("cancel", {}, "order_reference_required", "order_id"),
    ("cancel", {"order_id": 1, "client_order_id": "x"}, "order_reference_required", "order_id"),
    ("cancel", {"order_id": 2**60}, "field_invalid", "order_id"),
    ("cancel", {"order_id": 1}, "order_not_found", "order_id"),
    ("cancel", {"order_id": None}, "field_required", "order_id"),
    ("cancel_all", {"market": "NO-NO"}, "market_not_found", "market"),
    ("cancel_all", {"side": "both"}, "choice_invalid", "side"),
    ("batch", {}, "batch_size", "orders"),
    ("batch", {"orders": []}, "batch_size", "orders"),
    ("batch", {"orders": [{"op": "cancel", "order_id": 1024}] * 51}, "batch_size", "orders"),
    ("cancel_on_disconnect", {}, "field_required", "enabled"),
    ("cancel_on_disconnect", {"enabled": "yes"}, "field_invalid", "enabled"),
]


@pytest.mark.parametrize(("op", "fields", "code", "param"), WRONG)
def test_a_wrong_command_gets_its_code_and_the_line_lives_on(
    desk: Reader, trading: Exchange, op: str, fields: dict[str, Any], code: str, param: str | None
) -> None:
    before = trading.books()
    answer = ask(desk, op, **fields)
    assert set(answer) == {"error", "id"}
    assert set(answer["error"]) == {"type", "code", "message", "param"}
    assert (answer["error"]["code"], answer["error"]["param"]) == (code, param)
    assert trading.books() == before
    assert ask(desk, "ping")["type"] == "pong"


def test_without_a_log_in_nothing_is_ordered(trading: Exchange) -> None:
    with opened(trading) as reader:
        reader.read()
        for op in ("place", "oco", "amend", "cancel", "cancel_all", "batch", "cancel_on_disconnect"):
            assert ask(reader, op)["error"]["code"] == "not_authenticated"


def test_answers_find_their_questions_however_they_come(desk: Reader, ann: Customer) -> None:
    """Sixty at once, one of which waits for the database: each answer carries the id of its own question."""
    ann.post("orders", limit("sell", "66000", "0.01", client_order_id=f"slow-{time.time_ns()}"))
    slow = ann.get("orders").json()["data"][0]["client_order_id"]
    desk.send(op="cancel", client_order_id=slow, id="slow")
    for number in range(60):
        desk.send(op="place", id=number, **limit("sell", f"{61000 + number}", "0.01"))
    answers = [desk.read() for _ in range(61)]
    by_id = {answer["id"]: answer for answer in answers}
    assert len(by_id) == 61
    assert by_id["slow"]["order"]["client_order_id"] == slow
    assert [by_id[number]["order"]["price"] for number in range(60)] == [f"{61000 + number}" for number in range(60)]


def test_more_in_flight_than_the_bound_is_refused_and_the_rest_is_done(desk: Reader, ann: Customer) -> None:
    for number in range(250):
        desk.send(op="place", id=number, **limit("sell", "63000", "0.001"))
    answers = [desk.read() for _ in range(250)]
    codes = {answer["error"]["code"] for answer in answers if "error" in answer}
    placed = [answer for answer in answers if "order" in answer]
    assert codes <= {"too_many_in_flight"}
    assert len(placed) >= 100
    assert len(ann.get("orders").json()["data"]) == len(placed)
    assert ask(desk, "ping")["type"] == "pong"


def test_the_orders_limit_is_one_for_both_ways(trading: Exchange) -> None:
    """600 in ten seconds: spent here, it is spent there."""
    max_ = trading.customer(f"max-{time.time_ns()}")
    batch = [{"op": "none"}] * 50  # refused before anybody is asked: quicker than the limit refills
    with opened(trading, token=max_.token) as reader:
        reader.read()
        codes = [ask(reader, "batch", orders=batch).get("error", {}).get("code") for _ in range(16)]
        assert codes[0] is None
        assert codes.count("rate_limited") >= 1
        assert max_.post("orders/batch", {"orders": batch}).status_code == 429
        assert ask(reader, "ping")["type"] == "pong"


def test_a_second_account_touches_nothing_of_the_first(trading: Exchange, desk: Reader) -> None:
    eve = trading.customer(f"eve-{time.time_ns()}")
    hers = ask(desk, "place", **limit("sell", "61000", "0.1", client_order_id=f"hers-{time.time_ns()}"))["order"]
    with opened(trading, token=eve.token) as reader:
        reader.read()
        for named in ({"order_id": hers["id"]}, {"client_order_id": hers["client_order_id"]}):
            assert ask(reader, "cancel", **named)["error"]["code"] == "order_not_found"
            assert ask(reader, "amend", **named, quantity="0.05")["error"]["code"] == "order_not_found"
            batch = ask(reader, "batch", orders=[{"op": "cancel", **named}, {"op": "amend", **named, "price": "1"}])
            assert [outcome["error"]["code"] for outcome in batch["data"]] == ["order_not_found"] * 2
        assert ask(reader, "cancel_all")["cancelled"] == 0
        assert ask(reader, "cancel_on_disconnect", enabled=True)["enabled"]
        assert runs_out_at(trading, eve) is not None
    trading.wait(lambda: runs_out_at(trading, eve) is None)
    assert ask(desk, "cancel", order_id=hers["id"])["order"]["reason"] == "user"


def test_a_log_out_ends_the_right_to_trade_at_once(trading: Exchange) -> None:
    zoe = trading.customer(f"zoe-{time.time_ns()}")
    with opened(trading, token=zoe.token) as reader:
        reader.read()
        assert ask(reader, "cancel_all")["cancelled"] == 0
        requests.delete(
            f"{trading.url}/_allauth/app/v1/auth/session", headers={"X-Session-Token": zoe.token}, timeout=60
        )
        reader.send(op="cancel_all", id="late")
        assert reader.read()["error"]["code"] == "log_in_ended"
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                reader.read()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


def test_a_page_of_ours_trades_by_its_cookie(trading: Exchange, ann: Customer) -> None:
    cookie = {"Cookie": f"sessionid={cookies(trading, ann.email).cookies['sessionid']}"}
    with opened(trading, headers={**cookie, "Origin": trading.url}) as reader:
        assert reader.read()["authenticated"] is True
        assert ask(reader, "place", **limit("sell", "61000", "0.1"))["type"] == "placed"
    with opened(trading, headers=cookie) as reader:  # not a page of ours: the cookie opens nothing
        reader.read()
        assert ask(reader, "cancel_all")["error"]["code"] == "not_authenticated"


def ends(ann: Customer, order_id: int) -> dict[str, Any]:
    """Waits for an order's end; the order."""
    deadline = time.monotonic() + 120
    while (shown := ann.get(f"orders/{order_id}").json())["state"] in ("open", "pending"):
        assert time.monotonic() < deadline, "nobody cancelled it"
        time.sleep(0.05)
    return dict(shown)


@pytest.mark.parametrize("how", ["closed", "broken"])
def test_a_guarded_line_takes_its_orders_along(trading: Exchange, ann: Customer, how: str) -> None:
    elsewhere = ann.post("orders", limit("sell", "64000", "0.01")).json()
    with opened(trading, token=ann.token) as reader:
        reader.read()
        answer = ask(reader, "cancel_on_disconnect", enabled=True)
        assert answer == {"type": "cancel_on_disconnect", "enabled": True, "seconds": COUNTDOWN_S, "id": "ask"}
        placed = ask(reader, "place", **limit("sell", "65000", "0.01"))["order"]
        for _ in range(2):  # it lives: the countdown is put off, and nothing is cancelled
            end = runs_out_at(trading, ann)
            trading.wait(lambda end=end: (runs_out_at(trading, ann) or "") > end)
        end = runs_out_at(trading, ann)
        assert ann.get(f"orders/{placed['id']}").json()["state"] == "open"
        if how == "broken":
            reader.connection.socket.shutdown(2)
    for order in (placed, elsewhere):
        ended = ends(ann, order["id"])
        assert ended["reason"] == "disconnect"
        assert ended["updated_at"] < end, "it waited for the countdown"
    after = ann.post("orders", limit("sell", "65000", "0.01")).json()
    trading.wait(lambda: runs_out_at(trading, ann) is None)
    assert ann.get(f"orders/{after['id']}").json()["state"] == "open", "the countdown was not taken back"


def test_an_order_still_on_its_way_does_not_survive_the_line(trading: Exchange, ann: Customer) -> None:
    with opened(trading, token=ann.token) as reader:
        reader.read()
        ask(reader, "cancel_on_disconnect", enabled=True)
        assert runs_out_at(trading, ann) is not None
        for number in range(30):
            reader.send(op="place", id=number, **limit("sell", "65000", "0.001"))
    trading.wait(lambda: runs_out_at(trading, ann) is None)  # the last thing that is done for a line that has ended
    assert ann.get("orders").json()["data"] == []


def test_taken_back_nothing_is_cancelled(trading: Exchange, ann: Customer) -> None:
    with opened(trading, token=ann.token) as reader:
        reader.read()
        ask(reader, "cancel_on_disconnect", enabled=True)
        placed = ask(reader, "place", **limit("sell", "65000", "0.01"))["order"]
        answer = ask(reader, "cancel_on_disconnect", enabled=False)
        assert answer == {"type": "cancel_on_disconnect", "enabled": False, "seconds": None, "id": "ask"}
        assert runs_out_at(trading, ann) is None
    time.sleep(0.5)
    assert ann.get(f"orders/{placed['id']}").json()["state"] == "open"


def test_a_web_process_that_is_stopped_cancels_before_it_goes(trading: Exchange, ann: Customer) -> None:
    """As at a deployment: SIGTERM, and the orders are gone when the process is."""
    with pytest.raises(ConnectionClosed), opened(trading, token=ann.token) as reader:
        reader.read()
        ask(reader, "cancel_on_disconnect", enabled=True)
        placed = ask(reader, "place", **limit("sell", "65000", "0.01"))["order"]
        trading.end(trading.web)
        with trading.owner.cursor() as cursor:
            cursor.execute("SELECT state, reason FROM trading_order WHERE id = %s", (placed["id"],))
            assert cursor.fetchone() == (3, "disconnect")
        reader.read()
    trading.start_web()
    ann.url = trading.url


def test_a_killed_web_process_takes_its_orders_along(trading: Exchange, ann: Customer) -> None:
    """SIGKILL: nobody is left to cancel but the engine, when the countdown runs out."""
    trading.end(trading.web)
    counting_down_from(trading, SHORT_S)
    with pytest.raises(ConnectionClosed), opened(trading, token=ann.token) as reader:
        reader.read()
        ask(reader, "cancel_on_disconnect", enabled=True)
        placed = ask(reader, "place", **limit("sell", "65000", "0.01"))["order"]
        trading.web.kill()
        trading.web.wait()
        end = runs_out_at(trading, ann)
        reader.read()
    assert end is not None
    counting_down_from(trading, COUNTDOWN_S)
    ann.url = trading.url
    ended = ends(ann, placed["id"])
    assert ended["reason"] == "disconnect"
    assert ended["updated_at"] >= end
