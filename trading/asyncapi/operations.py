"""What a client may ask for over the websocket, and what is answered.

One table for the document and for the tests, which ask a live server for every example here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trading.api import forms
from trading.asyncapi.schemas import Schema, answer, listed, record, ref, request
from trading.asyncapi.streams import ORDER, WHEN


@dataclass(frozen=True, slots=True)
class Operation:
    """One `op`. `needs_log_in`: it is refused with not_authenticated before a log-in."""

    op: str
    summary: str
    request: Schema
    answer: Schema
    request_example: dict[str, Any]
    answer_example: dict[str, Any]
    needs_log_in: bool = False


_TEXT = {"type": "string"}
_LOGIN = {
    **record(
        {
            "op": {"const": "login"},
            "session_token": _TEXT,
            "key": _TEXT,
            "timestamp": _TEXT,
            "signature": _TEXT,
            "window": _TEXT,
            "id": ref("Id"),
        },
        optional=("session_token", "key", "timestamp", "signature", "window", "id"),
    ),
    "oneOf": [{"required": ["session_token"]}, {"required": ["key", "timestamp", "signature"]}],
}
_NAMES = listed({"type": "string"}, minItems=1, maxItems=64)
_ITEM = {
    "anyOf": [
        {**schema, "properties": {name: value for name, value in schema["properties"].items() if name != "id"}}
        for schema in (
            request("place", forms.PLACE),
            request("amend", {**forms.REFERENCE, **forms.AMEND}),
            request("cancel", forms.REFERENCE),
        )
    ]
}
_OUTCOME = {"anyOf": [record({"order": ref("Order")}), record({"error": ref("Error")})]}
_PLACED: dict[str, Schema] = {
    "duplicate": {"type": "boolean", "description": "It had been placed before, by the same client_order_id."}
}
_MISSING = {
    "type": "not_found",
    "code": "order_not_found",
    "message": "There is no such order.",
    "param": "client_order_id",
}
_STOP = {
    **ORDER, "id": 7168, "client_order_id": None, "type": "stop", "price": None, "quantity": "0.1", "stop_price": "58000",
    "oco_order_id": 6144, "state": "pending",
}  # fmt: skip
_LIMIT = {**ORDER, "id": 6144, "client_order_id": "pair-1", "quantity": "0.1", "post_only": True, "oco_order_id": 7168}
_CANCELLED = {"state": "cancelled", "reason": "user"}

OPERATIONS = (
    Operation(
        "ping", "Is anybody there?", request("ping", {}), answer("pong", {"time": ref("Time")}),
        {"op": "ping", "id": 1}, {"type": "pong", "time": WHEN, "id": 1},
    ),
    Operation(
        "login", "Log in with a session token, or with an API key's signature of GET on /ws/, where the handshake brought none.",
        _LOGIN, answer("authenticated", {}),
        {"op": "login", "session_token": "(yours)", "id": 2}, {"type": "authenticated", "id": 2},
    ),
    Operation(
        "subscribe", "All of these channels or none. Each then sends a snapshot, and updates that go on from it.",
        request("subscribe", {"channels": _NAMES}), answer("subscribed", {"channels": _NAMES}),
        {"op": "subscribe", "channels": ["book:BTC-USDT", "trades:BTC-USDT"], "id": 3},
        {"type": "subscribed", "channels": ["book:BTC-USDT", "trades:BTC-USDT"], "id": 3},
    ),
    Operation(
        "unsubscribe", "Nothing of these channels from now on.",
        request("unsubscribe", {"channels": _NAMES}), answer("unsubscribed", {"channels": _NAMES}),
        {"op": "unsubscribe", "channels": ["trades:BTC-USDT"], "id": 4},
        {"type": "unsubscribed", "channels": ["trades:BTC-USDT"], "id": 4},
    ),
    Operation(
        "place", "Place an order; the fields are those of POST /orders.",
        request("place", forms.PLACE), answer("placed", {**_PLACED, "order": ref("Order")}),
        {"op": "place", "market": "BTC-USDT", "side": "sell", "type": "limit", "price": "61000", "quantity": "0.5",
         "client_order_id": "spring-1", "id": 5},
        {"type": "placed", "duplicate": False, "order": ORDER, "id": 5}, needs_log_in=True,
    ),
    Operation(
        "amend", "Change an order: less quantity keeps its place, anything else loses it.",
        request("amend", {**forms.REFERENCE, **forms.AMEND}), answer("amended", {"order": ref("Order")}),
        {"op": "amend", "client_order_id": "spring-1", "quantity": "0.4", "id": 6},
        {"type": "amended", "order": {**ORDER, "quantity": "0.4"}, "id": 6}, needs_log_in=True,
    ),
    Operation(
        "cancel", "Cancel an order, by our id or by yours.",
        request("cancel", forms.REFERENCE), answer("cancelled", {"order": ref("Order")}),
        {"op": "cancel", "client_order_id": "spring-1", "id": 7},
        {"type": "cancelled", "order": {**ORDER, "quantity": "0.4", **_CANCELLED}, "id": 7}, needs_log_in=True,
    ),
    Operation(
        "oco", "A limit order and a stop order: whichever comes first cancels the other.",
        request("oco", forms.OCO), answer("placed_oco", {**_PLACED, "limit": ref("Order"), "stop": ref("Order")}),
        {"op": "oco", "market": "BTC-USDT", "side": "sell", "quantity": "0.1", "price": "61000", "stop_price": "58000",
         "client_order_id": "pair-1", "id": 8},
        {"type": "placed_oco", "duplicate": False, "limit": _LIMIT, "stop": _STOP, "id": 8}, needs_log_in=True,
    ),
    Operation(
        "batch", "Up to 50 commands at once, done in their order; each has an outcome of its own.",
        request("batch", {"orders": listed(_ITEM, minItems=1, maxItems=forms.BATCH_MAX)}),
        answer("batch", {"data": listed(_OUTCOME)}),
        {"op": "batch", "orders": [
            {"op": "place", "market": "BTC-USDT", "side": "sell", "type": "limit", "price": "61000", "quantity": "0.1"},
            {"op": "cancel", "client_order_id": "never-was"},
        ], "id": 9},
        {"type": "batch", "data": [
            {"order": {**ORDER, "client_order_id": None, "quantity": "0.1"}},
            {"error": _MISSING},
        ], "id": 9}, needs_log_in=True,
    ),
    Operation(
        "cancel_all", "Cancel every order of yours, or those of one market or one side.",
        request("cancel_all", forms.CANCEL_ALL), answer("cancelled_all", {"cancelled": {"type": "integer"}}),
        {"op": "cancel_all", "market": "BTC-USDT", "side": "sell", "id": 10},
        {"type": "cancelled_all", "cancelled": 3, "id": 10}, needs_log_in=True,
    ),
    Operation(
        "cancel_on_disconnect", "Cancel all orders when this connection ends; where this server dies with it, after `seconds`.",
        request("cancel_on_disconnect", forms.GUARD),
        answer("cancel_on_disconnect", {"enabled": {"type": "boolean"}, "seconds": {"type": ["integer", "null"]}}),
        {"op": "cancel_on_disconnect", "enabled": True, "id": 11},
        {"type": "cancel_on_disconnect", "enabled": True, "seconds": 15, "id": 11}, needs_log_in=True,
    ),
)  # fmt: skip

HELLO = record({"type": {"const": "hello"}, "time": ref("Time"), "authenticated": {"type": "boolean"}})
HELLO_EXAMPLE = {"type": "hello", "time": WHEN, "authenticated": False}
REFUSED = record({"error": ref("Error"), "id": ref("Id")}, optional=("id",))
REFUSED_EXAMPLE = {
    "error": {
        "type": "not_found",
        "code": "market_not_found",
        "message": "There is no market 'NO-SUCH'.",
        "param": "channels",
    },
    "id": 12,
}
