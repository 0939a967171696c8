"""The command decoder under fire: any bytes are a command or Malformed, and any command that comes out may meet the engine.

Bodies are broken in four ways: one field given each of a list of odd values, several fields changed at once, bytes changed, whole
JSON made up. What decodes must keep every promise of a command's form (`promises`, written here a second time), come back the
same when it is encoded again, and be taken or refused by the engine, never anything worse.
Derandomised: the suite looks at the same examples each time; PROPERTY_SCALE=20 looks at twenty times as many.
"""

from __future__ import annotations

import os
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trading import wire
from trading.engine import commands as c
from trading.engine.events import Refused
from trading.engine.matching import Engine
from trading.engine.rules import LOTS_MAX, PPM, TICKS_MAX, Kind, Market, MarketState, SelfTrade, Side, TimeInForce

SCALE = int(os.environ.get("PROPERTY_SCALE", "1"))
small = settings(
    derandomize=True,
    deadline=None,
    max_examples=300 * SCALE,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
HEAD: dict[str, Any] = {
    "uuid": UUID("01900000-0000-7000-8000-000000000001"), "process": "web-1", "asked_at_ms": 12, "user_id": 5
}  # fmt: skip
RULES = Market(
    id=1, base_asset_id=1, quote_asset_id=4, lot_base_units=30, tick_quote_units=7, maker_fee_ppm=-100, taker_fee_ppm=2_000,
    min_notional=10, band_ppm=100_000, slippage_ppm=50_000, max_open_orders=200,
)  # fmt: skip
TERMS = ("post_only", "self_trade", "display", "stop", "trail_ticks", "trail_ppm", "slippage", "expires_at")
RULED = ("base", "quote", "lot", "tick", "maker", "taker", "min", "band", "slippage", "max_open")
PRICED, STOPPED = {1, 4, 6}, {3, 4, 5, 6}


def order(**changed: Any) -> bytes:
    plain = {"market_id": 1, "side": 1, "kind": 1, "time_in_force": 1, "price": 7, "lots": 8, "quote_units": 0,
             "client_order_id": "mine-1"}  # fmt: skip
    return wire.encode_place(**HEAD, **{**plain, **changed})


def terms(**stated: Any) -> c.Terms:
    return c.PLAIN.but(**stated)


# At least one body of every operation, and of every kind of order.
BODIES = [
    order(),
    order(kind=2, time_in_force=2, price=0, lots=0, quote_units=10**30),
    order(kind=2, time_in_force=3, price=0, side=2, terms=terms(slippage_ppm=900)),
    order(time_in_force=4, terms=terms(post_only=True, display_lots=3, expires_at=10**15, self_trade=SelfTrade.DECREMENT)),
    order(time_in_force=2),
    order(time_in_force=3, client_order_id=None),
    order(kind=3, price=0, terms=terms(stop_price=9, slippage_ppm=5)),
    order(kind=4, terms=terms(stop_price=9, self_trade=SelfTrade.CANCEL_BOTH)),
    order(kind=5, price=0, lots=0, quote_units=77, terms=terms(stop_price=9)),
    order(kind=6, time_in_force=4, terms=terms(stop_price=9, expires_at=99)),
    order(kind=7, price=0, side=2, terms=terms(trail_ticks=4)),
    order(kind=7, price=0, terms=terms(trail_ppm=10_000)),
    wire.encode_oco(
        **HEAD, market_id=1, side=2, time_in_force=4, lots=8, price=9, stop_price=5, stop_limit_price=4, client_order_id="two",
        self_trade=2, slippage_ppm=0, expires_at=77,
    ),
    wire.encode_amend(**HEAD, order_id=1024, client_order_id=None, price=3, lots=2, stop_price=4),
    wire.encode_amend(**HEAD, order_id=1024, client_order_id=None, price=3, lots=0, stop_price=0),
    wire.encode_amend(**HEAD, order_id=0, client_order_id="mine-1", price=0, lots=2, stop_price=0),
    wire.encode_cancel(**HEAD, order_id=0, client_order_id="mine-1"),
    wire.encode_cancel(**HEAD, order_id=1024, client_order_id=None),
    wire.encode_cancel_all(**HEAD, market_id=0, side=0, reason="user"),
    wire.encode_countdown(**HEAD, until=10**15),
    wire.encode_fees(**HEAD, maker_fee_ppm=-50, taker_fee_ppm=400),
    wire.encode_market_open(**HEAD, market=RULES.but(id=2), state=1),
    wire.encode_market(**HEAD, market=RULES),
    wire.encode_market_state(**HEAD, market_id=1, state=4),
    wire.encode_tick(**HEAD),
]  # fmt: skip

# Numbers at the edges of ranges, the things that JSON can also be, and what Python takes for a 1.
ODD = [
    0, 1, -1, 2, 3, 5, 8, PPM - 1, PPM, PPM + 1, TICKS_MAX, TICKS_MAX + 1, LOTS_MAX, 2**15, 2**31, 2**53, 2**63 - 1, 2**63,
    2**64 - 1, None, True, False, 1.0, 1.5, -0.0, "", "0", "1", "00", "-1", "1e3", " 1", "\u0661", "9" * 77, "9" * 78, "x" * 37,
    "a\n", "\x00", [], [1], {}, {"stop": 1}, "user", "place", "oco", "tick",
]  # fmt: skip
odd = st.sampled_from(ODD)


def decoded(body: bytes) -> wire.Asked | None:
    """What decode says; every exception but Malformed leaves the test red."""
    try:
        return wire.decode(body)
    except wire.Malformed:
        return None


def judge(body: bytes) -> None:
    asked = decoded(body)
    if asked is None:
        return
    assert asked.body is body or asked.body == body
    assert len(body) <= wire.BODY_BYTES_MAX
    promises(asked)
    again = wire.decode(encoded(asked))
    assert (again.command, again.client_order_id, again.user_id) == (
        asked.command,
        asked.client_order_id,
        asked.user_id,
    )
    meets_the_engine(asked.command)


# --- what a command promises -----------------------------------------------------------------------------------------


def promises(asked: wire.Asked) -> None:
    command = asked.command
    assert str(UUID(asked.uuid)) == asked.uuid
    assert 0 <= asked.user_id < 2**63
    assert 0 <= asked.asked_at_ms < 2**63
    for name, value in parts(command):
        part_promises(name, value)
    if isinstance(command, c.Place):
        order_promises(command)
        assert asked.client_order_id == command.client_order_id
    elif isinstance(command, c.PlaceOco):
        order_promises(command.limit)
        order_promises(command.stop)
        assert (command.limit.kind, command.stop.client_order_id) == (Kind.LIMIT, None)
        assert command.stop.kind in (Kind.STOP, Kind.STOP_LIMIT)
        for name in ("market_id", "user_id", "side", "lots", "time_in_force"):
            assert getattr(command.limit, name) == getattr(command.stop, name)
    elif isinstance(command, c.Amend):
        assert command.price or command.lots or command.stop_price
    elif isinstance(command, c.SetFees):
        assert -PPM < command.maker_fee_ppm < PPM
        assert 0 <= command.taker_fee_ppm < PPM
    if isinstance(command, c.Amend | c.Cancel):
        assert (command.order_id > 0) != (command.client_order_id is not None)
    if not isinstance(command, c.Place | c.PlaceOco):
        assert asked.client_order_id is None


MEMBERS = {"side": Side, "kind": Kind, "time_in_force": TimeInForce, "state": MarketState, "self_trade": SelfTrade}
MOST = {
    "market_id": 2**15 - 1, "price": TICKS_MAX, "stop_price": TICKS_MAX, "trail_ticks": TICKS_MAX, "lots": LOTS_MAX,
    "display_lots": LOTS_MAX, "trail_ppm": PPM - 1, "slippage_ppm": PPM, "band_ppm": PPM, "quote_units": 10**78 - 1,
    "lot_base_units": 10**78 - 1, "tick_quote_units": 10**78 - 1, "min_notional": 10**78 - 1, "taker_fee_ppm": PPM - 1,
    "maker_fee_ppm": PPM - 1,
}  # fmt: skip


def part_promises(name: str, value: Any) -> None:
    """A number is an int in its range, a word a member (the core compares by identity), a text one that may be shown."""
    if name == "post_only":
        assert type(value) is bool
    elif name == "reason":
        assert value in ("user", "staff", "disconnect")
    elif name == "client_order_id":
        assert value is None or (
            value.isascii() and 1 <= len(value) <= 36 and value.replace("-", "").replace("_", "a").isalnum()
        )
    elif type(value) is not int:
        assert type(value) is MEMBERS[name]
    else:
        assert -PPM if name == "maker_fee_ppm" else 0 <= value <= MOST.get(name, 2**63 - 1)


def order_promises(placed: c.Place) -> None:
    said, kind = placed.terms, placed.kind
    assert (placed.lots > 0) != (placed.quote_units > 0)
    assert (placed.price > 0) == (kind in PRICED)
    assert placed.lots or kind not in PRICED
    assert (said.stop_price > 0) == (kind in STOPPED)
    assert (said.trail_ticks > 0) + (said.trail_ppm > 0) == (kind == Kind.TRAILING_STOP)
    assert (said.expires_at > 0) == (placed.time_in_force == TimeInForce.GTD)
    lasting = placed.time_in_force in (TimeInForce.GTC, TimeInForce.GTD)
    assert kind == Kind.LIMIT or lasting == (kind != Kind.MARKET)
    assert not (said.post_only or said.display_lots) or (kind == Kind.LIMIT and lasting)
    assert said.display_lots < max(placed.lots, 1)
    assert placed.lots or kind == Kind.MARKET or placed.side == Side.BUY
    assert not (said.slippage_ppm and kind in PRICED)
    assert (placed.base_account, placed.quote_account, placed.at) == (0, 0, 0)


def parts(fact: Any) -> list[tuple[str, Any]]:
    """Every plain value in a command with its name, those of terms, legs and rules included."""
    found: list[tuple[str, Any]] = []
    for name in type(fact).__match_args__:
        value = getattr(fact, name)
        found.extend(parts(value) if hasattr(type(value), "__match_args__") else [(name, value)])
    return found


def encoded(asked: wire.Asked) -> bytes:
    """The same command written down anew."""
    head = {
        "uuid": UUID(asked.uuid),
        "process": asked.process,
        "asked_at_ms": asked.asked_at_ms,
        "user_id": asked.user_id,
    }
    match asked.command:
        case c.Place() as placed:
            fields = {
                name: getattr(placed, name)
                for name in (
                    "market_id",
                    "side",
                    "kind",
                    "time_in_force",
                    "price",
                    "lots",
                    "quote_units",
                    "client_order_id",
                    "terms",
                )
            }
            return wire.encode_place(**head, **fields)
        case c.PlaceOco(limit=limit, stop=stop):
            return wire.encode_oco(
                **head,
                market_id=limit.market_id,
                side=limit.side,
                time_in_force=limit.time_in_force,
                lots=limit.lots,
                price=limit.price,
                stop_price=stop.terms.stop_price,
                stop_limit_price=stop.price,
                client_order_id=limit.client_order_id,
                self_trade=limit.terms.self_trade,
                slippage_ppm=stop.terms.slippage_ppm,
                expires_at=limit.terms.expires_at,
            )
        case c.OpenMarket(market=market, state=state):
            return wire.encode_market_open(**head, market=market, state=state)
        case c.SetMarket(market=market):
            return wire.encode_market(**head, market=market)
        case other:
            return plainly_encoded(head, other)  # fmt: skip


def plainly_encoded(head: dict[str, Any], command: c.Command) -> bytes:
    encode, names = {
        c.Amend: (wire.encode_amend, ("order_id", "client_order_id", "price", "lots", "stop_price")),
        c.Cancel: (wire.encode_cancel, ("order_id", "client_order_id")),
        c.CancelAll: (wire.encode_cancel_all, ("market_id", "side", "reason")),
        c.Countdown: (wire.encode_countdown, ("until",)),
        c.SetFees: (wire.encode_fees, ("maker_fee_ppm", "taker_fee_ppm")),
        c.SetMarketState: (wire.encode_market_state, ("market_id", "state")),
        c.Tick: (wire.encode_tick, ()),
    }[type(command)]
    return encode(**head, **{name: getattr(command, name) for name in names})


def meets_the_engine(command: c.Command) -> None:
    """An engine with something in its book takes it or refuses it, and can take it back."""
    engine = Engine(shard=0)
    engine.add_market(RULES, MarketState.OPEN, last_price=8)
    for user, side, price in ((5, Side.BUY, 7), (6, Side.SELL, 9), (5, Side.SELL, 11)):
        engine.apply(wire.decode(order(side=side, price=price)).command.but(
            user_id=user, side=side, client_order_id=None, base_account=user, quote_account=user + 100, at=1
        ))  # fmt: skip
    before, mark = engine.state_hash(), engine.mark()
    if isinstance(command, c.PlaceOco):
        stamped = {"base_account": 5, "quote_account": 105, "at": 2}
        command = c.PlaceOco(command.limit.stamped(**stamped), command.stop.stamped(**stamped), 2)
    elif isinstance(command, c.Place):
        command = command.stamped(base_account=5, quote_account=105, at=2)
    events = engine.apply(command)
    if events and isinstance(events[0], Refused):
        assert engine.state_hash() == before
    engine.undo(mark)
    assert engine.state_hash() == before


# --- ways to break a body --------------------------------------------------------------------------------------------


def test_every_operation_is_among_the_bodies() -> None:
    assert {type(wire.decode(body).command) for body in BODIES} == set(c.Command.__args__)
    assert {wire.decode(body).command.kind for body in BODIES if b'"place"' in body} == set(Kind)
    for body in BODIES:
        judge(body)


@pytest.mark.parametrize("place", range(len(BODIES)))
def test_every_field_as_every_odd_thing(place: int) -> None:
    """One field at a time, inner ones as well, also those that this body leaves out; and each field gone."""
    fields = orjson.loads(BODIES[place])
    for name in fields:
        judge(orjson.dumps({key: value for key, value in fields.items() if key != name}))
        for value in ODD:
            judge(orjson.dumps({**fields, name: value}))
    for inner, names in (("terms", TERMS), ("rules", RULED)):
        if inner in fields or (inner == "terms" and fields["op"] == "place"):
            there = fields.get(inner, {})
            for name in names:
                judge(orjson.dumps({**fields, inner: {key: value for key, value in there.items() if key != name}}))
                for value in ODD:
                    judge(orjson.dumps({**fields, inner: {**there, name: value}}))


@small
@given(body=st.sampled_from(BODIES), data=st.data())
def test_changed_bytes(body: bytes, data: st.DataObject) -> None:
    broken = bytearray(body)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(len(broken) - 1, 0)))
        upto = min(len(broken), at + data.draw(st.integers(0, 8)))
        broken[at:upto] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"0", b"9", b"-", b".5", b"e9", b'"', b",", b"{", b"[", b"}"])
        )
    judge(bytes(broken))


@small
@given(body=st.sampled_from(BODIES), data=st.data())
def test_changed_fields(body: bytes, data: st.DataObject) -> None:
    """One to three fields, inner ones as well, get something else, go, or come from another operation's body."""
    fields = orjson.loads(body)
    other = orjson.loads(data.draw(st.sampled_from(BODIES)))
    for _ in range(data.draw(st.integers(1, 3))):
        inner = next((name for name in ("terms", "rules") if isinstance(fields.get(name), dict)), None)
        target = fields[inner] if inner and data.draw(st.booleans()) else fields
        name = data.draw(st.sampled_from(sorted({*target, *other})))
        change = data.draw(st.sampled_from(["odd", "odd", "gone", "other"]))
        if change == "gone":
            target.pop(name, None)
        else:
            target[name] = data.draw(odd) if change == "odd" or name not in other else other[name]
    try:
        written = orjson.dumps(fields)
    except TypeError:  # wider than JSON numbers go here
        return
    judge(written)


@small
@given(st.binary(max_size=64) | st.recursive(odd, lambda inner: st.lists(inner, max_size=3)
       | st.dictionaries(st.sampled_from(["op", "id", "user", "terms", "rules", "at"]), inner, max_size=4),
       max_leaves=6).map(lambda made: repr(made).replace("'", '"').encode(errors="surrogatepass")))  # fmt: skip
def test_made_up_bytes(body: bytes) -> None:
    judge(body)


def test_monsters() -> None:
    """Deep, wide, doubled, and not even text."""
    head = b'{"op":"place","id":"01900000-0000-7000-8000-000000000001","process":"","at":1,"user":5,'
    for body in (
        b"[" * 1_000 + b"]" * 20, b"[" * wire.BODY_BYTES_MAX, b'{"a":' * 200 + b"1" + b"}" * 200, b"\xff" * 50, b"\xef\xbb\xbf{}",
        b"",
        b"NaN", b"1" * 900, b"-" * 900, b'"' + b"\\ud800" + b'"', head + b'"user":6}',
        head + b'"terms":' + b"[" * 500 + b"]" * 500 + b"}",
        order() + order(), order()[:-1], b" " * 900, order() + b" " * wire.BODY_BYTES_MAX,
    ):  # fmt: skip
        assert decoded(body) is None
    doubled = order().replace(b'"lots":8', b'"lots":8,"lots":9')
    assert wire.decode(doubled).command.lots == 9, "the last one counts, and the body that is kept says the same again"
