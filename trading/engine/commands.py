"""What can be asked of the engine. A command is a fact once it is here: its form was checked at the edge, its time is given.

`at` is always in microseconds since 1970. Everything that moves the engine comes in as one of these, the clock's ticks
included, so that the stored commands alone give the same state again.
What must never happen here: a default that hides a decision (an order's price, size and accounts are always stated).
"""

from __future__ import annotations

from typing import ClassVar, final

from trading.engine.facts import Fact
from trading.engine.rules import CANCEL_NEWEST, Kind, Market, MarketState, SelfTrade, Side, TimeInForce


@final
class Terms(Fact):
    """What an order may say beyond kind, price and size. Zero means: not stated.

    `display_lots` makes an iceberg. `stop_price` is the trigger of the trigger kinds, but for the trailing stop, which has
    exactly one of `trail_ticks` and `trail_ppm`. `slippage_ppm` caps what fills at market. `expires_at` belongs to GTD.
    """

    __match_args__: ClassVar[tuple[str, ...]] = (
        "post_only",
        "self_trade",
        "display_lots",
        "stop_price",
        "trail_ticks",
        "trail_ppm",
        "slippage_ppm",
        "expires_at",
    )
    __slots__ = __match_args__

    def __init__(
        self,
        post_only: bool,
        self_trade: SelfTrade,
        display_lots: int,
        stop_price: int,
        trail_ticks: int,
        trail_ppm: int,
        slippage_ppm: int,
        expires_at: int,
    ) -> None:
        self.post_only = post_only
        self.self_trade = self_trade
        self.display_lots = display_lots
        self.stop_price = stop_price
        self.trail_ticks = trail_ticks
        self.trail_ppm = trail_ppm
        self.slippage_ppm = slippage_ppm
        self.expires_at = expires_at


PLAIN = Terms(False, CANCEL_NEWEST, 0, 0, 0, 0, 0, 0)


@final
class Place(Fact):
    """A new order. Exactly one of `lots` and `quote_units` is above zero; `price` is 0 for kinds that fill at market.

    `base_account` and `quote_account` are the owner's ledger accounts: integers that the core hands back in its events
    and never looks into.
    """

    __match_args__: ClassVar[tuple[str, ...]] = (
        "market_id",
        "user_id",
        "side",
        "kind",
        "time_in_force",
        "price",
        "lots",
        "quote_units",
        "base_account",
        "quote_account",
        "client_order_id",
        "terms",
        "at",
    )
    __slots__ = __match_args__

    def __init__(
        self,
        market_id: int,
        user_id: int,
        side: Side,
        kind: Kind,
        time_in_force: TimeInForce,
        price: int,
        lots: int,
        quote_units: int,
        base_account: int,
        quote_account: int,
        client_order_id: str | None,
        terms: Terms,
        at: int,
    ) -> None:
        self.market_id = market_id
        self.user_id = user_id
        self.side = side
        self.kind = kind
        self.time_in_force = time_in_force
        self.price = price
        self.lots = lots
        self.quote_units = quote_units
        self.base_account = base_account
        self.quote_account = quote_account
        self.client_order_id = client_order_id
        self.terms = terms
        self.at = at

    def stamped(self, *, base_account: int, quote_account: int, at: int) -> Place:
        """The same order with what only the engine's process knows: the owner's accounts and the time."""
        return Place(
            self.market_id, self.user_id, self.side, self.kind, self.time_in_force, self.price, self.lots, self.quote_units,
            base_account, quote_account, self.client_order_id, self.terms, at,
        )  # fmt: skip


@final
class PlaceOco(Fact):
    """Two orders of which at most one is filled: a limit and a stop (or stop-limit), alike in all but price.

    A client order id, if any, belongs to the limit leg.
    """

    __match_args__: ClassVar[tuple[str, ...]] = ("limit", "stop", "at")
    __slots__ = __match_args__

    def __init__(self, limit: Place, stop: Place, at: int) -> None:
        self.limit = limit
        self.stop = stop
        self.at = at


@final
class Amend(Fact):
    """Change an own live order, named as in Cancel. 0 leaves a number as it is; `lots` is the new total, with what is filled."""

    __match_args__: ClassVar[tuple[str, ...]] = (
        "user_id",
        "order_id",
        "client_order_id",
        "price",
        "lots",
        "stop_price",
        "at",
    )
    __slots__ = __match_args__

    def __init__(
        self, user_id: int, order_id: int, client_order_id: str | None, price: int, lots: int, stop_price: int, at: int
    ) -> None:
        self.user_id = user_id
        self.order_id = order_id
        self.client_order_id = client_order_id
        self.price = price
        self.lots = lots
        self.stop_price = stop_price
        self.at = at


@final
class Cancel(Fact):
    """Take back an order of `user_id`, named by its id, or by the owner's own id for it where `order_id` is 0."""

    __match_args__: ClassVar[tuple[str, ...]] = ("user_id", "order_id", "client_order_id", "at")
    __slots__ = __match_args__

    def __init__(self, user_id: int, order_id: int, client_order_id: str | None, at: int) -> None:
        self.user_id = user_id
        self.order_id = order_id
        self.client_order_id = client_order_id
        self.at = at


@final
class CancelAll(Fact):
    """Take back all orders of a customer: of one market (0: of all of the shard), of one side (0: both).

    `reason` is "user", "staff" or "disconnect".
    """

    __match_args__: ClassVar[tuple[str, ...]] = ("user_id", "market_id", "side", "reason", "at")
    __slots__ = __match_args__

    def __init__(self, user_id: int, market_id: int, side: int, reason: str, at: int) -> None:
        self.user_id = user_id
        self.market_id = market_id
        self.side = side
        self.reason = reason
        self.at = at


@final
class Countdown(Fact):
    """The dead man's switch: at `until` all the customer's orders of the shard are taken back; 0 takes the switch back."""

    __match_args__: ClassVar[tuple[str, ...]] = ("user_id", "until", "at")
    __slots__ = __match_args__

    def __init__(self, user_id: int, until: int, at: int) -> None:
        self.user_id = user_id
        self.until = until
        self.at = at


@final
class SetFees(Fact):
    """A customer's tier. Each fill takes the lower of the market's rate and the customer's."""

    __match_args__: ClassVar[tuple[str, ...]] = ("user_id", "maker_fee_ppm", "taker_fee_ppm", "at")
    __slots__ = __match_args__

    def __init__(self, user_id: int, maker_fee_ppm: int, taker_fee_ppm: int, at: int) -> None:
        self.user_id = user_id
        self.maker_fee_ppm = maker_fee_ppm
        self.taker_fee_ppm = taker_fee_ppm
        self.at = at


@final
class OpenMarket(Fact):
    """A market to trade in, new to the shard."""

    __match_args__: ClassVar[tuple[str, ...]] = ("market", "state", "at")
    __slots__ = __match_args__

    def __init__(self, market: Market, state: MarketState, at: int) -> None:
        self.market = market
        self.state = state
        self.at = at


@final
class SetMarket(Fact):
    """New rules for a market: anything but its assets, its lot and its tick."""

    __match_args__: ClassVar[tuple[str, ...]] = ("market", "at")
    __slots__ = __match_args__

    def __init__(self, market: Market, at: int) -> None:
        self.market = market
        self.at = at


@final
class SetMarketState(Fact):
    """Staff opens, narrows or halts a market."""

    __match_args__: ClassVar[tuple[str, ...]] = ("market_id", "state", "at")
    __slots__ = __match_args__

    def __init__(self, market_id: int, state: MarketState, at: int) -> None:
        self.market_id = market_id
        self.state = state
        self.at = at


@final
class Tick(Fact):
    """The clock, told by the engine's process: what was due by now happens."""

    __match_args__: ClassVar[tuple[str, ...]] = ("at",)
    __slots__ = __match_args__

    def __init__(self, at: int) -> None:
        self.at = at


Command = (
    Place | PlaceOco | Amend | Cancel | CancelAll | Countdown | SetFees | OpenMarket | SetMarket | SetMarketState | Tick
)
