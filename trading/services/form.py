"""An order's form: decimal strings and words in; ticks, lots, base units and codes out, ready for the engine.

Every error names the parameter at fault. What must never happen here: a figure rounded, or a combination that the engine's
decoder would call malformed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Required, TypedDict, TypeVar

from exchange.core import amounts, times
from trading import presentation, selectors, wire
from trading.engine.commands import PLAIN, Terms
from trading.engine.rules import LOTS_MAX, PPM, TICKS_MAX, Kind, SelfTrade, Side, TimeInForce
from trading.presentation import MarketView
from trading.services.refusals import OrderInvalid
from trading.wire.decoding import IN_FORCE, LASTING, PRICED, STOPPED, TRIGGERED

SIDES = {"buy": Side.BUY, "sell": Side.SELL}
KINDS = {name: Kind(number) for number, name in presentation.KINDS.items()}
TIMES_IN_FORCE = {name: TimeInForce(number) for number, name in presentation.TIMES_IN_FORCE.items()}
SELF_TRADE = {name: SelfTrade(number) for number, name in presentation.SELF_TRADE.items()}
QUOTE_UNITS_MAX = 10**70
_Member = TypeVar("_Member")
_NOTHING = (None,) * 7


class OrderFields(TypedDict, total=False):
    """A new order. Amounts and percentages are decimal strings, `expires_at` is ISO 8601 text; see docs/orders.md."""

    market: Required[str]
    side: Required[str]
    type: Required[str]
    quantity: str | None
    quote_amount: str | None
    price: str | None
    stop_price: str | None
    trail: str | None
    trail_percent: str | None
    display_quantity: str | None
    time_in_force: str | None
    expires_at: str | None
    post_only: bool
    self_trade: str | None
    slippage: str | None
    client_order_id: str | None


class OcoFields(TypedDict, total=False):
    """A pair: a limit order and a stop of one quantity. With `stop_limit_price` the stop is a stop-limit."""

    market: Required[str]
    side: Required[str]
    quantity: Required[str]
    price: Required[str]
    stop_price: Required[str]
    stop_limit_price: str | None
    time_in_force: str | None
    expires_at: str | None
    self_trade: str | None
    slippage: str | None
    client_order_id: str | None


class Reference(TypedDict, total=False):
    """One's own order, by our id or by one's own for it; the latter is found faster with its market."""

    order_id: int | None
    client_order_id: str | None
    market: str | None


class Changes(Reference, total=False):
    """What an order is to be: `quantity` is the whole, what is filled included."""

    price: str | None
    quantity: str | None
    stop_price: str | None


def place(
    view: MarketView, *, user_id: int, side: str, type: str, quantity: str | None = None, quote_amount: str | None = None,
    price: str | None = None, stop_price: str | None = None, trail: str | None = None, trail_percent: str | None = None,
    display_quantity: str | None = None, time_in_force: str | None = None, expires_at: str | None = None,
    post_only: bool = False, self_trade: str | None = None, slippage: str | None = None,
    client_order_id: str | None = None,
) -> partial[bytes]:  # fmt: skip
    """The command, all but its UUID and time. Raises OrderInvalid and the errors of core.amounts and core.times."""
    buying, kind = side_of(side), _word(KINDS, type, param="type", code="type_invalid")
    in_force = _in_force(kind, time_in_force)
    client_order_id = _client_order_id(client_order_id)
    ticks = _price(view, kind, price)
    lots, quote_units = _size(view, kind, buying, quantity, quote_amount)
    rests = kind is Kind.LIMIT and in_force in LASTING
    if post_only and not rests:
        raise OrderInvalid(
            "Only a limit order that lasts can be post-only.", code="post_only_invalid", param="post_only"
        )
    said = (stop_price, trail, trail_percent, display_quantity, expires_at, self_trade, slippage)
    if kind in TRIGGERED or in_force is TimeInForce.GTD or post_only or said != _NOTHING:
        trail_ticks, trail_ppm = _trail(view, kind, trail, trail_percent)
        terms = Terms(
            post_only,
            _self_trade(self_trade),
            _display(view, display_quantity, lots=lots, rests=rests),
            _stop(view, kind, stop_price),
            trail_ticks,
            trail_ppm,
            _slippage(slippage, possible=kind not in PRICED),
            _expires_at(expires_at, in_force),
        )
    else:
        terms = PLAIN
    return partial(
        wire.encode_place, user_id=user_id, market_id=view.id, side=int(buying), kind=int(kind),
        time_in_force=int(in_force), price=ticks, lots=lots, quote_units=quote_units, client_order_id=client_order_id,
        terms=terms,
    )  # fmt: skip


def place_oco(
    view: MarketView, *, user_id: int, side: str, quantity: str, price: str, stop_price: str,
    stop_limit_price: str | None = None, time_in_force: str | None = None, expires_at: str | None = None,
    self_trade: str | None = None, slippage: str | None = None, client_order_id: str | None = None,
) -> partial[bytes]:  # fmt: skip
    """A limit order and a stop of the same quantity; with `stop_limit_price` the stop becomes a limit order at that price."""
    in_force = _in_force(Kind.STOP, time_in_force)
    limit_ticks = _ticks(view, stop_limit_price, "stop_limit_price") if stop_limit_price is not None else 0
    return partial(
        wire.encode_oco, user_id=user_id, market_id=view.id, side=int(side_of(side)),
        time_in_force=int(in_force), lots=_lots(view, quantity), price=_ticks(view, price),
        stop_price=_ticks(view, stop_price, "stop_price"), stop_limit_price=limit_ticks,
        client_order_id=_client_order_id(client_order_id), self_trade=int(_self_trade(self_trade)),
        slippage_ppm=_slippage(slippage, possible=not limit_ticks), expires_at=_expires_at(expires_at, in_force),
    )  # fmt: skip


def amend(
    view: MarketView, *, user_id: int, order_id: int | None, client_order_id: str | None, price: str | None,
    quantity: str | None, stop_price: str | None,
) -> partial[bytes]:  # fmt: skip
    """`quantity` is the order's new whole quantity, what is filled included."""
    if price is None and quantity is None and stop_price is None:
        raise OrderInvalid("Say what is to be changed.", code="amend_empty", param="quantity")
    return partial(
        wire.encode_amend, user_id=user_id, order_id=order_id or 0, client_order_id=client_order_id,
        price=_ticks(view, price) if price is not None else 0,
        lots=_lots(view, quantity) if quantity is not None else 0,
        stop_price=_ticks(view, stop_price, "stop_price") if stop_price is not None else 0,
    )  # fmt: skip


def check_reference(order_id: int | None, client_order_id: str | None) -> None:
    """An order is named in one way. Raises OrderInvalid, or OrderNotFound for what can be no order's name."""
    if (order_id is None) == (client_order_id is None):
        raise OrderInvalid(
            "Name the order by its id or by your own.", code="order_reference_required", param="order_id"
        )
    if order_id is not None and not 0 < order_id < 2**53:
        raise selectors.OrderNotFound("There is no such order.", param="order_id")
    if client_order_id is not None and not wire.CLIENT_ORDER_ID.fullmatch(client_order_id):
        raise selectors.OrderNotFound("There is no such order.", param="client_order_id")


def side_of(side: str) -> Side:
    return _word(SIDES, side, param="side", code="side_invalid")


def _word(words: Mapping[str, _Member], given: str, *, param: str, code: str) -> _Member:
    member = words.get(given)
    if member is None:
        raise OrderInvalid(f"This is one of: {', '.join(words)}.", code=code, param=param)
    return member


def _in_force(kind: Kind, given: str | None) -> TimeInForce:
    if given is None:
        return TimeInForce.IOC if kind is Kind.MARKET else TimeInForce.GTC
    found = _word(TIMES_IN_FORCE, given, param="time_in_force", code="time_in_force_invalid")
    if found not in IN_FORCE[kind]:
        names = ", ".join(member.name for member in sorted(IN_FORCE[kind]))
        raise OrderInvalid(f"For this type it is one of: {names}.", code="time_in_force_invalid", param="time_in_force")
    return found


def _client_order_id(given: str | None) -> str | None:
    if given is not None and not wire.CLIENT_ORDER_ID.fullmatch(given):
        raise OrderInvalid(
            "A client order id has 1 to 36 letters, digits, hyphens or underscores.",
            code="client_order_id_invalid",
            param="client_order_id",
        )
    return given


def _price(view: MarketView, kind: Kind, price: str | None) -> int:
    if kind not in PRICED:
        if price is not None:
            raise OrderInvalid("This type of order has no price.", code="price_not_allowed", param="price")
        return 0
    if price is None:
        raise OrderInvalid("This type of order needs a price.", code="price_required", param="price")
    return _ticks(view, price)


def _size(view: MarketView, kind: Kind, side: Side, quantity: str | None, quote_amount: str | None) -> tuple[int, int]:
    """(lots, quote base units), of which one is 0."""
    if quote_amount is None:
        if quantity is None:
            raise OrderInvalid("An order needs a quantity.", code="quantity_required", param="quantity")
        return _lots(view, quantity), 0
    if quantity is not None:
        raise OrderInvalid(
            "Give a quantity or a quote amount, not both.", code="quantity_ambiguous", param="quote_amount"
        )
    if kind in PRICED or (kind in TRIGGERED and side is Side.SELL):
        raise OrderInvalid("This order is by quantity.", code="quantity_required", param="quantity")
    units = amounts.parse(quote_amount, decimals=view.quote_decimals, param="quote_amount")
    if units < view.tick_quote_units:
        raise OrderInvalid("This amount is too small to trade.", code="notional_too_small", param="quote_amount")
    if units > QUOTE_UNITS_MAX:
        raise amounts.AmountRange("This amount is too large.", param="quote_amount")
    return 0, units


def _stop(view: MarketView, kind: Kind, stop_price: str | None) -> int:
    if kind not in STOPPED:
        if stop_price is not None:
            raise OrderInvalid(
                "This type of order has no stop price.", code="stop_price_not_allowed", param="stop_price"
            )
        return 0
    if stop_price is None:
        raise OrderInvalid("This type of order needs a stop price.", code="stop_price_required", param="stop_price")
    return _ticks(view, stop_price, "stop_price")


def _trail(view: MarketView, kind: Kind, trail: str | None, trail_percent: str | None) -> tuple[int, int]:
    """(ticks, parts per million), of which a trailing stop has one."""
    if kind is not Kind.TRAILING_STOP:
        if trail is not None or trail_percent is not None:
            param = "trail" if trail is not None else "trail_percent"
            raise OrderInvalid("Only a trailing stop trails.", code="trail_not_allowed", param=param)
        return 0, 0
    if (trail is None) == (trail_percent is None):
        raise OrderInvalid(
            "A trailing stop has a trail or a trail percent, one of them.", code="trail_required", param="trail"
        )
    if trail is not None:
        return _ticks(view, trail, "trail"), 0
    ppm = amounts.parse(trail_percent or "", decimals=presentation.PERCENT_DECIMALS, param="trail_percent")
    if not 0 < ppm < PPM:
        raise OrderInvalid("A trail is between 0 and 100 percent.", code="trail_invalid", param="trail_percent")
    return 0, ppm


def _display(view: MarketView, display_quantity: str | None, *, lots: int, rests: bool) -> int:
    if display_quantity is None:
        return 0
    shown = _lots(view, display_quantity, "display_quantity")
    if not rests or shown >= lots:
        raise OrderInvalid(
            "A limit order that lasts can show a part of its quantity, less than all of it.",
            code="display_quantity_invalid",
            param="display_quantity",
        )
    return shown


def _self_trade(given: str | None) -> SelfTrade:
    if given is None:
        return SelfTrade.CANCEL_NEWEST
    return _word(SELF_TRADE, given, param="self_trade", code="self_trade_invalid")


def _slippage(slippage: str | None, *, possible: bool) -> int:
    if slippage is None:
        return 0
    if not possible:
        raise OrderInvalid("This order has a price, and no slippage.", code="slippage_not_allowed", param="slippage")
    ppm = amounts.parse(slippage, decimals=presentation.PERCENT_DECIMALS, param="slippage")
    if not 0 < ppm <= PPM:
        raise OrderInvalid("Slippage is above 0 and at most 100 percent.", code="slippage_invalid", param="slippage")
    return ppm


def _expires_at(expires_at: str | None, in_force: TimeInForce) -> int:
    if in_force is not TimeInForce.GTD:
        if expires_at is not None:
            raise OrderInvalid("Only a GTD order expires.", code="expires_at_not_allowed", param="expires_at")
        return 0
    if expires_at is None:
        raise OrderInvalid("A GTD order says when it expires.", code="expires_at_required", param="expires_at")
    # A time before 1970 is past for the engine as well, and its numbers begin there.
    return max(1, presentation.microseconds(times.parse(expires_at, param="expires_at")))


def _ticks(view: MarketView, price: str, param: str = "price") -> int:
    ticks, rest = divmod(amounts.parse(price, decimals=view.price_decimals, param=param), view.price_step)
    if rest or ticks == 0:
        raise OrderInvalid(f"A price is a multiple of {view.tick_size}.", code="price_tick", param=param)
    if ticks > TICKS_MAX:
        raise amounts.AmountRange("This price is too large.", param=param)
    return ticks


def _lots(view: MarketView, quantity: str, param: str = "quantity") -> int:
    lots, rest = divmod(amounts.parse(quantity, decimals=view.quantity_decimals, param=param), view.quantity_step)
    if rest or lots == 0:
        raise OrderInvalid(f"A quantity is a multiple of {view.lot_size}.", code="quantity_lot", param=param)
    if lots > LOTS_MAX:
        raise amounts.AmountRange("This quantity is too large.", param=param)
    return lots
