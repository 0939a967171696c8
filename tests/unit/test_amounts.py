"""Amounts at the edges: text in, base units inside, text out, and nothing lost on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.core import amounts


@given(st.integers(min_value=0, max_value=amounts.MAX_BASE_UNITS), st.integers(min_value=0, max_value=18))
def test_what_is_formatted_is_parsed_back_to_the_same_amount(amount: int, decimals: int) -> None:
    assert amounts.parse(amounts.format(amount, decimals=decimals), decimals=decimals) == amount


@pytest.mark.parametrize(
    ("text", "decimals", "expected"),
    [("0.5", 8, 50_000_000), ("1", 0, 1), ("0.10", 1, 1), ("007", 2, 700), ("0", 18, 0)],
)
def test_it_reads_plain_decimals(text: str, decimals: int, expected: int) -> None:
    assert amounts.parse(text, decimals=decimals) == expected


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1e3", ".5", "5.", "1,5", " 1", "1\n", "NaN", "٣", "0x10", "1" * 101, None, 1, 0.5]
)
def test_it_refuses_what_is_no_plain_decimal(text: object) -> None:
    with pytest.raises(amounts.AmountInvalid) as caught:
        amounts.parse(text, decimals=8, param="amount")  # type: ignore[arg-type]
    assert caught.value.param == "amount"


def test_it_never_rounds_a_digit_away() -> None:
    with pytest.raises(amounts.AmountPrecision):
        amounts.parse("0.000000001", decimals=8)


def test_it_refuses_what_the_database_cannot_hold() -> None:
    with pytest.raises(amounts.AmountRange):
        amounts.parse("1" + "0" * 70, decimals=18)


def test_it_formats_negative_amounts_and_drops_trailing_zeros() -> None:
    assert amounts.format(-150, decimals=2) == "-1.5"
    assert amounts.format(100, decimals=2) == "1"
    assert amounts.format(7, decimals=0) == "7"
