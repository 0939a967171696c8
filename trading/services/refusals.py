"""What the engine may answer instead of doing it: every code of its own, as the error a customer's program meets.

A code is stable; the message is for people. What must never happen here: a code of the engine's that nobody can read, for
then it is told as the engine's failure.
"""

from __future__ import annotations

from typing import NamedTuple

from exchange.core.errors import Conflict, DomainError, InvalidRequest, PermissionDenied, Unavailable
from trading import selectors


class OrderInvalid(InvalidRequest):
    """The order's form is wrong, or it cannot be had; `code` says how."""

    def __init__(self, message: str, *, code: str, param: str | None) -> None:
        super().__init__(message, param=param)
        self.code = code  # type: ignore[misc]  # one class, many stable codes


class InsufficientFunds(InvalidRequest):
    """The order would cost more than is available."""

    code = "insufficient_funds"


class AccountFrozen(PermissionDenied):
    """The customer's account is frozen; orders may be cancelled, not placed."""

    code = "account_frozen"


class MarketClosed(Conflict):
    """The market takes no such command in its present state."""

    code = "market_closed"


class MarketPostOnly(Conflict):
    """The market takes only orders that rest, for the moment."""

    code = "market_post_only"


class OrderClosed(Conflict):
    """The order is done already; there is nothing to change or to cancel."""

    code = "order_closed"


class TooManyOpenOrders(Conflict):
    """As many orders as one customer may have open in this market are open."""

    code = "too_many_open_orders"


class NoReferencePrice(Conflict):
    """Nothing has traded here yet, and this order follows the price of the last trade."""

    code = "no_reference_price"


class PostOnlyWouldMatch(Conflict):
    """The order is to rest, and would have traded at once."""

    code = "post_only_would_match"


class StopWouldTrigger(Conflict):
    """The price is beyond the stop already."""

    code = "stop_would_trigger"


class AmendNotPossible(Conflict):
    """This order cannot be changed in this way."""

    code = "amend_not_possible"


class OcoNotAmendable(Conflict):
    """One of a pair: cancel it and place the pair anew."""

    code = "oco_not_amendable"


class QuantityBelowFilled(Conflict):
    """More than that is filled already."""

    code = "quantity_below_filled"


class CommandExpired(Unavailable):
    """The engine came to it too late and did nothing, so that nobody trades at a price of long ago."""

    code = "command_expired"


class TradingStopped(Unavailable):
    """Staff, or an alarm, stopped all trading; orders may be cancelled, not placed."""

    code = "trading_stopped"


class EngineFailed(Unavailable):
    """The engine could not carry it out; nothing was done, and staff have been told."""

    code = "engine_error"


class _Told(NamedTuple):
    error: type[DomainError]
    message: str
    param: str | None = None


_SIZE = "size"  # stands for the parameter that gave the order's size
_TOLD = {
    "insufficient_funds": _Told(InsufficientFunds, "This order costs more than you have available.", _SIZE),
    "account_frozen": _Told(AccountFrozen, "Your account is frozen. You can cancel orders, but not place new ones."),
    "market_closed": _Told(MarketClosed, "This market is not open for that at the moment.", "market"),
    "market_post_only": _Told(
        MarketPostOnly, "This market takes only orders that rest in the book at the moment.", "market"
    ),
    "market_not_found": _Told(selectors.MarketNotFound, "There is no such market.", "market"),
    "order_not_found": _Told(selectors.OrderNotFound, "There is no such order.", "order_id"),
    "too_many_open_orders": _Told(
        TooManyOpenOrders, "You have as many orders open in this market as one account may have.", "market"
    ),
    "no_reference_price": _Told(
        NoReferencePrice, "Nothing has traded in this market yet, so there is no price to follow.", "type"
    ),
    "post_only_would_match": _Told(
        PostOnlyWouldMatch, "This order would trade at once, and it is to be post-only.", "post_only"
    ),
    "stop_would_trigger": _Told(
        StopWouldTrigger, "The last price is beyond this stop already; it would trigger at once.", "stop_price"
    ),
    "amend_not_possible": _Told(AmendNotPossible, "This order cannot be changed in this way."),
    "oco_not_amendable": _Told(
        OcoNotAmendable, "An order of a pair cannot be changed. Cancel it, and place the pair anew.", "order_id"
    ),
    "quantity_below_filled": _Told(QuantityBelowFilled, "More than this quantity is filled already.", "quantity"),
    "command_expired": _Told(
        CommandExpired, "The engine could not take this in time. Nothing was done; please try again."
    ),
}
_INVALID = {
    "client_order_id_taken": ("This client order id names an open order.", "client_order_id"),
    "already_expired": ("The order would have expired already.", "expires_at"),
    "price_out_of_band": ("This price is too far from the last one; the market's rules name its band.", "price"),
    "notional_too_small": ("This order is worth less than this market's least.", _SIZE),
}


def error(code: str, *, size: str = "quantity") -> DomainError:
    """The error that a verdict stands for. `size` is the parameter that gave the order's size."""
    if (told := _TOLD.get(code)) is not None:
        return told.error(told.message, param=size if told.param == _SIZE else told.param)
    if (invalid := _INVALID.get(code)) is not None:
        message, param = invalid
        return OrderInvalid(message, code=code, param=size if param == _SIZE else param)
    return EngineFailed("The engine could not carry this out. Nothing was done.")
