"""Placing and cancelling orders: checks the form, asks the engine, gives back the order as it then stands.

Amounts come as decimal strings and leave this module as ticks, lots and base units. Whether there is money, and whether the
market is open, is the engine's to say.
What must never happen here: an order changed in the database, or a retry of the customer's that becomes a second order (that
is what the client order id is for).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from channels.db import database_sync_to_async

from exchange.core import amounts
from exchange.core.errors import Conflict, InvalidRequest, PermissionDenied, Unavailable
from exchange.ledger.services import accounts
from trading import presentation, selectors, wire
from trading.engine.matching import SHARDS_MAX
from trading.engine.rules import LOTS_MAX, TICKS_MAX, Kind, Side, TimeInForce
from trading.presentation import MarketView, OrderView
from trading.services import catalogue, line

_SIDES = {"buy": Side.BUY, "sell": Side.SELL}
_KINDS = {"limit": Kind.LIMIT, "market": Kind.MARKET}
_TIMES_IN_FORCE = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC}
QUOTE_UNITS_MAX = 10**70


class OrderInvalid(InvalidRequest):
    """The order's form is wrong; `code` says how."""

    def __init__(self, message: str, *, code: str, param: str) -> None:
        super().__init__(message, param=param)
        self.code = code  # type: ignore[misc]  # one class, many stable codes: see _form


class InsufficientFunds(InvalidRequest):
    """The order would cost more than is available."""

    code = "insufficient_funds"


class AccountFrozen(PermissionDenied):
    """The customer's account is frozen; orders may be cancelled, not placed."""

    code = "account_frozen"


class MarketClosed(Conflict):
    """The market takes no such command in its present state."""

    code = "market_closed"


class OrderClosed(Conflict):
    """The order is done already; there is nothing to cancel."""

    code = "order_closed"


class CommandExpired(Unavailable):
    """The engine came to it too late and did nothing, so that nobody trades at a price of long ago."""

    code = "command_expired"


class TradingStopped(Unavailable):
    """Staff, or an alarm, stopped all trading; orders may be cancelled, not placed."""

    code = "trading_stopped"


class EngineFailed(Unavailable):
    """The engine could not carry it out; nothing was done, and staff have been told."""

    code = "engine_error"


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """The order after the command. `duplicate`: this client order id was used before, and this is its first result."""

    order: OrderView
    duplicate: bool


async def place(
    *,
    user_id: int,
    market: str,
    side: str,
    type: str,
    quantity: str | None = None,
    quote_amount: str | None = None,
    price: str | None = None,
    client_order_id: str | None = None,
    time_in_force: str | None = None,
    now: datetime,
) -> OrderOutcome:
    """Place an order; returns when it is stored. Raises the errors of this module and of services.line."""
    view = catalogue.cached(market) or await database_sync_to_async(catalogue.market)(market)
    encode = _form(
        view, user_id=user_id, side=side, type=type, quantity=quantity, quote_amount=quote_amount, price=price,
        client_order_id=client_order_id, time_in_force=time_in_force,
    )  # fmt: skip
    if not catalogue.has_accounts(user_id, view):
        await database_sync_to_async(_open_accounts)(user_id, view, now)
    reply = await line.ask(shard=view.shard, encode=encode)
    if reply.get("order") is not None and reply["code"] == wire.ACCEPTED:
        return OrderOutcome(presentation.order(view, wire.unpack_order(reply["order"])), duplicate=False)
    return await database_sync_to_async(_settled)(reply, user_id=user_id, by_quote=quote_amount is not None)


def place_sync(
    *,
    user_id: int,
    market: str,
    side: str,
    type: str,
    quantity: str | None = None,
    quote_amount: str | None = None,
    price: str | None = None,
    client_order_id: str | None = None,
    time_in_force: str | None = None,
    now: datetime,
) -> OrderOutcome:
    """The same for threads, management commands and tasks."""
    view = catalogue.cached(market) or catalogue.market(market)
    encode = _form(
        view, user_id=user_id, side=side, type=type, quantity=quantity, quote_amount=quote_amount, price=price,
        client_order_id=client_order_id, time_in_force=time_in_force,
    )  # fmt: skip
    if not catalogue.has_accounts(user_id, view):
        _open_accounts(user_id, view, now)
    reply = line.ask_sync(shard=view.shard, encode=encode)
    return _settled(reply, user_id=user_id, by_quote=quote_amount is not None)


async def cancel(
    *,
    user_id: int,
    market: str | None = None,
    order_id: int | None = None,
    client_order_id: str | None = None,
    now: datetime,
) -> OrderOutcome:
    """Cancel one open order, by our id or by the customer's own. Raises OrderNotFound, OrderClosed and those of `place`."""
    _check_reference(order_id, client_order_id)
    if order_id is not None:
        shard = order_id % SHARDS_MAX
    else:
        shard = await database_sync_to_async(_shard_of)(user_id, market, client_order_id)
    reply = await line.ask(shard=shard, encode=_cancellation(user_id, order_id, client_order_id))
    return await database_sync_to_async(_cancelled)(reply, user_id, order_id, client_order_id)


def cancel_sync(
    *,
    user_id: int,
    market: str | None = None,
    order_id: int | None = None,
    client_order_id: str | None = None,
    now: datetime,
) -> OrderOutcome:
    """The same for threads, management commands and tasks."""
    _check_reference(order_id, client_order_id)
    shard = order_id % SHARDS_MAX if order_id is not None else _shard_of(user_id, market, client_order_id)
    reply = line.ask_sync(shard=shard, encode=_cancellation(user_id, order_id, client_order_id))
    return _cancelled(reply, user_id, order_id, client_order_id)


def cancel_all_sync(*, user_id: int, now: datetime) -> int:
    """Cancel every open order of a customer; how many it was. Orders that close meanwhile are no error."""
    cancelled = 0
    while found := selectors.open_orders(user_id, limit=selectors.OPEN_ORDERS_MAX):
        for order in found:
            try:
                cancel_sync(user_id=user_id, order_id=order.id, now=now)
            except OrderClosed:
                continue
            cancelled += 1
    return cancelled


# --- Form -------------------------------------------------------------------------------------------------------------


def _form(
    view: MarketView,
    *,
    user_id: int,
    side: str,
    type: str,
    quantity: str | None,
    quote_amount: str | None,
    price: str | None,
    client_order_id: str | None,
    time_in_force: str | None,
) -> partial[bytes]:
    """The command, all but its UUID and time. Raises OrderInvalid and the errors of core.amounts, each naming its parameter."""
    if catalogue.trading_stopped():
        raise TradingStopped("Trading is stopped at the moment. You can cancel orders, but not place new ones.")
    if side not in _SIDES:
        raise OrderInvalid('A side is "buy" or "sell".', code="side_invalid", param="side")
    if type not in _KINDS:
        raise OrderInvalid('A type is "limit" or "market".', code="type_invalid", param="type")
    if time_in_force is not None and time_in_force not in _TIMES_IN_FORCE:
        raise OrderInvalid('Time in force is "GTC" or "IOC".', code="time_in_force_invalid", param="time_in_force")
    if client_order_id is not None and not wire.CLIENT_ORDER_ID.fullmatch(client_order_id):
        raise OrderInvalid(
            "A client order id has 1 to 36 letters, digits, hyphens or underscores.",
            code="client_order_id_invalid",
            param="client_order_id",
        )
    if type == "limit":
        ticks, lots, quote_units = *_limit_size(view, price, quantity, quote_amount), 0
        in_force = _TIMES_IN_FORCE[time_in_force or "GTC"]
    else:
        if time_in_force == "GTC":
            raise OrderInvalid("A market order is IOC.", code="time_in_force_invalid", param="time_in_force")
        ticks, (lots, quote_units) = 0, _market_size(view, price, quantity, quote_amount)
        in_force = TimeInForce.IOC
    return partial(
        wire.encode_place,
        user_id=user_id,
        market_id=view.id,
        side=int(_SIDES[side]),
        kind=int(_KINDS[type]),
        time_in_force=int(in_force),
        price=ticks,
        lots=lots,
        quote_units=quote_units,
        client_order_id=client_order_id,
    )


def _limit_size(view: MarketView, price: str | None, quantity: str | None, quote_amount: str | None) -> tuple[int, int]:
    if price is None:
        raise OrderInvalid("A limit order needs a price.", code="price_required", param="price")
    if quote_amount is not None:
        raise OrderInvalid("A limit order is by quantity.", code="quantity_ambiguous", param="quote_amount")
    if quantity is None:
        raise OrderInvalid("A limit order needs a quantity.", code="quantity_required", param="quantity")
    return _ticks(view, price), _lots(view, quantity)


def _market_size(
    view: MarketView, price: str | None, quantity: str | None, quote_amount: str | None
) -> tuple[int, int]:
    if price is not None:
        raise OrderInvalid("A market order has no price.", code="price_not_allowed", param="price")
    if quantity is not None and quote_amount is not None:
        raise OrderInvalid(
            "Give a quantity or a quote amount, not both.", code="quantity_ambiguous", param="quote_amount"
        )
    if quantity is not None:
        return _lots(view, quantity), 0
    if quote_amount is None:
        raise OrderInvalid(
            "A market order needs a quantity or a quote amount.", code="quantity_required", param="quantity"
        )
    units = amounts.parse(quote_amount, decimals=view.quote_decimals, param="quote_amount")
    if units < view.tick_quote_units:
        raise OrderInvalid("This amount is too small to trade.", code="notional_too_small", param="quote_amount")
    if units > QUOTE_UNITS_MAX:
        raise amounts.AmountRange("This amount is too large.", param="quote_amount")
    return 0, units


def _ticks(view: MarketView, price: str) -> int:
    ticks, rest = divmod(amounts.parse(price, decimals=view.price_decimals, param="price"), view.price_step)
    if rest or ticks == 0:
        raise OrderInvalid(f"A price is a multiple of {view.tick_size}.", code="price_tick", param="price")
    if ticks > TICKS_MAX:
        raise amounts.AmountRange("This price is too large.", param="price")
    return ticks


def _lots(view: MarketView, quantity: str) -> int:
    lots, rest = divmod(amounts.parse(quantity, decimals=view.quantity_decimals, param="quantity"), view.quantity_step)
    if rest or lots == 0:
        raise OrderInvalid(f"A quantity is a multiple of {view.lot_size}.", code="quantity_lot", param="quantity")
    if lots > LOTS_MAX:
        raise amounts.AmountRange("This quantity is too large.", param="quantity")
    return lots


def _check_reference(order_id: int | None, client_order_id: str | None) -> None:
    if (order_id is None) == (client_order_id is None):
        raise OrderInvalid(
            "Name the order by its id or by your own.", code="order_reference_required", param="order_id"
        )
    if order_id is not None and not 0 < order_id < 2**53:
        raise selectors.OrderNotFound("There is no such order.", param="order_id")
    if client_order_id is not None and not wire.CLIENT_ORDER_ID.fullmatch(client_order_id):
        raise selectors.OrderNotFound("There is no such order.", param="client_order_id")


def _cancellation(user_id: int, order_id: int | None, client_order_id: str | None) -> partial[bytes]:
    return partial(wire.encode_cancel, user_id=user_id, order_id=order_id or 0, client_order_id=client_order_id)


# --- Outcome ----------------------------------------------------------------------------------------------------------


def _settled(reply: dict[str, Any], *, user_id: int, by_quote: bool) -> OrderOutcome:
    """The order that a reply tells of; the error that its verdict stands for."""
    code, duplicate = reply["code"], False
    if code == wire.DUPLICATE:
        first = reply.get("first") or {}
        code, duplicate = first.get("code", ""), True
        reply = {"order_id": first.get("order_id"), "order": None}
    if code != wire.ACCEPTED:
        raise _refusal(code, by_quote=by_quote)
    if reply.get("order") is not None:
        row = wire.unpack_order(reply["order"])
        return OrderOutcome(presentation.order(catalogue.market_by_id(row.market_id), row), duplicate)
    return OrderOutcome(selectors.order(user_id, order_id=reply["order_id"]), duplicate)


def _cancelled(reply: dict[str, Any], user_id: int, order_id: int | None, client_order_id: str | None) -> OrderOutcome:
    if reply["code"] == "order_not_found":
        known = selectors.order(user_id, order_id=order_id, client_order_id=client_order_id)
        raise OrderClosed(f"This order is {known.state} already.", param="order_id")
    return _settled(reply, user_id=user_id, by_quote=False)


def _refusal(code: str, *, by_quote: bool) -> Exception:
    size = "quote_amount" if by_quote else "quantity"
    if code == "insufficient_funds":
        return InsufficientFunds("This order costs more than you have available.", param=size)
    if code == "account_frozen":
        return AccountFrozen("Your account is frozen. You can cancel orders, but not place new ones.")
    if code == "market_closed":
        return MarketClosed("This market is not open for that at the moment.", param="market")
    if code == "market_not_found":
        return selectors.MarketNotFound("There is no such market.", param="market")
    if code == "client_order_id_taken":
        return OrderInvalid(
            "This client order id names an open order.", code="client_order_id_taken", param="client_order_id"
        )
    if code == "command_expired":
        return CommandExpired("The engine could not take this in time. Nothing was done; please try again.")
    return EngineFailed("The engine could not carry this out. Nothing was done.")


def _shard_of(user_id: int, market: str | None, client_order_id: str | None) -> int:
    """Where an order known by the customer's id lives. Raises OrderNotFound, MarketNotFound."""
    if market is not None:
        return (catalogue.cached(market) or catalogue.market(market)).shard
    return selectors.order(user_id, client_order_id=client_order_id).id % SHARDS_MAX


def _open_accounts(user_id: int, view: MarketView, now: datetime) -> None:
    """The ledger accounts of both sides, before the first order: the engine pays out into them."""
    accounts.open_customer(owner_id=user_id, asset_ids=[view.base_asset_id, view.quote_asset_id], now=now)
    catalogue.note_accounts(user_id, view)
