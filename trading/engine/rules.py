"""What a market is to the engine: how many base units a lot moves, how many quote units a tick of a lot costs, the fees.

What must never happen here: a trade that would have to round. A market is refused unless tick × lot is a whole number of
the quote asset's base units, so the only thing that ever rounds is a fee (see fees.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

PPM = 1_000_000
TICKS_MAX = 10**15
LOTS_MAX = 10**15
FILLS_PER_COMMAND_MAX = 1_000


class Side(IntEnum):
    BUY = 1
    SELL = 2


# A name of a module is found in a third of the time that a member of an Enum takes, and this one is asked for at every step.
BUY = Side.BUY


class Kind(IntEnum):
    LIMIT = 1
    MARKET = 2


class TimeInForce(IntEnum):
    GTC = 1
    IOC = 2


class MarketState(IntEnum):
    OPEN = 1
    CANCEL_ONLY = 2
    HALTED = 3


class MarketRefused(ValueError):
    """These numbers cannot make a market without rounding, or leave the ranges that the database can hold."""


@dataclass(frozen=True, slots=True)
class Market:
    """A trade of q lots at p ticks moves q·lot_base_units of base and p·q·tick_quote_units of quote."""

    id: int
    base_asset_id: int
    quote_asset_id: int
    lot_base_units: int
    tick_quote_units: int
    maker_fee_ppm: int
    taker_fee_ppm: int

    def __post_init__(self) -> None:
        if self.base_asset_id == self.quote_asset_id:
            raise MarketRefused("a market needs two different assets")
        if self.lot_base_units < 1 or self.tick_quote_units < 1:
            raise MarketRefused("a lot and a tick move at least one base unit")
        if not (0 <= self.maker_fee_ppm < PPM and 0 <= self.taker_fee_ppm < PPM):
            raise MarketRefused("a fee is between nothing and the whole")


def units_of_tick_and_lot(
    *,
    base_decimals: int,
    quote_decimals: int,
    price_decimals: int,
    price_step: int,
    quantity_decimals: int,
    quantity_step: int,
) -> tuple[int, int]:
    """(lot_base_units, tick_quote_units) for a tick of price_step·10^-price_decimals and a lot of the same form.

    Raises MarketRefused where a lot is finer than the base asset, or tick × lot finer than the quote asset.
    """
    if price_step < 1 or quantity_step < 1:
        raise MarketRefused("tick and lot are above zero")
    spare_base = base_decimals - quantity_decimals
    if spare_base < 0 or quantity_decimals < 0 or price_decimals < 0:
        raise MarketRefused("a lot cannot be finer than the base asset")
    spare_quote = quote_decimals - price_decimals - quantity_decimals
    numerator = price_step * quantity_step * 10 ** max(spare_quote, 0)
    tick_quote_units, remainder = divmod(numerator, 10 ** max(-spare_quote, 0))
    if remainder or tick_quote_units < 1:
        raise MarketRefused("tick times lot is not a whole number of the quote asset's base units")
    return int(quantity_step * 10**spare_base), tick_quote_units
