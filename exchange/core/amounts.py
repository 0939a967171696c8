"""Amounts at the edges: decimal text in, integers of base units inside, decimal text out.

Inside the house an amount is an `int` of the asset's base unit (satoshi, wei, cent). What must never happen here: a float,
a silent rounding, or a number that the database's numeric(78,0) cannot hold.
"""

from __future__ import annotations

import re

from exchange.core.errors import InvalidRequest

MAX_BASE_UNITS = 10**78 - 1
MAX_TEXT_LENGTH = 100
_DECIMAL = re.compile(r"(?P<whole>[0-9]+)(?:\.(?P<fraction>[0-9]+))?", re.ASCII)


class AmountInvalid(InvalidRequest):
    """Not a plain decimal number such as "12" or "0.05"."""

    code = "amount_invalid"


class AmountPrecision(InvalidRequest):
    """More decimal places than the asset has."""

    code = "amount_precision"


class AmountRange(InvalidRequest):
    """Larger than any amount we can keep."""

    code = "amount_range"


def parse(text: str, *, decimals: int, param: str | None = None) -> int:
    """Base units for a decimal text: `parse("0.5", decimals=8)` is 50_000_000.

    Takes digits with at most one point: no sign, no exponent, no spaces, no grouping. Raises AmountInvalid,
    AmountPrecision (a digit other than 0 would be lost) or AmountRange, each naming `param`.
    """
    match = _DECIMAL.fullmatch(text) if isinstance(text, str) and len(text) <= MAX_TEXT_LENGTH else None
    if match is None:
        raise AmountInvalid('An amount is a decimal number in a string, such as "0.05".', param=param)
    fraction = (match["fraction"] or "").rstrip("0")
    if len(fraction) > decimals:
        raise AmountPrecision(f"At most {decimals} decimal places are possible here.", param=param)
    base_units = int(match["whole"] + fraction.ljust(decimals, "0"))
    if base_units > MAX_BASE_UNITS:
        raise AmountRange("This amount is too large.", param=param)
    return base_units


def format(amount: int, *, decimals: int) -> str:
    """Decimal text for base units, without trailing zeros: `format(50_000_000, decimals=8)` is "0.5"."""
    digits = str(abs(amount)).rjust(decimals + 1, "0")
    whole, fraction = (digits[:-decimals], digits[-decimals:].rstrip("0")) if decimals else (digits, "")
    return ("-" if amount < 0 else "") + whole + ("." + fraction if fraction else "")
