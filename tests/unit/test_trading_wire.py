"""The command decoder: what was encoded comes back; whatever else is in the stream is Malformed, and never anything worse."""

from __future__ import annotations

import contextlib
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading import wire
from trading.engine.book import Order
from trading.engine.commands import PLAIN, Cancel, Place, SetMarketState
from trading.engine.rules import Kind, MarketState, Side, TimeInForce
from trading.presentation import OrderRow
from trading.runner import record

ID = UUID("01900000-0000-7000-8000-000000000001")
HEAD = {"uuid": ID, "process": "web1", "asked_at_ms": 12, "user_id": 5}


def placed(**changed: object) -> dict[str, object]:
    body = wire.encode_place(
        **HEAD, market_id=1, side=1, kind=1, time_in_force=1, price=7, lots=8, quote_units=0, client_order_id="a-b_1"
    )
    return {**orjson.loads(body), **changed}


def test_what_was_encoded_comes_back() -> None:
    asked = wire.decode(orjson.dumps(placed()))
    assert asked.command == Place(1, 5, Side.BUY, Kind.LIMIT, TimeInForce.GTC, 7, 8, 0, 0, 0, "a-b_1", PLAIN, 0)
    assert (asked.uuid, asked.process, asked.asked_at_ms, asked.client_order_id) == (str(ID), "web1", 12, "a-b_1")
    cancel = wire.decode(wire.encode_cancel(**HEAD, order_id=9, client_order_id=None))
    assert cancel.command == Cancel(5, 9, None, 0)
    state = wire.decode(wire.encode_market_state(**HEAD, market_id=2, state=3))
    assert state.command == SetMarketState(2, MarketState.HALTED, 0)
    huge = wire.decode(orjson.dumps(placed(kind=2, tif=2, price=0, lots=0, quote=str(10**70), client=None)))
    assert huge.command.quote_units == 10**70


@pytest.mark.parametrize(
    "changed",
    [
        {"op": "steal"}, {"id": "x"}, {"id": ID.hex}, {"process": "a:b"}, {"at": -1}, {"user": 2**63}, {"user": "5"},
        {"user": True}, {"market": 1.0}, {"side": 3}, {"side": [1]}, {"kind": 0}, {"tif": None}, {"price": 10**15 + 1},
        {"price": 0}, {"lots": 0}, {"lots": -1}, {"quote": "5"}, {"quote": "-5"}, {"quote": 5}, {"quote": "1" * 78},
        {"client": "a b"}, {"client": ""}, {"client": "x" * 37}, {"client": 7}, {"kind": 2}, {"tif": 2, "kind": 2},
    ],
)  # fmt: skip
def test_a_field_out_of_place_is_malformed(changed: dict[str, object]) -> None:
    with pytest.raises(wire.Malformed):
        wire.decode(orjson.dumps(placed(**changed)))


@pytest.mark.parametrize("name", sorted(set(placed()) - {"client"}))
def test_a_missing_field_is_malformed(name: str) -> None:
    body = placed()
    del body[name]
    with pytest.raises(wire.Malformed):
        wire.decode(orjson.dumps(body))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.binary(max_size=60)
    | st.dictionaries(st.sampled_from(sorted(placed())), json_values).map(lambda d: repr(d).encode())
)
def test_any_bytes_are_a_command_or_malformed(body: bytes) -> None:
    with contextlib.suppress(wire.Malformed):
        wire.decode(body)


@given(st.sampled_from(sorted(placed())), json_values)
def test_any_value_in_any_field_is_a_command_or_malformed(name: str, value: object) -> None:
    try:
        body = orjson.dumps(placed(**{name: value}))
    except (TypeError, orjson.JSONEncodeError):
        return
    with contextlib.suppress(wire.Malformed):
        assert wire.decode(body).body == body


def test_a_packed_order_unpacks_to_the_same() -> None:
    order = Order(
        id=1029, market_id=1, user_id=5, side=Side.SELL, kind=Kind.MARKET, time_in_force=TimeInForce.IOC, price=0, lots=0,
        quote_units=10**30, base_account=1, quote_account=2, client_order_id=None, created_at=77,
    )  # fmt: skip
    order.filled_lots, order.filled_quote, order.fee, order.reason, order.updated_at = (
        3,
        10**29,
        10**20,
        "no_liquidity",
        78,
    )
    through_json = orjson.loads(orjson.dumps(record.packed(order)))
    assert wire.unpack_order(through_json) == OrderRow(
        1029, 5, 1, 2, 2, 2, 0, 0, 10**30, 3, 10**29, 10**20, 3, "no_liquidity", None, 77, 78
    )
