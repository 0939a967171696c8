"""API keys over the websocket: they log in, read and trade within their scopes, and their end ends what they opened."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from websockets.exceptions import ConnectionClosed

from exchange.accounts.keys import services
from tests.integration.api.bots import Bot, bot, remembering
from tests.integration.api.conftest import Customer, Exchange
from tests.integration.api.test_api_websocket import Reader, opened

ORDER = {"market": "BTC-USDT", "side": "sell", "type": "limit", "price": "61000", "quantity": "0.1"}
PRIVATE = ("orders", "fills", "balances")


@pytest.fixture(scope="module")
def ann(trading: Exchange) -> Customer:
    remembering(trading)
    ann = trading.customer("ann")
    trading.fund(ann, 1, 10 * 10**8)
    return ann


def by_handshake(exchange: Exchange, program: Bot) -> Any:
    return opened(exchange, headers=program.headers("GET", "/ws/"))


def refused(reader: Reader, **message: Any) -> str:
    reader.send(**message, id="r")
    return str(reader.until(lambda m: m.get("id") == "r")["error"]["code"])


@pytest.mark.parametrize("kind", ["hmac", "ed25519"])
def test_a_key_logs_in_by_a_message_and_trades(trading: Exchange, ann: Customer, kind: str) -> None:
    program = bot(ann, kind, trade=True)
    with opened(trading) as reader:
        assert reader.read()["authenticated"] is False
        reader.send(op="login", id=1, **program.login())
        assert reader.read() == {"type": "authenticated", "id": 1}
        reader.subscribe(*PRIVATE)
        assert {reader.until(lambda m: m["type"] == "snapshot")["channel"] for _ in PRIVATE} == set(PRIVATE)
        reader.send(op="place", id=2, **ORDER, client_order_id=f"key-{kind}")
        seen = [reader.until(lambda m: m.get("id") == 2 or m.get("channel") == "orders") for _ in range(2)]
        assert {message["type"] for message in seen} == {"placed", "update"}
        reader.send(op="cancel_on_disconnect", id=3, enabled=True)
        assert reader.until(lambda m: m.get("id") == 3)["enabled"] is True
    trading.wait(lambda: ann.get(f"orders/by-client-id/key-{kind}").json()["state"] == "cancelled")
    assert ann.get(f"orders/by-client-id/key-{kind}").json()["reason"] == "disconnect"


def test_a_key_logs_in_with_the_handshake(trading: Exchange, ann: Customer) -> None:
    with by_handshake(trading, bot(ann)) as reader:
        assert reader.read()["authenticated"] is True
        reader.subscribe("balances")
        assert reader.of("balances", "snapshot")["balances"]


def test_a_reader_sees_and_does_nothing(trading: Exchange, ann: Customer) -> None:
    with by_handshake(trading, bot(ann)) as reader:
        reader.read()
        for op, fields in (
            ("place", ORDER), ("cancel", {"order_id": 1}), ("cancel_all", {}), ("amend", {"order_id": 1, "quantity": "1"}),
            ("batch", {"orders": [{"op": "cancel", "order_id": 1}]}), ("cancel_on_disconnect", {"enabled": True}),
        ):  # fmt: skip
            assert refused(reader, op=op, **fields) == "scope_missing", op


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda told: {**told, "signature": "0" * 64}, "key_invalid"),
        (lambda told: {**told, "timestamp": str(int(told["timestamp"]) - 60_000_000)}, "timestamp_out_of_window"),
        (lambda told: {**told, "window": "60000"}, "key_invalid"),
        (lambda told: {**told, "session_token": "x"}, "message_invalid"),
        (lambda told: {**told, "key": 7}, "message_invalid"),
        (lambda told: {"key": told["key"]}, "signature_malformed"),
        (lambda told: {"session_token": "x", "window": "5000"}, "message_invalid"),
    ],
)
def test_a_wrong_login_opens_nothing(
    trading: Exchange, ann: Customer, change: Callable[[dict[str, str]], dict[str, Any]], code: str
) -> None:
    program = bot(ann)
    with opened(trading) as reader:
        reader.read()
        assert refused(reader, op="login", **change(program.login())) == code
        assert refused(reader, op="subscribe", channels=["balances"]) == "not_authenticated"
    services.revoke(user_id=ann.user_id, key_id=program.key_id, now=timezone.now())


@pytest.mark.parametrize("by", ["token", "key"])
def test_three_refused_log_ins_close_the_connection(trading: Exchange, ann: Customer, by: str) -> None:
    def wrong() -> dict[str, str]:
        return {"session_token": "guess"} if by == "token" else {**bot(ann).login(), "signature": "0" * 64}

    with opened(trading) as reader:
        reader.read()
        for _ in range(2):
            assert refused(reader, op="login", **wrong()) in ("session_token_invalid", "key_invalid")
        reader.send(op="login", id=1, session_token=ann.token)  # those in turn count
        assert reader.read() == {"type": "authenticated", "id": 1}
        for _ in range(3):
            assert refused(reader, op="login", **wrong()) in ("session_token_invalid", "key_invalid")
        with pytest.raises(ConnectionClosed) as closed:
            reader.read()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


def test_a_login_is_good_for_one_connection(trading: Exchange, ann: Customer) -> None:
    told = bot(ann).login()
    with opened(trading) as first, opened(trading) as second:
        first.read(), second.read()
        first.send(op="login", id=1, **told)
        assert first.read()["type"] == "authenticated"
        assert refused(second, op="login", **told) == "signature_replayed"


def test_a_signature_of_a_rest_request_opens_no_websocket(trading: Exchange, ann: Customer) -> None:
    told = bot(ann).headers("GET", "/api/v1/me")
    with opened(trading, headers=told) as reader:
        assert reader.read()["error"]["code"] == "key_invalid"
        with pytest.raises(ConnectionClosed) as closed:
            reader.read()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


@pytest.mark.parametrize("trade", [True, False])
def test_a_revoked_key_ends_what_it_opened(trading: Exchange, ann: Customer, trade: bool) -> None:
    """At the next command at once; and where none comes, private channels too, in some seconds."""
    program = bot(ann, trade=trade)
    with by_handshake(trading, program) as reader:
        reader.read()
        reader.subscribe("balances")
        services.revoke(user_id=ann.user_id, key_id=program.key_id, now=timezone.now())
        if trade:
            assert refused(reader, op="cancel", order_id=1) == "log_in_ended"
        began = time.monotonic()
        with pytest.raises(ConnectionClosed) as closed:
            while time.monotonic() - began < 60:
                reader.read()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


def test_a_key_is_taken_from_its_networks_alone(trading: Exchange, ann: Customer) -> None:
    program = bot(ann, networks=("203.0.113.7",))
    with opened(trading) as reader:
        reader.read()
        assert refused(reader, op="login", **program.login()) == "key_address_not_allowed"
