"""One command about one order: made ready for the engine, and its reply made into what the customer is told.

What must never happen here: a figure taken in the steps of a market that the order is not in, or an order of somebody else's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from exchange.core.errors import DomainError, OutcomeUnknown
from exchange.core.ids import uuid7
from exchange.ledger.services import accounts
from trading import presentation, selectors, wire
from trading.engine.matching import SHARDS_MAX
from trading.presentation import MarketView, OrderView
from trading.services import catalogue, extent, form, line, refusals, reserving
from trading.services.refusals import OrderClosed, TradingStopped
from trading.services.steps import Ask, Steps, work


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """The order as it stood when the command was stored, together with whatever else its batch did to it. `duplicate`: the
    command was done before, and this is the order of its first result, as it now stands."""

    order: OrderView
    duplicate: bool


class Prepared(NamedTuple):
    """A command ready to go, and what to make of its reply."""

    shard: int
    encode: line.Encode
    settle: Callable[[dict[str, Any]], Steps[OrderOutcome]]


def alone(preparing: Steps[Prepared]) -> Steps[OrderOutcome]:
    prepared = yield from preparing
    try:
        reply = yield Ask(prepared.shard, prepared.encode)
        return (yield from prepared.settle(reply))
    except DomainError as error:
        yield from given_back(prepared.encode, error)
        raise


def given_back(encode: line.Encode, error: DomainError) -> Steps[None]:
    """The room of a command that was not done, for certain. Of any other its reservation waits for what became of it."""
    if isinstance(encode, line.Named) and not isinstance(error, OutcomeUnknown):
        yield work(reserving.give_back, uuid=encode.uuid)


def placing(user_id: int, now: datetime, order: form.OrderFields, *, unlimited: bool) -> Steps[Prepared]:
    fields: dict[str, Any] = dict(order)
    view = yield from open_market(fields.pop("market"))
    encode = form.place(view, user_id=user_id, **fields)
    if not catalogue.has_accounts(user_id, view):
        yield work(open_accounts, user_id=user_id, view=view, now=now)
    size = "quantity" if order.get("quote_amount") is None else "quote_amount"
    if not unlimited:
        said = encode.keywords
        most = extent.most(
            view, side=said["side"], price=said["price"], lots=said["lots"], quote_units=said["quote_units"]
        )
        encode = yield from reserved(
            encode, user_id=user_id, extents=[most], client_order_id=said["client_order_id"], param=size, now=now
        )
    settle = partial(settled, user_id=user_id, client_order_id=order.get("client_order_id"), size=size)
    return Prepared(view.shard, encode, settle)


def reserved(encode: line.Encode, **named: Any) -> Steps[line.Encode]:
    """The command under a name of its own, where the customer's trading is limited and there was room for it."""
    uuid = uuid7()
    is_counted = yield work(reserving.reserve, uuid=uuid, **named)
    return line.Named(encode, uuid) if is_counted else encode


def amending(
    user_id: int, now: datetime, *, unlimited: bool, order_id: int | None = None, client_order_id: str | None = None,
    market: str | None = None, price: str | None = None, quantity: str | None = None, stop_price: str | None = None,
) -> Steps[Prepared]:  # fmt: skip
    form.check_reference(order_id, client_order_id)
    view = catalogue.market_of(user_id, order_id) if order_id is not None else None
    if view is None:
        # Which market's steps the figures are in, the order says, and nobody else.
        known = yield work(selectors.order, user_id=user_id, order_id=order_id, client_order_id=client_order_id)
        order_id, client_order_id = known.id, None
        view = yield from market_of_symbol(known.market)
        catalogue.note_order(user_id, known.id, view.id)
    yield from open_market(view.symbol)
    encode = form.amend(
        view, user_id=user_id, order_id=order_id, client_order_id=client_order_id, price=price, quantity=quantity,
        stop_price=stop_price,
    )  # fmt: skip
    if not unlimited:
        encode = yield from _reserved_change(encode, user_id=user_id, order_id=order_id, view=view, now=now)
    settle = partial(
        _amended, user_id=user_id, order_id=order_id, view=view, price=price, quantity=quantity, stop_price=stop_price
    )
    return Prepared(view.shard, encode, settle)


def _reserved_change(
    encode: partial[bytes], *, user_id: int, order_id: int | None, view: MarketView, now: datetime
) -> Steps[line.Encode]:
    uuid, said = uuid7(), encode.keywords
    is_counted = yield work(
        reserving.reserve_change, user_id=user_id, order_id=order_id, view=view, price=said["price"], lots=said["lots"],
        uuid=uuid, now=now,
    )  # fmt: skip
    return line.Named(encode, uuid) if is_counted else encode


def cancelling(
    user_id: int, *, order_id: int | None = None, client_order_id: str | None = None, market: str | None = None
) -> Steps[Prepared]:
    form.check_reference(order_id, client_order_id)
    if order_id is not None:
        shard = order_id % SHARDS_MAX
        if not catalogue.has_shard(shard) and shard not in (yield work(catalogue.shards)):
            raise selectors.OrderNotFound("There is no such order.", param="order_id")  # nobody would ever answer
    elif market is not None:
        shard = (yield from market_of_symbol(market)).shard
    else:
        known = yield work(selectors.order, user_id=user_id, client_order_id=client_order_id)
        shard = known.id % SHARDS_MAX
    encode = partial(wire.encode_cancel, user_id=user_id, order_id=order_id or 0, client_order_id=client_order_id)
    settle = partial(_cancelled, user_id=user_id, order_id=order_id, client_order_id=client_order_id)
    return Prepared(shard, encode, settle)


def market_of_symbol(symbol: str) -> Steps[MarketView]:
    view: MarketView | None = catalogue.cached(symbol)
    if view is None:
        view = yield work(catalogue.market, symbol=symbol)
    return view  # type: ignore[return-value]


def open_market(symbol: str) -> Steps[MarketView]:
    """The market to place an order in. Raises TradingStopped, as of the last reading."""
    view = yield from market_of_symbol(symbol)
    if catalogue.trading_stopped():
        raise TradingStopped("Trading is stopped at the moment. You can cancel orders, but not place new ones.")
    return view


def open_accounts(*, user_id: int, view: MarketView, now: datetime) -> None:
    """The ledger accounts of both sides, before the first order: the engine pays out into them."""
    accounts.open_customer(owner_id=user_id, asset_ids=[view.base_asset_id, view.quote_asset_id], now=now)
    catalogue.note_accounts(user_id, view)


# --- What came of it ----------------------------------------------------------------------------------------------------


def settled(reply: dict[str, Any], *, user_id: int, client_order_id: str | None, size: str) -> Steps[OrderOutcome]:
    """The order that a reply tells of; the error that its verdict stands for. An accepted one needs no database."""
    code, order_id, duplicate = reply["code"], reply["order_id"], False
    if code == wire.DUPLICATE:
        first = reply.get("first")
        if first is None:  # the reply was lost, and the command's row says only that it was not the first
            first = yield work(selectors.first_result, user_id=user_id, client_order_id=client_order_id)
        code, order_id, duplicate = first["code"], first["order_id"], True
    if code != wire.ACCEPTED:
        raise refusals.error(code, size=size)
    packed = None if duplicate else reply.get("order")
    if packed is None:
        return OrderOutcome((yield work(selectors.order, user_id=user_id, order_id=order_id)), duplicate)
    row = wire.unpack_order(packed)
    view = catalogue.known(row.market_id)
    if view is None:
        view = yield work(catalogue.market_by_id, market_id=row.market_id)
    catalogue.note_order(user_id, row.id, row.market_id)
    return OrderOutcome(presentation.order(view, row), duplicate)


def _amended(
    reply: dict[str, Any], *, user_id: int, order_id: int | None, view: MarketView, price: str | None,
    quantity: str | None, stop_price: str | None,
) -> Steps[OrderOutcome]:  # fmt: skip
    if reply["code"] in ("order_not_found", "amend_not_possible"):
        known: OrderView = yield work(selectors.order, user_id=user_id, order_id=order_id)
        if known.state not in ("open", "pending"):
            raise OrderClosed(f"This order is {known.state} already.", param="order_id")
        if reply["code"] == "amend_not_possible" and _stands(view, known, price, quantity, stop_price):
            return OrderOutcome(known, duplicate=True)
    return (yield from settled(reply, user_id=user_id, client_order_id=None, size="quantity"))


def _stands(
    view: MarketView, order: OrderView, price: str | None, quantity: str | None, stop_price: str | None
) -> bool:
    """Whether the order is already what it was to become."""
    wished = form.amend(
        view, user_id=order.user_id, order_id=order.id, client_order_id=None, price=price, quantity=quantity,
        stop_price=stop_price,
    ).keywords  # fmt: skip
    return (
        (price is None or view.price(wished["price"]) == order.price)
        and (quantity is None or view.quantity(wished["lots"]) == order.quantity)
        and (stop_price is None or view.price(wished["stop_price"]) == order.stop_price)
    )


def _cancelled(
    reply: dict[str, Any], *, user_id: int, order_id: int | None, client_order_id: str | None
) -> Steps[OrderOutcome]:
    if reply["code"] == "order_not_found":
        known = yield work(selectors.order, user_id=user_id, order_id=order_id, client_order_id=client_order_id)
        raise OrderClosed(f"This order is {known.state} already.", param="order_id")
    return (yield from settled(reply, user_id=user_id, client_order_id=None, size="quantity"))
