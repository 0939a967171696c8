"""The command decoder: what was encoded comes back; whatever else is in the stream is Malformed, and never anything worse."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading import wire
from trading.engine import commands as c
from trading.engine.commands import PLAIN, Place, Terms
from trading.engine.rules import LOTS_MAX, PPM, TICKS_MAX, Kind, Market, MarketState, SelfTrade, Side, TimeInForce
from trading.presentation import OrderRow

ID = UUID("01900000-0000-7000-8000-000000000001")
HEAD: dict[str, Any] = {"uuid": ID, "process": "web1", "asked_at_ms": 12, "user_id": 5}
RULES = Market(
    id=3, base_asset_id=1, quote_asset_id=4, lot_base_units=10**70, tick_quote_units=10**70, maker_fee_ppm=-100,
    taker_fee_ppm=2_000, min_notional=10**70, band_ppm=100_000, slippage_ppm=50_000, max_open_orders=200,
)  # fmt: skip


def placed(**changed: object) -> dict[str, object]:
    body = wire.encode_place(
        **HEAD, market_id=1, side=1, kind=1, time_in_force=1, price=7, lots=8, quote_units=0, client_order_id="a-b_1"
    )
    return {**orjson.loads(body), **changed}


def termed(**changed: object) -> dict[str, object]:
    """A limit order's body with terms, and with whatever else is changed beside them."""
    terms = {name: value for name, value in changed.items() if name not in placed()}
    return placed(**{name: value for name, value in changed.items() if name in placed()}, terms=terms)


def paired(**changed: object) -> dict[str, object]:
    body = wire.encode_oco(
        **HEAD, market_id=1, side=2, time_in_force=4, lots=8, price=9, stop_price=5, stop_limit_price=4,
        client_order_id="pair", self_trade=2, slippage_ppm=0, expires_at=77,
    )  # fmt: skip
    return {**orjson.loads(body), **changed}


def amended(**changed: object) -> dict[str, object]:
    body = wire.encode_amend(**HEAD, order_id=9, client_order_id=None, price=3, lots=2, stop_price=0)
    return {**orjson.loads(body), **changed}


def ruled(**changed: object) -> dict[str, object]:
    body = orjson.loads(wire.encode_market_open(**HEAD, market=RULES, state=1))
    return {**body, "rules": {**body["rules"], **changed}}


def test_what_was_encoded_comes_back() -> None:
    asked = wire.decode(orjson.dumps(placed()))
    assert asked.command == Place(1, 5, Side.BUY, Kind.LIMIT, TimeInForce.GTC, 7, 8, 0, 0, 0, "a-b_1", PLAIN, 0)
    assert asked.command.terms is PLAIN
    assert (asked.uuid, asked.process, asked.asked_at_ms, asked.client_order_id) == (str(ID), "web1", 12, "a-b_1")
    huge = wire.decode(orjson.dumps(placed(kind=2, tif=2, price=0, lots=0, quote=str(10**70), client=None)))
    assert huge.command.quote_units == 10**70


@pytest.mark.parametrize(
    ("body", "command"),
    [
        (wire.encode_cancel(**HEAD, order_id=9, client_order_id=None), c.Cancel(5, 9, None, 0)),
        (wire.encode_cancel(**HEAD, order_id=0, client_order_id="x"), c.Cancel(5, 0, "x", 0)),
        (
            wire.encode_amend(**HEAD, order_id=0, client_order_id="x", price=1, lots=2, stop_price=3),
            c.Amend(5, 0, "x", 1, 2, 3, 0),
        ),
        (wire.encode_cancel_all(**HEAD, market_id=2, side=1, reason="staff"), c.CancelAll(5, 2, 1, "staff", 0)),
        (wire.encode_countdown(**HEAD, until=10**15), c.Countdown(5, 10**15, 0)),
        (wire.encode_fees(**HEAD, maker_fee_ppm=-50, taker_fee_ppm=400), c.SetFees(5, -50, 400, 0)),
        (wire.encode_market_open(**HEAD, market=RULES, state=4), c.OpenMarket(RULES, MarketState.POST_ONLY, 0)),
        (wire.encode_market(**HEAD, market=RULES), c.SetMarket(RULES, 0)),
        (
            wire.encode_market_state(**HEAD, market_id=2, state=3),
            c.SetMarketState(2, MarketState.HALTED, 0),
        ),
        (wire.encode_tick(**HEAD), c.Tick(0)),
    ],
)
def test_every_other_command_comes_back(body: bytes, command: object) -> None:
    asked = wire.decode(body)
    assert asked.command == command
    assert asked.client_order_id is None, "only a new order uses up its owner's id"


def test_a_pair_comes_back_as_two_orders_that_differ_in_price_alone() -> None:
    asked = wire.decode(orjson.dumps(paired()))
    limit = Terms(False, SelfTrade.CANCEL_OLDEST, 0, 0, 0, 0, 0, 77)
    stop = Terms(False, SelfTrade.CANCEL_OLDEST, 0, 5, 0, 0, 0, 77)
    assert asked.client_order_id == "pair"
    assert asked.command == c.PlaceOco(
        Place(1, 5, Side.SELL, Kind.LIMIT, TimeInForce.GTD, 9, 8, 0, 0, 0, "pair", limit, 0),
        Place(1, 5, Side.SELL, Kind.STOP_LIMIT, TimeInForce.GTD, 4, 8, 0, 0, 0, None, stop, 0),
        0,
    )
    at_market = wire.decode(orjson.dumps(paired(limit=0, slippage=500))).command
    assert (at_market.stop.kind, at_market.stop.price, at_market.stop.terms.slippage_ppm) == (Kind.STOP, 0, 500)


ticks, lots = st.integers(1, TICKS_MAX), st.integers(2, LOTS_MAX)


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    """Every well-formed order: kinds, times in force and terms that go together."""
    kind = draw(st.sampled_from(Kind))
    priced = kind in (Kind.LIMIT, Kind.STOP_LIMIT, Kind.TAKE_PROFIT_LIMIT)
    lasting = [TimeInForce.GTC, TimeInForce.GTD]
    allowed = {Kind.LIMIT: list(TimeInForce), Kind.MARKET: [TimeInForce.IOC, TimeInForce.FOK]}.get(kind, lasting)
    in_force, size = draw(st.sampled_from(allowed)), draw(lots)
    by_quote = not priced and draw(st.booleans())
    side = Side.BUY if by_quote and kind != Kind.MARKET else draw(st.sampled_from(Side))
    rests, trail_ppm = kind == Kind.LIMIT and in_force in lasting, draw(st.booleans())
    terms = Terms(
        rests and draw(st.booleans()),
        draw(st.sampled_from(SelfTrade)),
        draw(st.integers(0, size - 1)) if rests else 0,
        draw(ticks) if Kind.STOP <= kind <= Kind.TAKE_PROFIT_LIMIT else 0,
        draw(ticks) if kind == Kind.TRAILING_STOP and not trail_ppm else 0,
        draw(st.integers(1, PPM - 1)) if kind == Kind.TRAILING_STOP and trail_ppm else 0,
        0 if priced else draw(st.integers(0, PPM)),
        draw(st.integers(1, 2**62)) if in_force == TimeInForce.GTD else 0,
    )
    return {
        "market_id": draw(st.integers(0, 2**15 - 1)), "side": side, "kind": kind, "time_in_force": in_force,
        "price": draw(ticks) if priced else 0, "lots": 0 if by_quote else size,
        "quote_units": draw(st.integers(1, 10**70)) if by_quote else 0,
        "client_order_id": draw(st.none() | st.from_regex(wire.CLIENT_ORDER_ID, fullmatch=True)), "terms": terms,
    }  # fmt: skip


@given(orders())
def test_every_well_formed_order_comes_back(order: dict[str, Any]) -> None:
    body = wire.encode_place(**HEAD, **order)
    assert len(body) <= wire.BODY_BYTES_MAX
    found = wire.decode(body).command
    assert found == Place(user_id=5, base_account=0, quote_account=0, at=0, **order)
    # The core compares members by identity.
    assert all(type(member) is not int for member in (found.side, found.kind, found.time_in_force))
    assert type(found.terms.self_trade) is SelfTrade


@pytest.mark.parametrize(
    "body",
    [
        *(placed(**changed) for changed in (
            {"op": "steal"}, {"op": None}, {"op": []}, {"id": "x"}, {"id": ID.hex}, {"process": "a:b"}, {"at": -1},
            {"user": 2**63}, {"user": "5"}, {"user": True}, {"market": 1.0}, {"market": 2**15}, {"side": 3},
            {"side": [1]}, {"kind": 0}, {"kind": 8}, {"tif": None}, {"tif": 5}, {"price": TICKS_MAX + 1}, {"price": 0},
            {"lots": 0}, {"lots": -1}, {"quote": "5"}, {"quote": "-5"}, {"quote": 5}, {"quote": "1" * 78},
            {"client": "a b"}, {"client": ""}, {"client": "x" * 37}, {"client": 7}, {"kind": 2}, {"tif": 2, "kind": 2},
            {"side": True}, {"side": 1.0}, {"kind": True}, {"kind": 1.0}, {"tif": True}, {"tif": 1.0},
            {"kind": 2, "tif": 1, "price": 0}, {"kind": 2, "tif": 4, "price": 0}, {"tif": 4}, {"terms": None},
            {"terms": []}, {"terms": 5}, {"kind": 3, "price": 0}, {"kind": 4}, {"kind": 7, "price": 0},
        )),
        *(termed(**changed) for changed in (
            {"unknown": 1}, {"post_only": 1}, {"post_only": True, "tif": 2}, {"post_only": True, "tif": 3},
            {"display": 8}, {"display": -1}, {"display": 3, "tif": 2}, {"self_trade": 0}, {"self_trade": 5},
            {"self_trade": "1"}, {"self_trade": True}, {"self_trade": 1.0},
            {"stop": 5}, {"trail_ticks": 5}, {"trail_ppm": 5}, {"slippage": 5},
            {"expires_at": 5}, {"expires_at": 0, "tif": 4}, {"expires_at": 2**63, "tif": 4},
            {"kind": 3, "stop": 5}, {"kind": 3, "price": 0, "stop": 0}, {"kind": 3, "price": 0, "stop": 5, "tif": 2},
            {"kind": 3, "price": 0, "stop": 5, "slippage": PPM + 1}, {"kind": 3, "price": 0, "stop": 5, "post_only": True},
            {"kind": 3, "price": 0, "stop": 5, "trail_ticks": 1}, {"kind": 4, "stop": 5, "slippage": 1},
            {"kind": 4, "stop": 5, "price": 0}, {"kind": 4, "stop": 5, "lots": 0, "quote": "7"},
            {"kind": 4, "stop": 5, "display": 1}, {"kind": 6}, {"kind": 7, "price": 0},
            {"kind": 7, "price": 0, "trail_ticks": 1, "trail_ppm": 1}, {"kind": 7, "price": 0, "trail_ppm": PPM},
            {"kind": 7, "price": 0, "trail_ticks": 1, "stop": 5},
            {"kind": 3, "price": 0, "stop": 5, "side": 2, "lots": 0, "quote": "7"},
        )),
        *(paired(**changed) for changed in (
            {"tif": 2}, {"tif": 3}, {"tif": 1}, {"expires_at": 0}, {"expires_at": None}, {"price": 0}, {"stop": 0},
            {"lots": 0}, {"limit": -1}, {"slippage": 5}, {"self_trade": 9}, {"side": 0},
        )),
        *(amended(**changed) for changed in (
            {"order": 0}, {"client": "both"}, {"price": 0, "lots": 0}, {"price": -1}, {"stop": TICKS_MAX + 1},
            {"lots": True}, {"order": 2**63},
        )),
        *(ruled(**changed) for changed in (
            {"base": 4}, {"lot": 5}, {"lot": "0"}, {"tick": "x"}, {"maker": "0"}, {"maker": -3_000}, {"taker": -1},
            {"taker": PPM}, {"min": "-1"}, {"band": -1}, {"band": PPM + 1}, {"slippage": 0}, {"slippage": PPM + 1},
            {"max_open": -1}, {"max_open": 1.5}, {"maker": True},
        )),
        {**ruled(), "state": 5}, {**ruled(), "state": True}, {**ruled(), "state": 1.0},
        {**ruled(), "rules": None}, {**ruled(), "rules": {}}, {**ruled(), "market": -1},
        *({**orjson.loads(wire.encode_cancel_all(**HEAD, market_id=0, side=0, reason="user")), **changed} for changed in (
            {"side": 3}, {"market": -1}, {"reason": "whim"}, {"reason": None}, {"reason": ["user"]},
        )),
        {**orjson.loads(wire.encode_cancel(**HEAD, order_id=9, client_order_id=None)), "order": 0},
        {**orjson.loads(wire.encode_countdown(**HEAD, until=5)), "until": -1},
        {**orjson.loads(wire.encode_fees(**HEAD, maker_fee_ppm=1, taker_fee_ppm=1)), "taker": -1},
        {**orjson.loads(wire.encode_fees(**HEAD, maker_fee_ppm=1, taker_fee_ppm=1)), "maker": False},
        {**orjson.loads(wire.encode_market_state(**HEAD, market_id=1, state=1)), "state": "1"},
    ],
)  # fmt: skip
def test_a_field_out_of_place_is_malformed(body: dict[str, object]) -> None:
    with pytest.raises(wire.Malformed):
        wire.decode(orjson.dumps(body))


BODIES = [placed(), placed(kind=7, price=0, terms={"trail_ppm": 5}), paired(), amended(), ruled()]


@pytest.mark.parametrize(
    ("body", "name"), [(body, name) for body in BODIES for name in sorted(set(body) - {"client", "terms"})]
)
def test_a_missing_field_is_malformed(body: dict[str, object], name: str) -> None:
    with pytest.raises(wire.Malformed):
        wire.decode(orjson.dumps({key: value for key, value in body.items() if key != name}))


def test_a_body_too_long_is_malformed() -> None:
    body = wire.encode_market_open(**HEAD, market=RULES, state=1)
    assert len(body) < wire.BODY_BYTES_MAX
    with pytest.raises(wire.Malformed):
        wire.decode(body + b" " * wire.BODY_BYTES_MAX)


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


@given(st.sampled_from(BODIES), st.data())
def test_any_value_in_any_field_is_a_command_or_malformed(body: dict[str, Any], data: st.DataObject) -> None:
    name, value = data.draw(st.sampled_from(sorted(body))), data.draw(json_values)
    inner = body.get("rules") or body.get("terms")
    changed = {**body, name: value}
    if inner and data.draw(st.booleans()):
        key = "rules" if "rules" in body else "terms"
        changed = {**body, key: {**inner, data.draw(st.sampled_from(sorted(inner))): value}}
    try:
        written = orjson.dumps(changed)
    except (TypeError, orjson.JSONEncodeError):
        return
    with contextlib.suppress(wire.Malformed):
        assert wire.decode(written).body == written


def test_an_order_of_a_reply_unpacks_to_a_row() -> None:
    plain = [1029, 5, 1, 2, 2, 2, 0, 0, str(10**30), 3, str(10**29), "-7", 3, "no_liquidity", None, 77, 78, 0, "0"]
    row = wire.unpack_order(plain)
    assert (row.quote_units, row.filled_quote, row.fee, row.held) == (10**30, 10**29, -7, 0)
    assert row[18:] == (0, 0, 0, 0, 0, False, 1, 0, 0, 0)
    stop = wire.unpack_order([*plain[:17], 2, str(10**20), 5, 0, 7, 9, 1, 4, 11, 12, 2053])
    assert stop == OrderRow(
        1029, 5, 1, 2, 2, 2, 0, 0, 10**30, 3, 10**29, -7, 3, "no_liquidity", None, 77, 78, phase=2, held=10**20,
        stop_price=5, trail_ticks=0, trail_ppm=7, display_lots=9, post_only=True, self_trade=4, slippage_ppm=11,
        expires_at=12, partner=2053,
    )  # fmt: skip
