"""Whatever is sent, over REST or the websocket, gets one error shape with a code that the documentation knows; nothing is held
by it, and the session and the connection live on.

The customer has no money, so that nothing that happens to be well-formed can stand. What is generated are valid commands with
something broken, and things that are no commands at all.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.api.conftest import Customer, Exchange
from tests.integration.api.test_api_websocket import Reader, opened
from trading.api import forms

DOCS = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text()
CODES = set(re.findall(r"`([a-z_]+)`", DOCS[DOCS.index("| code | meaning |") : DOCS.index("## Websocket")]))
BOUNDED = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
_asked = itertools.count()


@pytest.fixture(scope="module")
def trading(exchange: Exchange) -> Exchange:
    exchange.end(exchange.processes[-1])
    exchange.environment = {"DJANGO_SETTINGS_MODULE": "tests.integration.api.wide_settings"}
    exchange.start_web()
    exchange.start_engine()
    return exchange


@pytest.fixture(scope="module")
def poor(trading: Exchange) -> Iterator[Customer]:
    """Nobody with nothing."""
    customer = trading.customer("poor")
    before = trading.books()
    yield customer
    assert trading.books() == before, "something was moved or held"
    assert customer.get("orders/history?state=open").json()["data"] == []
    assert customer.get("me").status_code == 200


@pytest.fixture(scope="module")
def line(trading: Exchange, poor: Customer) -> Iterator[Reader]:
    """One connection for all that is sent: it must outlive it."""
    with opened(trading, token=poor.token, max_size=None) as reader:
        assert reader.read()["authenticated"]
        yield reader


SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=50)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=20), inner, max_size=5),
    max_leaves=12,
)  # fmt: skip
AMOUNTS = st.decimals(0, 10**6, places=4).map(str) | st.sampled_from(
    [
        "0",
        "-1",
        "1e5",
        "0.00000000000000000001",
        "9" * 99,
        "9" * 101,
        "",
        " 1",
        "1.",
        ".1",
        "+1",
        "0x1",
        "１",
        "NaN",
        "1_0",
    ]
)
KEYS = st.characters(
    min_codepoint=32, max_codepoint=255, exclude_categories=("Cc",)
)  # a header has no control characters
WORDS = st.text(alphabet="abcXYZ019-_ é\0", max_size=40)


def field(form_field: forms.Field) -> st.SearchStrategy[Any]:
    """Mostly what the field takes, at times something else."""
    good: st.SearchStrategy[Any] = WORDS
    if form_field.kind == "choice":
        good = st.sampled_from(form_field.choices)
    elif form_field.kind == "amount":
        good = AMOUNTS
    elif form_field.kind == "flag":
        good = st.booleans()
    elif form_field.kind == "whole":
        good = st.integers(0, 2**54)
    return st.one_of(good, good, good, ANYTHING)


def fields(form: forms.Form) -> st.SearchStrategy[dict[str, Any]]:
    known: dict[str, st.SearchStrategy[Any]] = {name: field(of) for name, of in form.items()}
    if "market" in known:
        known["market"] = st.sampled_from(["BTC-USDT", "BTC-USDT", "ETH-BTC", "NO-NO"]) | ANYTHING
    required = {name: known.pop(name) for name, of in form.items() if of.required}
    whole = st.fixed_dictionaries(required, optional=known)
    missing = st.fixed_dictionaries({}, optional={**required, **known})
    more = st.builds(lambda body, extra: {**body, **extra}, whole, st.dictionaries(WORDS, SCALARS, max_size=1))
    return st.one_of(whole, whole, missing, more)


COMMANDS: dict[str, forms.Form] = {
    "place": forms.PLACE, "oco": forms.OCO, "amend": {**forms.REFERENCE, **forms.AMEND}, "cancel": forms.REFERENCE,
    "cancel_all": forms.CANCEL_ALL, "cancel_on_disconnect": forms.GUARD,
}  # fmt: skip
ITEMS = st.sampled_from(["place", "amend", "cancel"]).flatmap(
    lambda op: fields(COMMANDS[op]).map(lambda body: {"op": op, **body})
)
BATCHES = st.fixed_dictionaries({"orders": st.lists(ITEMS | ANYTHING, max_size=52) | ANYTHING})


def is_error(error: Any) -> None:
    assert set(error) == {"type", "code", "message", "param"}, error
    assert error["code"] in CODES - {"internal"}, error
    assert isinstance(error["message"], str)
    assert error["message"]
    assert error["param"] is None or isinstance(error["param"], str)


REST = st.one_of(
    st.tuples(st.just("POST"), st.just("orders"), fields(forms.PLACE)),
    st.tuples(st.just("POST"), st.just("orders/oco"), fields(forms.OCO)),
    st.tuples(st.just("POST"), st.just("orders/batch"), BATCHES),
    st.tuples(st.just("POST"), st.just("orders/cancel-after"), fields(forms.COUNTDOWN)),
    st.tuples(st.just("PATCH"), st.sampled_from(["orders/1024", "orders/by-client-id/x"]), fields(forms.AMEND)),
    st.tuples(
        st.sampled_from(["POST", "PATCH", "DELETE"]), st.sampled_from(["orders", "orders/1", "orders/oco"]), ANYTHING
    ),
)


@BOUNDED
@given(asked=REST, key=st.none() | st.text(alphabet=KEYS, max_size=210))
def test_rest_bodies(poor: Customer, asked: tuple[str, str, Any], key: str | None) -> None:
    method, path, body = asked
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Idempotency-Key"] = key.strip()
    answer = poor.call(method, path, data=json.dumps(body), headers={**headers})
    given_back = answer.json()
    if answer.status_code >= 400:
        assert answer.status_code not in (500, 503, 504), answer.text
        assert set(given_back) == {"error"}
        is_error(given_back["error"])
    else:
        assert answer.status_code in (200, 201)
        for outcome in given_back.get("data", []):
            assert set(outcome) in ({"error"}, {"order"})
            if "error" in outcome:
                is_error(outcome["error"])


@BOUNDED
@given(
    body=st.binary(max_size=300),
    kind=st.sampled_from(["application/json", "text/plain", "application/json; charset=x"]),
)
def test_rest_bytes(poor: Customer, body: bytes, kind: str) -> None:
    answer = poor.post("orders", data=body, headers={"Content-Type": kind})
    assert answer.status_code in (400, 415), answer.text
    is_error(answer.json()["error"])


def _message(op: str) -> st.SearchStrategy[bytes]:
    body = (
        BATCHES
        if op == "batch"
        else fields(COMMANDS[op])
        if op in COMMANDS
        else st.dictionaries(WORDS, ANYTHING, max_size=2)
    )
    ids = st.none() | st.integers(-(2**70), 2**70) | st.text(max_size=70) | ANYTHING
    return st.builds(
        lambda fields_, own: json.dumps({"op": op, **fields_, **({} if own is None else {"id": own})}).encode(),
        body,
        ids,
    )


OPS = [*COMMANDS, "batch", "subscribe", "unsubscribe", "ping", "login", "nonsense"]
CHANNELS = st.lists(
    st.sampled_from(["book:BTC-USDT", "bbo:NO-NO", "orders", "trades:", ":", "tickers"]) | ANYTHING, max_size=70
)
MESSAGES = st.one_of(
    st.sampled_from(OPS).flatmap(_message),
    st.sampled_from(OPS).flatmap(_message),
    CHANNELS.map(lambda names: json.dumps({"op": "subscribe", "channels": names}).encode()),
    ANYTHING.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=200),
    st.integers(16_000, 40_000).map(lambda size: b'{"op":"ping","id":"' + b"x" * size + b'"}'),
)
TYPES = {"pong", "subscribed", "unsubscribed", "authenticated", "placed", "placed_oco", "amended", "cancelled", "cancelled_all",
         "batch", "cancel_on_disconnect", "snapshot", "update", "gap"}  # fmt: skip


@BOUNDED
@given(sent=st.lists(MESSAGES, min_size=1, max_size=6), as_text=st.booleans())
def test_websocket_messages(line: Reader, sent: list[bytes], as_text: bool) -> None:
    for raw in sent:
        try:
            line.connection.send(raw.decode() if as_text else raw)
        except UnicodeDecodeError:  # no text; a client cannot send it as one
            line.connection.send(raw)
    own = f"still-there-{next(_asked)}"
    line.send(op="ping", id=own)
    answered = 0
    while True:
        message = dict(orjson.loads(line.connection.recv(20)))
        if message.get("id") == own:
            assert message["type"] == "pong"
            break
        answered += _is_an_answer(message)
    while answered < len(sent):  # commands answer when they are done
        answered += _is_an_answer(dict(orjson.loads(line.connection.recv(20))))


def _is_an_answer(message: dict[str, Any]) -> bool:
    """Whether it answers a message; a channel's own are none."""
    if "error" in message:
        assert set(message) <= {"error", "id"}, message
        is_error(message["error"])
        return True
    assert message["type"] in TYPES, message
    if message["type"] == "batch":
        for outcome in message["data"]:
            if "error" in outcome:
                is_error(outcome["error"])
    return "channel" not in message
