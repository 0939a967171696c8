"""A websocket's line: who may open it, what may be said on it and how, and when it ends."""

from __future__ import annotations

import contextlib
import time

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.integration.api.conftest import PASSWORD, Customer, Exchange
from tests.integration.api.test_api_websocket import BTC, CROSS, ETH, LTC, Market, opened


@pytest.fixture
def ann(exchange: Exchange) -> Customer:
    return exchange.customer(f"ann-{time.time_ns()}")


def test_a_visitor_is_greeted_and_answered(exchange: Exchange) -> None:
    with opened(exchange) as reader:
        hello = reader.read()
        assert (hello["type"], hello["authenticated"]) == ("hello", False)
        reader.send(op="ping", id=7)
        pong = reader.read()
        assert (pong["type"], pong["id"]) == ("pong", 7)


BAD_MESSAGES: list[tuple[str | bytes, str, str | None]] = [
    ("{bad", "message_invalid", None),
    ("[]", "message_invalid", None),
    ('{"op":"dance"}', "message_invalid", "op"),
    ('{"op":"ping","id":[1]}', "message_invalid", "id"),
    ('{"op":"ping","id":true}', "message_invalid", "id"),
    ('{"op":"ping","channel":"x"}', "message_invalid", "channel"),
    ('{"op":"subscribe","id":1}', "channel_invalid", "channels"),
    ('{"op":"subscribe","channels":[],"id":1}', "channel_invalid", "channels"),
    ('{"op":"subscribe","channels":["nothing"],"id":1}', "channel_invalid", "channels"),
    ('{"op":"subscribe","channels":["candles:BTC-USDT:2m"],"id":1}', "channel_invalid", "channels"),
    ('{"op":"subscribe","channels":["book:NO-NO"],"id":1}', "market_not_found", "channels"),
    ('{"op":"subscribe","channels":["tickers","orders"],"id":1}', "not_authenticated", "channels"),
    ('{"op":"login","session_token":"wrong","id":1}', "session_token_invalid", None),
    ('{"op":"login","id":1}', "message_invalid", "session_token"),
    (b"\xff\xfe", "message_invalid", None),
]


@pytest.mark.parametrize(("text", "code", "param"), BAD_MESSAGES)
def test_what_is_wrong_is_answered_in_the_one_shape_and_the_line_stays(
    exchange: Exchange, text: str | bytes, code: str, param: str | None
) -> None:
    with opened(exchange) as reader:
        reader.read()
        reader.connection.send(text)
        answer = reader.read()
        assert set(answer["error"]) == {"type", "code", "message", "param"}
        assert (answer["error"]["code"], answer["error"]["param"]) == (code, param)
        if b'"id":1}' in (text if isinstance(text, bytes) else text.encode()):
            assert answer["id"] == 1
        reader.send(op="ping")
        assert reader.read()["type"] == "pong"


def test_a_refused_subscribe_leaves_nothing_behind(exchange: Exchange) -> None:
    market = Market(exchange, CROSS)
    market.store()
    with opened(exchange) as reader:
        reader.read()
        reader.send(op="subscribe", channels=[f"book:{CROSS}", "orders"], id=1)
        assert reader.read()["error"]["code"] == "not_authenticated"
        market.publish("1", "1")
        reader.silence()


def test_a_message_too_long_is_refused_and_the_line_lives_on(exchange: Exchange) -> None:
    with opened(exchange) as reader:
        reader.read()
        reader.connection.send('{"op":"ping","id":"' + "x" * 16_400 + '"}')
        assert reader.read()["error"]["code"] == "message_too_large"
        reader.connection.send('{"op":"ping","id":"' + "é" * 8_200 + '"}')  # counted in bytes
        assert reader.read()["error"]["code"] == "message_too_large"
        reader.send(op="ping", id=1)
        assert reader.read()["type"] == "pong"


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_a_message_may_come_in_any_form(exchange: Exchange, ann: Customer, compression: str | None) -> None:
    """Plain, in pieces, as bytes, compressed, with pings in between: each gets its answer, in turn."""
    with opened(exchange, token=ann.token, compression=compression) as reader:
        reader.read()
        reader.send(op="amend", id=1)
        reader.connection.send(['{"op":"am', 'end","id"', ":2}"])
        reader.connection.ping()
        reader.connection.send(b'{"op":"amend","id":3}')
        reader.connection.send([b'{"op":"amend"', b',"id":4}'])
        reader.send(op="amend", id=5)
        reader.connection.send('{"op":"nonsense","id":6')
        answers = [reader.read() for _ in range(6)]
        assert sorted(answer.get("id", 0) for answer in answers) == [0, 1, 2, 3, 4, 5]
        assert {answer["error"]["code"] for answer in answers} == {"order_reference_required", "message_invalid"}
        assert reader.connection.ping().wait(60)


def test_a_command_does_not_overtake_the_log_in_before_it(exchange: Exchange, ann: Customer) -> None:
    with opened(exchange) as reader:
        reader.read()
        reader.send(op="login", session_token=ann.token, id=1)
        reader.send(op="amend", id=2)
        assert [reader.read().get("type"), reader.read()["error"]["code"]] == [
            "authenticated",
            "order_reference_required",
        ]


def test_too_many_messages_are_refused_but_the_line_stays(exchange: Exchange) -> None:
    with opened(exchange) as reader:
        reader.read()
        began = time.monotonic()
        for number in range(60):
            reader.send(op="ping", id=number)
        answers = [reader.read() for _ in range(60)]
        seconds = int(time.monotonic() - began) + 2  # of which the first and the last need not be whole ones
        refused = [answer for answer in answers if "error" in answer]
        assert 60 - 20 * seconds <= len(refused) <= 40
        assert {answer["error"]["code"] for answer in refused} <= {"too_many_messages"}
        while not refused:  # the machine was slower than the limit
            for _ in range(60):
                reader.send(op="ping")
            refused = [answer for answer in (reader.read() for _ in range(60)) if "error" in answer]
        time.sleep(1.1)
        reader.send(op="ping")
        assert reader.read()["type"] == "pong"


def test_a_page_of_another_site_is_turned_away(exchange: Exchange) -> None:
    for origin in ("https://evil.example", "null", exchange.url.replace("127.0.0.1", "127.0.0.1.evil.example")):
        with pytest.raises(InvalidStatus) as refused, opened(exchange, headers={"Origin": origin}):
            pass
        assert refused.value.response.status_code == 403


def cookies(exchange: Exchange, email: str) -> requests.Session:
    session = requests.Session()
    session.get(f"{exchange.url}/accounts/login/", timeout=60)
    form = {"login": email, "password": PASSWORD, "csrfmiddlewaretoken": session.cookies["csrftoken"]}
    assert (
        session.post(f"{exchange.url}/accounts/login/", data=form, allow_redirects=False, timeout=60).status_code == 302
    )
    return session


def test_the_cookie_counts_on_our_own_pages_only(exchange: Exchange, ann: Customer) -> None:
    cookie = {"Cookie": f"sessionid={cookies(exchange, ann.email).cookies['sessionid']}"}
    with opened(exchange, headers={**cookie, "Origin": exchange.url}) as reader:
        assert reader.read()["authenticated"] is True
    with opened(exchange, headers=cookie) as reader:  # no Origin: not a browser, so no cookie
        assert reader.read()["authenticated"] is False


def test_a_log_out_ends_the_line(exchange: Exchange, ann: Customer) -> None:
    with opened(exchange, token=ann.token) as reader:
        assert reader.read()["authenticated"] is True
        reader.subscribe("orders")
        requests.delete(
            f"{exchange.url}/_allauth/app/v1/auth/session", headers={"X-Session-Token": ann.token}, timeout=60
        )
        answer = reader.until(lambda m: "error" in m, timeout=60)
        assert answer["error"]["code"] == "log_in_ended"
        with pytest.raises(ConnectionClosed) as closed:
            reader.read()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


def test_a_log_in_by_message_opens_the_private_channels(exchange: Exchange, ann: Customer) -> None:
    with opened(exchange) as reader:
        reader.read()
        reader.send(op="login", session_token=ann.token, id=1)
        assert reader.read() == {"type": "authenticated", "id": 1}
        reader.subscribe("orders")
        assert reader.of("orders", "snapshot") == {"orders": []}


def test_connections_of_one_customer_are_bounded(exchange: Exchange, ann: Customer) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            assert stack.enter_context(opened(exchange, token=ann.token)).read()["type"] == "hello"
        one_more = stack.enter_context(opened(exchange, token=ann.token))
        assert one_more.read()["error"]["code"] == "too_many_connections"
        with pytest.raises(ConnectionClosed) as closed:
            one_more.read()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4429


def test_channels_of_one_connection_are_bounded(exchange: Exchange) -> None:
    every = [
        f"candles:{market}:{interval}"
        for market in (BTC, ETH, LTC, CROSS)
        for interval in ("1m", "5m", "15m", "1h", "4h", "1d")
    ]
    with opened(exchange) as reader:
        reader.read()
        reader.send(op="subscribe", channels=every * 3, id=1)
        assert (
            reader.read()["error"]["code"] == "channel_invalid"
        )  # 72 names are more than the 64 that a connection may have
        reader.send(op="subscribe", channels=every, id=2)
        assert reader.until(lambda m: m.get("id") == 2)["type"] == "subscribed"
