"""What a market is to the engine: what a lot and a tick move, its fees and limits; and the words that orders are made of.

What must never happen here: a trade that would have to round. A market is refused unless tick × lot is a whole number of
the quote asset's base units, so the only thing that ever rounds is a fee (see fees.py).
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar, Final, final

from trading.engine.facts import Fact

PPM: Final = 1_000_000
TICKS_MAX: Final = 10**15
LOTS_MAX: Final = 10**15
NEVER: Final = 2**62  # above every price
FILLS_PER_COMMAND_MAX: Final = 1_000
TRIGGERS_PER_COMMAND_MAX: Final = 100
CLOSES_PER_TICK_MAX: Final = 1_000


class Side(IntEnum):
    BUY = 1
    SELL = 2


class Kind(IntEnum):
    LIMIT = 1
    MARKET = 2
    STOP = 3  # the trigger kinds wait for a price, then fill at market or as the limit they name
    STOP_LIMIT = 4
    TAKE_PROFIT = 5
    TAKE_PROFIT_LIMIT = 6
    TRAILING_STOP = 7


class TimeInForce(IntEnum):
    GTC = 1  # good till cancelled
    IOC = 2  # immediate or cancel
    FOK = 3  # fill or kill
    GTD = 4  # good till date


class MarketState(IntEnum):
    """The numbers are those of stored rows: they never move."""

    OPEN = 1
    CANCEL_ONLY = 2
    HALTED = 3
    POST_ONLY = 4


class SelfTrade(IntEnum):
    """What happens when an order would trade with its owner's own; the incoming order's mode rules."""

    CANCEL_NEWEST = 1
    CANCEL_OLDEST = 2
    CANCEL_BOTH = 3
    DECREMENT = 4


# A name of a module is found in a third of the time that a member of an Enum takes, and these are asked for at every step.
BUY: Final = Side.BUY
SELL: Final = Side.SELL
LIMIT: Final = Kind.LIMIT
MARKET: Final = Kind.MARKET
STOP: Final = Kind.STOP
STOP_LIMIT: Final = Kind.STOP_LIMIT
TAKE_PROFIT: Final = Kind.TAKE_PROFIT
TAKE_PROFIT_LIMIT: Final = Kind.TAKE_PROFIT_LIMIT
TRAILING_STOP: Final = Kind.TRAILING_STOP
GTC: Final = TimeInForce.GTC
IOC: Final = TimeInForce.IOC
FOK: Final = TimeInForce.FOK
GTD: Final = TimeInForce.GTD
OPEN: Final = MarketState.OPEN
HALTED: Final = MarketState.HALTED
POST_ONLY: Final = MarketState.POST_ONLY
CANCEL_NEWEST: Final = SelfTrade.CANCEL_NEWEST
CANCEL_OLDEST: Final = SelfTrade.CANCEL_OLDEST
CANCEL_BOTH: Final = SelfTrade.CANCEL_BOTH
DECREMENT: Final = SelfTrade.DECREMENT


class MarketRefused(ValueError):
    """These numbers cannot make a market without rounding, or leave the ranges that the database can hold."""


@final
class Market(Fact):
    """A trade of q lots at p ticks moves q·lot_base_units of base and p·q·tick_quote_units of quote.

    `min_notional` is in base units of the quote asset; `band_ppm` is how far from the last price an order may lie;
    `max_open_orders` is an account's in this market; 0 means none of each. `slippage_ppm` is how far a market order goes
    that does not say. A maker fee below zero is a rebate.
    """

    __match_args__: ClassVar[tuple[str, ...]] = (
        "id", "base_asset_id", "quote_asset_id", "lot_base_units", "tick_quote_units", "maker_fee_ppm", "taker_fee_ppm",
        "min_notional", "band_ppm", "slippage_ppm", "max_open_orders",
    )  # fmt: skip
    __slots__ = __match_args__

    def __init__(
        self,
        *,
        id: int,
        base_asset_id: int,
        quote_asset_id: int,
        lot_base_units: int,
        tick_quote_units: int,
        maker_fee_ppm: int,
        taker_fee_ppm: int,
        min_notional: int = 0,
        band_ppm: int = 0,
        slippage_ppm: int = PPM,
        max_open_orders: int = 0,
    ) -> None:
        self.id = id
        self.base_asset_id = base_asset_id
        self.quote_asset_id = quote_asset_id
        self.lot_base_units = lot_base_units
        self.tick_quote_units = tick_quote_units
        self.maker_fee_ppm = maker_fee_ppm
        self.taker_fee_ppm = taker_fee_ppm
        self.min_notional = min_notional
        self.band_ppm = band_ppm
        self.slippage_ppm = slippage_ppm
        self.max_open_orders = max_open_orders
        self._refuse_the_impossible()

    def _refuse_the_impossible(self) -> None:
        if self.base_asset_id == self.quote_asset_id:
            raise MarketRefused("a market needs two different assets")
        if self.lot_base_units < 1 or self.tick_quote_units < 1:
            raise MarketRefused("a lot and a tick move at least one base unit")
        if not fees_are_possible(self.maker_fee_ppm, self.taker_fee_ppm) or self.maker_fee_ppm + self.taker_fee_ppm < 0:
            raise MarketRefused("a fee is less than the whole, and a rebate is paid out of the taker's fee")
        if self.min_notional < 0 or self.band_ppm < 0 or self.max_open_orders < 0:
            raise MarketRefused("a limit is not below zero")
        if not 1 <= self.slippage_ppm <= PPM:
            raise MarketRefused("a market order goes at least a millionth, at most as far again as the price")


def fees_are_possible(maker_fee_ppm: int, taker_fee_ppm: int) -> bool:
    """Whether a market or a customer may have these rates."""
    return -PPM < maker_fee_ppm < PPM and 0 <= taker_fee_ppm < PPM


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
