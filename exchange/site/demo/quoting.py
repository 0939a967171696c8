"""What a demo maker wants to have in the book, and how to get there from what stands. Pure: no clock, no database.

Prices and quantities are decimals cut to the market's tick and lot, as a customer would type them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

MILLION = Decimal(1_000_000)
LEVELS = 6
HALF_SPREAD_PPM = 250
STEP_PPM = 350
# How far a standing order may be from where it should be before it is replaced.
TOLERANCE_PPM = 200
NOTIONAL_MIN_USD = 800
NOTIONAL_MAX_USD = 6_000


@dataclass(frozen=True, slots=True)
class Quote:
    side: str
    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Standing:
    """An order of the maker's own that rests in the book."""

    order_id: int
    side: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class Precision:
    """How many decimals the market's prices and quantities have."""

    price: int
    quantity: int


def cut(value: Decimal, decimals: int, *, rounding: str = ROUND_DOWN) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=rounding)


def ladder(*, middle: Decimal, quote_usd: Decimal, precision: Precision, chance: random.Random) -> list[Quote]:
    """Both sides around the middle, best first, each level larger than the one before. `quote_usd`: a quote unit's worth."""
    quotes = []
    for level in range(LEVELS):
        for side, sign in (("buy", -1), ("sell", 1)):
            distance_ppm = HALF_SPREAD_PPM + level * STEP_PPM + chance.randrange(STEP_PPM // 3)
            price = cut(middle * (MILLION + sign * distance_ppm) / MILLION, precision.price, rounding=ROUND_HALF_EVEN)
            notional_usd = NOTIONAL_MIN_USD + (NOTIONAL_MAX_USD - NOTIONAL_MIN_USD) * level // LEVELS
            notional_usd = notional_usd * chance.randrange(70, 131) // 100
            quantity = cut(Decimal(notional_usd) / quote_usd / price, precision.quantity)
            if quantity > 0:
                quotes.append(Quote(side, price, quantity))
    return quotes


def plan(*, standing: Sequence[Standing], wanted: Sequence[Quote]) -> tuple[list[int], list[Quote]]:
    """Which orders to cancel and which quotes to place. An order near a wanted price stays, in place of that quote."""
    missing = list(wanted)
    surplus = []
    for order in standing:
        near = next((quote for quote in missing if _near(order, quote)), None)
        if near is None:
            surplus.append(order.order_id)
        else:
            missing.remove(near)
    return surplus, missing


def _near(order: Standing, quote: Quote) -> bool:
    return order.side == quote.side and abs(order.price - quote.price) * MILLION <= TOLERANCE_PPM * quote.price


def taking(
    *, middle: Decimal, quote_usd: Decimal, precision: Precision, base_share_ppm: int, chance: random.Random
) -> Quote:
    """An order that crosses the spread. Who holds mostly the base asset sells more often than not, and the other way round."""
    side = "sell" if chance.randrange(1_000_000) < base_share_ppm else "buy"
    reach_ppm = HALF_SPREAD_PPM + 2 * STEP_PPM
    sign = 1 if side == "buy" else -1
    price = cut(middle * (MILLION + sign * reach_ppm) / MILLION, precision.price, rounding=ROUND_HALF_EVEN)
    notional_usd = chance.randrange(NOTIONAL_MIN_USD // 8, NOTIONAL_MIN_USD)
    smallest = Decimal(1).scaleb(-precision.quantity)
    return Quote(side, price, max(smallest, cut(Decimal(notional_usd) / quote_usd / middle, precision.quantity)))


def base_share_ppm(*, base: Decimal, quote: Decimal, middle: Decimal) -> int:
    """How much of what a trader holds is the base asset, by worth; half when he holds nothing."""
    worth = base * middle
    total = worth + quote
    return int(worth * MILLION / total) if total else 500_000
