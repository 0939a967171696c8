"""The rounding rule of fees, and which markets are possible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.engine.fees import fee
from trading.engine.rules import Market, MarketRefused, units_of_tick_and_lot


@pytest.mark.parametrize(
    ("received", "ppm", "expected"),
    [
        (1_000_000, 1_000, 1_000),
        (1_000_001, 1_000, 1_001),
        (999, 1_000, 1),
        (1, 1_000, 1),
        (1, 0, 0),
        (10**30, 2_000, 2 * 10**27),
    ],
)
def test_a_fee_is_rounded_up_to_the_next_base_unit(received: int, ppm: int, expected: int) -> None:
    assert fee(received, ppm=ppm) == expected


@given(st.integers(1, 10**40), st.integers(0, 999_999))
def test_a_fee_never_exceeds_what_was_received_nor_the_exact_fee_by_a_unit(received: int, ppm: int) -> None:
    charged = fee(received, ppm=ppm)
    assert 0 <= charged <= received
    assert received * ppm <= charged * 1_000_000 < received * ppm + 1_000_000


def units(**changed: int) -> tuple[int, int]:
    numbers = {
        "base_decimals": 8,
        "quote_decimals": 6,
        "price_decimals": 2,
        "price_step": 1,
        "quantity_decimals": 4,
        "quantity_step": 1,
    }
    return units_of_tick_and_lot(**{**numbers, **changed})


def test_units_of_the_four_markets() -> None:
    assert units() == (10_000, 1)  # BTC-USDT
    assert units(base_decimals=18) == (10**14, 1)  # ETH-USDT
    assert units(quantity_decimals=3) == (100_000, 10)  # LTC-USDT
    assert units(base_decimals=18, quote_decimals=8, price_decimals=5, quantity_decimals=3) == (10**15, 1)  # ETH-BTC
    assert units(price_step=5, quantity_step=20) == (200_000, 100)
    assert units(price_decimals=3, price_step=10) == (10_000, 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"price_decimals": 3},
        {"quantity_decimals": 9},
        {"price_step": 0},
        {"quantity_step": 0},
        {"price_decimals": 3, "price_step": 5},
    ],
)
def test_a_market_whose_smallest_trade_would_round_is_refused(changed: dict[str, int]) -> None:
    with pytest.raises(MarketRefused):
        units(**changed)


@pytest.mark.parametrize(
    "changed", [{"quote_asset_id": 1}, {"lot_base_units": 0}, {"taker_fee_ppm": 10**6}, {"maker_fee_ppm": -1}]
)
def test_an_impossible_market_is_refused(changed: dict[str, int]) -> None:
    numbers = {
        "id": 1, "base_asset_id": 1, "quote_asset_id": 4, "lot_base_units": 1, "tick_quote_units": 1, "maker_fee_ppm": 0,
        "taker_fee_ppm": 0,
    }  # fmt: skip
    with pytest.raises(MarketRefused):
        Market(**{**numbers, **changed})
