"""What templates print: amounts that line up, ages, icons, and nothing of a user's unescaped."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from exchange.site.selectors.markets import line, percent
from exchange.site.templatetags import bourse


@pytest.mark.parametrize(
    ("text", "shown"),
    [("1234567.50", "1,234,567.50"), ("-1000", "−1,000"), ("0.00000001", "0.00000001"), (None, "—"), ("", "—")],
)
def test_whole_parts_are_grouped(text: str | None, shown: str) -> None:
    assert bourse.grouped(text) == shown


def test_an_amount_is_padded_to_its_column_but_never_cut() -> None:
    assert bourse.amount(150_000, 4, 2) == "15.00"
    assert bourse.amount(123_456_789, 8, 2) == "1.23456789"
    assert bourse.amount(10**30, 18) == "1,000,000,000,000"
    assert bourse.amount(None, 8) == "—"


@pytest.mark.parametrize(
    ("text", "shown"), [("172551.43", "172551"), ("0.53219", "0.532"), ("12.3000", "12.3"), (None, None)]
)
def test_a_volume_keeps_about_four_digits(text: str | None, shown: str | None) -> None:
    assert bourse.rough(text) == shown


def test_prices_of_a_column_have_the_same_places() -> None:
    shown = [bourse.column(text, 2) for text in ("66183", "3521.5", "0.052345", None)]
    assert shown == ["66,183.00", "3,521.50", "0.052345", "—"]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0"), (59, "59"), (60, "1"), (7_300, "2"), (90_000, "1"), (-5, "0")]
)
def test_an_age_is_one_number_and_one_unit(seconds: int, shown: str) -> None:
    assert bourse.age(seconds).split("\u202f")[0] == shown


def test_an_age_that_is_not_known_says_so() -> None:
    assert bourse.age(None) == "never"


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [("0.0123", "+1.23%"), ("-0.1", "-10.00%"), ("0", "+0.00%"), ("1.5", "+150.00%"), (None, None)],
)
def test_a_change_is_a_signed_percentage(fraction: str | None, shown: str | None) -> None:
    assert percent(fraction) == shown


def test_a_sparkline_has_its_highest_price_on_top_and_a_flat_one_in_the_middle() -> None:
    assert line([Decimal(1), Decimal(3), Decimal(2)]) == "0.0,30.0 52.0,0.0 104.0,15.0"
    assert line([Decimal(5), Decimal(5)]) == "0.0,15.0 104.0,15.0"


@pytest.mark.parametrize(
    ("change", "css"), [("+1.23%", "up"), ("-0.01%", "down"), ("+0.00%", "faint"), (None, "faint")]
)
def test_a_change_has_a_colour_only_when_there_is_one(change: str | None, css: str) -> None:
    assert bourse.signed_class(change) == css


def test_a_misspelt_icon_is_an_error_and_a_strange_asset_is_escaped() -> None:
    with pytest.raises(KeyError):
        bourse.icon("no-such-icon")
    assert "<script" not in bourse.coin("<script>")


def test_a_time_is_readable_without_a_script() -> None:
    printed = bourse.when(datetime(2026, 11, 20, 5, 7, tzinfo=UTC))
    assert "20 Nov 2026, 05:07 UTC" in printed and 'datetime="2026-11-20T05:07:00+00:00"' in printed
    assert "<time" not in bourse.when(None)
