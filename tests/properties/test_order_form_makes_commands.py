"""Whatever a customer's program sends, the form refuses it by name or makes a command that the engine's decoder takes: nothing
that leaves a web process is malformed, for nobody would ever answer it."""

from __future__ import annotations

from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.core.errors import DomainError
from trading import presentation, wire
from trading.presentation import MarketView
from trading.services import form

VIEW = MarketView(
    id=3, symbol="BTC-USDT", base="BTC", quote="USDT", base_asset_id=1, quote_asset_id=4, base_decimals=8, quote_decimals=6,
    price_decimals=2, price_step=5, quantity_decimals=4, quantity_step=2, lot_base_units=20_000, tick_quote_units=10,
    maker_fee_ppm=1_000, taker_fee_ppm=2_000, tick_size="0.05", lot_size="0.0002", maker_fee="0.001", taker_fee="0.002",
    state="open", shard=0, min_notional_units=0, band_ppm=0, slippage_ppm=1, max_open_orders=0, opened=True,
    min_notional="0", price_band=None, slippage="0.0001",
)  # fmt: skip
HEAD = {"uuid": "01900000-0000-7000-8000-000000000001", "process": "p", "asked_at_ms": 1}

whole = st.integers(0, 10**18).map(str)
fine = st.decimals(0, 10**6, places=4, allow_nan=False).map(lambda number: f"{number:f}")
steps = st.integers(1, 10**6).map(lambda n: f"{n // 20}.{n % 20 * 5:02d}")  # multiples of the tick
odd = st.sampled_from(["", "0", "-1", "1e5", "0.0001", "9" * 40, "1" * 101, ".5", "5.", " 1", "NaN", "٣", "1,000"])
amounts = st.one_of(steps, whole, fine, odd)
words = partial(st.sampled_from)
times = st.sampled_from(
    [
        "2030-01-01T00:00:00Z",
        "1969-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "0001-01-01T00:00:00+23:59",
        "soon",
        "",
    ]
) | st.datetimes().map(lambda at: at.isoformat() + "Z")
optional = {
    "quantity": amounts, "quote_amount": amounts, "price": amounts, "stop_price": amounts, "trail": amounts,
    "trail_percent": amounts, "display_quantity": amounts, "slippage": amounts, "expires_at": times,
    "time_in_force": words([*presentation.TIMES_IN_FORCE.values(), "DAY"]), "post_only": st.booleans(),
    "self_trade": words([*presentation.SELF_TRADE.values(), "no"]),
    "client_order_id": st.text(max_size=40) | st.from_regex(wire.CLIENT_ORDER_ID, fullmatch=True),
}  # fmt: skip
# What a kind needs is there more often than not, so that good orders come up, too.
NEEDS = {
    "limit": ("price", "quantity"), "market": ("quantity",), "stop": ("quantity", "stop_price"),
    "stop_limit": ("price", "quantity", "stop_price"), "take_profit": ("quote_amount", "stop_price"),
    "take_profit_limit": ("price", "quantity", "stop_price"), "trailing_stop": ("quantity", "trail_percent"),
}  # fmt: skip


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(words([*presentation.KINDS.values()]))
    order: dict[str, Any] = {"side": draw(words(["buy", "sell"])), "type": kind}
    if draw(st.booleans()):
        order |= {name: draw(steps) for name in NEEDS[kind]}
    order |= {name: draw(optional[name]) for name in draw(st.sets(words(sorted(optional)), max_size=3))}
    return order


def is_a_command(make: Any) -> bool:
    """Whether it is one; a refusal with a code is the only other way out."""
    try:
        encode = make()
    except DomainError as error:
        assert error.code and error.status == 400
        return False
    body = encode(**HEAD)
    assert len(body) <= wire.BODY_BYTES_MAX
    wire.decode(body)  # raises Malformed
    return True


@settings(max_examples=1_000, deadline=None)
@given(orders())
def test_an_order_is_refused_by_name_or_one_that_the_decoder_takes(order: dict[str, Any]) -> None:
    is_a_command(lambda: form.place(VIEW, user_id=5, **order))


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries(
    dict.fromkeys(("quantity", "price", "stop_price"), steps | amounts) | {"side": words(["buy", "sell"])},
    optional={name: optional[name] for name in ("time_in_force", "expires_at", "self_trade", "slippage", "client_order_id")}
    | {"stop_limit_price": steps | amounts},
))  # fmt: skip
def test_a_pair_is_refused_by_name_or_one_that_the_decoder_takes(pair: dict[str, Any]) -> None:
    is_a_command(lambda: form.place_oco(VIEW, user_id=5, **pair))


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({name: st.none() | steps | amounts for name in ("quantity", "price", "stop_price")}))
def test_an_amend_is_refused_by_name_or_one_that_the_decoder_takes(changes: dict[str, Any]) -> None:
    is_a_command(lambda: form.amend(VIEW, user_id=5, order_id=1029, client_order_id=None, **changes))


def test_each_kind_can_be_had() -> None:
    """The strategies above are no good if nothing ever passes."""
    for kind, needs in NEEDS.items():
        order = {"side": "buy", "type": kind} | dict.fromkeys(needs, "10")
        assert is_a_command(partial(form.place, VIEW, user_id=5, **order)), kind
