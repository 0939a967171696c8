"""docs/asyncapi.yaml against a running server: every request in it is asked, every message that comes is one it describes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from django.utils import timezone
from jsonschema import Draft7Validator

from exchange.notifications.models import Notification
from exchange.notifications.services import inbox
from tests.integration.api.conftest import Customer, Exchange
from tests.integration.api.test_api_websocket import Reader, opened
from trading.services import markets

DOCUMENT: dict[str, Any] = yaml.safe_load((Path(__file__).resolve().parents[3] / "docs" / "asyncapi.yaml").read_text())
SOCKET = DOCUMENT["channels"]["socket"]["messages"]
STREAMS = {name: channel for name, channel in DOCUMENT["channels"].items() if name != "socket"}
ASKED = {name: operation for name, operation in DOCUMENT["operations"].items() if operation["action"] == "receive"}
PRIVATE = {"orders", "fills", "balances", "notifications"}


def check(message: dict[str, Any], described: dict[str, Any]) -> None:
    """The message is what is described, and has the form of its example."""
    schema = {**described["payload"], "components": DOCUMENT["components"]}
    errors = [f"{error.json_path}: {error.message}" for error in Draft7Validator(schema).iter_errors(message)]
    assert not errors, (errors, message)


def described(reference: dict[str, str]) -> dict[str, Any]:
    found: Any = DOCUMENT
    for part in reference["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


@pytest.fixture(scope="module")
def ann(trading: Exchange) -> Iterator[Customer]:
    """Has bitcoin to sell; somebody else makes a price."""
    ann, bob = trading.customer("ann"), trading.customer("bob")
    trading.fund(ann, 1, 100 * 10**8)
    trading.fund(bob, 4, 10_000_000 * 10**6)
    ann.bob = bob  # type: ignore[attr-defined]
    deal(ann, "60000")
    return ann


def deal(ann: Customer, price: str) -> None:
    """One trade, and something left in the book on both sides."""
    bob: Customer = ann.bob  # type: ignore[attr-defined]
    for customer, side, at, quantity in (
        (ann, "sell", price, "0.2"), (bob, "buy", price, "0.1"), (bob, "buy", str(int(price) - 10), "0.1"),
    ):  # fmt: skip
        order = {"market": "BTC-USDT", "side": side, "type": "limit", "price": at, "quantity": quantity}
        answer = customer.post("orders", order)
        assert answer.status_code == 201, answer.text


def answer_to(reader: Reader, request: dict[str, Any]) -> dict[str, Any]:
    reader.send(**request)
    return reader.until(lambda message: message.get("id") == request["id"] and "channel" not in message)


def test_every_request_in_the_document_is_answered_as_it_says(trading: Exchange, ann: Customer) -> None:
    with opened(trading) as reader:
        check(reader.read(), SOCKET["hello"])
        for name, operation in ASKED.items():
            (reference,) = operation["messages"]
            request = described(reference)["examples"][0]["payload"]
            if "session_token" in request:
                request["session_token"] = ann.token
            given = answer_to(reader, request)
            wanted, _ = (described(reply) for reply in operation["reply"]["messages"])
            example = wanted["examples"][0]["payload"]
            assert given.get("type") == example["type"], (name, given)
            check(given, wanted)
            assert set(given) == set(example)
            if "order" in example:
                shown = {key for key, value in example["order"].items() if value is not None}
                assert {key: given["order"][key] for key in ("state", "reason", "type", "quantity")} == {
                    key: example["order"][key] for key in ("state", "reason", "type", "quantity")
                }, shown
        assert given["type"] == "cancel_on_disconnect"
        again = answer_to(reader, {"op": "cancel_on_disconnect", "enabled": False, "id": "off"})
        check(again, SOCKET["cancel_on_disconnect.answer"])


def test_every_op_that_needs_a_log_in_is_refused_without_one_in_the_described_form(trading: Exchange) -> None:
    with opened(trading) as reader:
        reader.read()
        for name, operation in ASKED.items():
            if operation.get("description") != "Needs a log-in.":
                continue
            request = SOCKET[f"{name}.request"]["examples"][0]["payload"]
            given = answer_to(reader, request)
            check(given, SOCKET["refused"])
            assert given["error"]["code"] == "not_authenticated"
        given = answer_to(reader, {"op": "subscribe", "channels": ["book:NO-SUCH"], "id": 12})
        assert given == SOCKET["refused"]["examples"][0]["payload"]


def test_every_channel_sends_what_the_document_says(trading: Exchange, ann: Customer) -> None:
    """Snapshot, update and gap of each one, from the engine, the clock, staff and the price feed."""
    names = {channel["title"]: key for key, channel in STREAMS.items()}
    seen: dict[str, set[str]] = {name: set() for name in names}

    def read_until_all_saw(reader: Reader, *types: str, only: set[str] | None = None, timeout: float = 20) -> None:
        def enough(message: dict[str, Any]) -> bool:
            if "channel" in message:
                check(message, STREAMS[names[message["channel"]]]["messages"][message["type"]])
                seen[message["channel"]].add(message["type"])
            return all(set(types) <= seen[name] for name in only or names)

        if not all(set(types) <= seen[name] for name in only or names):
            try:
                reader.until(enough, timeout)
            except TimeoutError:
                missing = {name: sorted(set(types) - seen[name]) for name in only or names if set(types) - seen[name]}
                raise AssertionError(f"not heard: {missing}") from None

    with opened(trading, token=ann.token) as reader:
        reader.read()
        reader.send(op="subscribe", channels=list(names), id="all")
        assert reader.until(lambda message: message.get("id") == "all")["type"] == "subscribed"
        read_until_all_saw(reader, "snapshot")
        deal(ann, "60100")
        at = "2026-11-20T05:00:00.000000Z"
        prices = {"time": at, "source": "test", "prices": [{"asset": "BTC", "usd": "60100", "as_of": at}]}
        trading.valkey.publish("prices", orjson.dumps(prices))
        told = Notification.objects.create(
            user_id=ann.user_id, event_id=1, kind="test", title="News", created_at=timezone.now()
        )
        inbox.tell_open_pages(told)
        for state in ("halted", "open"):
            markets.set_state_sync(symbol="BTC-USDT", state=state, actor_id=ann.user_id, now=timezone.now())
        read_until_all_saw(reader, "update")
        trading.valkey.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        for name in names:
            seen[name].discard("snapshot")
        read_until_all_saw(reader, "gap", "snapshot")
