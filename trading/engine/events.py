"""What the engine did. Events are complete: whoever holds them can post the ledger and tell the world without asking back.

Every change of an order's hold is in exactly one event: `held` of Rested and Armed adds, `released` takes off, and a fill
takes off what the maker pays. So the sum over the events is what the ledger holds.
What must never happen here: a hold that moves without an event, or an amount that the reader would have to compute.
"""

from __future__ import annotations

from typing import ClassVar, final

from trading.engine.facts import Fact
from trading.engine.rules import MarketState, Side


@final
class Accepted(Fact):
    """A new order has its id."""

    __match_args__: ClassVar[tuple[str, ...]] = ("order_id", "user_id", "pay_account")
    __slots__ = __match_args__

    def __init__(self, order_id: int, user_id: int, pay_account: int) -> None:
        self.order_id = order_id
        self.user_id = user_id
        self.pay_account = pay_account


@final
class Traded(Fact):
    """One fill. The buyer pays `quote_units` and gets base_units − buyer_fee; the seller the other way round.

    A fee below zero is a rebate: the maker gets more than the fill.
    """

    __match_args__: ClassVar[tuple[str, ...]] = (
        "id",
        "market_id",
        "price",
        "lots",
        "base_units",
        "quote_units",
        "taker_side",
        "maker_order_id",
        "taker_order_id",
        "maker_id",
        "taker_id",
        "buyer_fee",
        "seller_fee",
        "buyer_base_account",
        "buyer_quote_account",
        "seller_base_account",
        "seller_quote_account",
    )
    __slots__ = __match_args__

    def __init__(
        self,
        id: int,
        market_id: int,
        price: int,
        lots: int,
        base_units: int,
        quote_units: int,
        taker_side: Side,
        maker_order_id: int,
        taker_order_id: int,
        maker_id: int,
        taker_id: int,
        buyer_fee: int,
        seller_fee: int,
        buyer_base_account: int,
        buyer_quote_account: int,
        seller_base_account: int,
        seller_quote_account: int,
    ) -> None:
        self.id = id
        self.market_id = market_id
        self.price = price
        self.lots = lots
        self.base_units = base_units
        self.quote_units = quote_units
        self.taker_side = taker_side
        self.maker_order_id = maker_order_id
        self.taker_order_id = taker_order_id
        self.maker_id = maker_id
        self.taker_id = taker_id
        self.buyer_fee = buyer_fee
        self.seller_fee = seller_fee
        self.buyer_base_account = buyer_base_account
        self.buyer_quote_account = buyer_quote_account
        self.seller_base_account = seller_base_account
        self.seller_quote_account = seller_quote_account


@final
class Rested(Fact):
    """The order stands in the book with `lots` open and holds `held` base units of what it pays with."""

    __match_args__: ClassVar[tuple[str, ...]] = ("order_id", "pay_account", "lots", "held")
    __slots__ = __match_args__

    def __init__(self, order_id: int, pay_account: int, lots: int, held: int) -> None:
        self.order_id = order_id
        self.pay_account = pay_account
        self.lots = lots
        self.held = held


@final
class Armed(Fact):
    """The order waits for its trigger and holds `held` base units of what it pays with."""

    __match_args__: ClassVar[tuple[str, ...]] = ("order_id", "pay_account", "lots", "held")
    __slots__ = __match_args__

    def __init__(self, order_id: int, pay_account: int, lots: int, held: int) -> None:
        self.order_id = order_id
        self.pay_account = pay_account
        self.lots = lots
        self.held = held


@final
class Triggered(Fact):
    """The order's trigger was met. Its whole hold is given back; what it then takes never costs more than that."""

    __match_args__: ClassVar[tuple[str, ...]] = ("order_id", "pay_account", "released")
    __slots__ = __match_args__

    def __init__(self, order_id: int, pay_account: int, released: int) -> None:
        self.order_id = order_id
        self.pay_account = pay_account
        self.released = released


@final
class Queued(Fact):
    """The order's trigger was met, but the command had done enough: it waits for a tick, its hold still held."""

    __match_args__ = ("order_id", "pay_account")
    __slots__ = __match_args__

    def __init__(self, order_id: int, pay_account: int) -> None:
        self.order_id = order_id
        self.pay_account = pay_account


@final
class Ratcheted(Fact):
    """A trailing stop moved its stop price after the market and gives back what it need not hold any more."""

    __match_args__: ClassVar[tuple[str, ...]] = ("order_id", "pay_account", "stop_price", "released")
    __slots__ = __match_args__

    def __init__(self, order_id: int, pay_account: int, stop_price: int, released: int) -> None:
        self.order_id = order_id
        self.pay_account = pay_account
        self.stop_price = stop_price
        self.released = released


@final
class Reduced(Fact):
    """The order is smaller and keeps its place; `price` is that in the book, or 0 where it is not in it; `lots` are left open."""

    __match_args__: ClassVar[tuple[str, ...]] = ("order_id", "pay_account", "price", "lots", "released")
    __slots__ = __match_args__

    def __init__(self, order_id: int, pay_account: int, price: int, lots: int, released: int) -> None:
        self.order_id = order_id
        self.pay_account = pay_account
        self.price = price
        self.lots = lots
        self.released = released


@final
class Amended(Fact):
    """The order left its place (at `price` in the book, or 0) with its whole hold, to be matched anew as the next events tell."""

    __match_args__: ClassVar[tuple[str, ...]] = ("order_id", "user_id", "pay_account", "price", "released")
    __slots__ = __match_args__

    def __init__(self, order_id: int, user_id: int, pay_account: int, price: int, released: int) -> None:
        self.order_id = order_id
        self.user_id = user_id
        self.pay_account = pay_account
        self.price = price
        self.released = released


@final
class Closed(Fact):
    """The order is done: filled, or cancelled with a reason.

    `released` is the hold it gives back; `price` the book price it left, 0 where it was not in the book.
    """

    __match_args__: ClassVar[tuple[str, ...]] = ("order_id", "pay_account", "price", "released", "reason")
    __slots__ = __match_args__

    def __init__(self, order_id: int, pay_account: int, price: int, released: int, reason: str) -> None:
        self.order_id = order_id
        self.pay_account = pay_account
        self.price = price
        self.released = released
        self.reason = reason


@final
class MarketOpened(Fact):
    """A market is open for trade."""

    __match_args__: ClassVar[tuple[str, ...]] = ("market_id", "state")
    __slots__ = __match_args__

    def __init__(self, market_id: int, state: MarketState) -> None:
        self.market_id = market_id
        self.state = state


@final
class MarketSet(Fact):
    """A market has new rules."""

    __match_args__: ClassVar[tuple[str, ...]] = ("market_id",)
    __slots__ = __match_args__

    def __init__(self, market_id: int) -> None:
        self.market_id = market_id


@final
class MarketStateSet(Fact):
    """A market has a new state."""

    __match_args__: ClassVar[tuple[str, ...]] = ("market_id", "state")
    __slots__ = __match_args__

    def __init__(self, market_id: int, state: MarketState) -> None:
        self.market_id = market_id
        self.state = state


@final
class FeesSet(Fact):
    """A customer has a new tier."""

    __match_args__: ClassVar[tuple[str, ...]] = ("user_id", "maker_fee_ppm", "taker_fee_ppm")
    __slots__ = __match_args__

    def __init__(self, user_id: int, maker_fee_ppm: int, taker_fee_ppm: int) -> None:
        self.user_id = user_id
        self.maker_fee_ppm = maker_fee_ppm
        self.taker_fee_ppm = taker_fee_ppm


@final
class CountdownSet(Fact):
    """A customer's switch is set to go off at `until`, or taken back (0)."""

    __match_args__: ClassVar[tuple[str, ...]] = ("user_id", "until")
    __slots__ = __match_args__

    def __init__(self, user_id: int, until: int) -> None:
        self.user_id = user_id
        self.until = until


@final
class Ticked(Fact):
    """The clock was told."""

    __slots__ = ()


@final
class Refused(Fact):
    """Nothing changed. `code` is stable and is what the customer's program sees."""

    __match_args__: ClassVar[tuple[str, ...]] = ("code",)
    __slots__ = __match_args__

    def __init__(self, code: str) -> None:
        self.code = code


Event = (
    Accepted | Traded | Rested | Armed | Triggered | Queued | Ratcheted | Reduced | Amended | Closed
    | MarketOpened | MarketSet | MarketStateSet | FeesSet | CountdownSet | Ticked | Refused
)  # fmt: skip
