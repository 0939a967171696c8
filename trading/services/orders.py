"""Placing, changing and cancelling orders: checks the form, asks the engine, gives back the order as it then stands.

Amounts come as decimal strings and leave this room as ticks, lots and base units (form.py). Whether there is money, and
whether the market is open, is the engine's to say (refusals.py). Everything here is written once and waited for in two ways
(steps.py): `await orders.place(…)` in an event loop, `orders.place_sync(…)` in a thread.
What must never happen here: an order changed in the database, or a retry of the customer's that becomes a second order (that
is what the client order id is for).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Unpack

from exchange.core.errors import DomainError, InvalidRequest
from trading import presentation, selectors, wire
from trading.presentation import OrderView
from trading.services import catalogue, extent, form, line, refusals, single
from trading.services.refusals import (
    AccountFrozen,
    AmendNotPossible,
    CommandExpired,
    EngineFailed,
    InsufficientFunds,
    MarketClosed,
    OrderClosed,
    OrderInvalid,
    TradingStopped,
)
from trading.services.single import OrderOutcome
from trading.services.steps import Ask, AskMany, Steps, run, run_sync, work

__all__ = [
    "AccountFrozen", "AmendNotPossible", "BatchInvalid", "BatchItem", "CommandExpired", "EngineFailed", "InsufficientFunds",
    "MarketClosed", "OcoOutcome", "OrderClosed", "OrderInvalid", "OrderOutcome", "TradingStopped", "amend", "amend_sync",
    "batch", "batch_sync", "cancel", "cancel_all", "cancel_all_sync", "cancel_sync", "countdown", "countdown_sync", "place",
    "place_oco", "place_oco_sync", "place_sync",
]  # fmt: skip

BATCH_MAX = 50
COUNTDOWN_S_MAX = 24 * 3_600


class BatchInvalid(InvalidRequest):
    """A batch has one to fifty items."""

    code = "batch_size"


@dataclass(frozen=True, slots=True)
class OcoOutcome:
    """Both orders of a pair."""

    limit: OrderView
    stop: OrderView
    duplicate: bool


@dataclass(frozen=True, slots=True)
class BatchItem:
    """What became of one item: an outcome, or the error that it would have raised alone."""

    outcome: OrderOutcome | None
    error: DomainError | None


async def place(
    *, user_id: int, unlimited: bool = False, now: datetime, **order: Unpack[form.OrderFields]
) -> OrderOutcome:
    """Place an order; returns when it is stored. Raises the errors of form, refusals and services.line, LimitExceeded and
    WorthUnknown.

    `unlimited` says that it is known of the customer, as of his log-in, that nothing limits his trading; here, and in whatever
    else takes it. Without it, that is looked up, and what is limited is reserved.
    """
    return await run(single.alone(single.placing(user_id, now, order, unlimited=unlimited)))


def place_sync(
    *, user_id: int, unlimited: bool = False, now: datetime, **order: Unpack[form.OrderFields]
) -> OrderOutcome:
    return run_sync(single.alone(single.placing(user_id, now, order, unlimited=unlimited)))


async def place_oco(
    *, user_id: int, unlimited: bool = False, now: datetime, **pair: Unpack[form.OcoFields]
) -> OcoOutcome:
    """Place two orders of which the first that fills, even in part, cancels the other. Both are placed, or neither."""
    return await run(_pair(user_id, now, pair, unlimited=unlimited))


def place_oco_sync(
    *, user_id: int, unlimited: bool = False, now: datetime, **pair: Unpack[form.OcoFields]
) -> OcoOutcome:
    return run_sync(_pair(user_id, now, pair, unlimited=unlimited))


async def amend(
    *, user_id: int, unlimited: bool = False, now: datetime, **changes: Unpack[form.Changes]
) -> OrderOutcome:
    """Change an open order. Less quantity alone keeps its place in the book; anything else goes behind the others.

    Asked again, it is a duplicate: the order stands as wished already.
    """
    return await run(single.alone(single.amending(user_id, now, unlimited=unlimited, **changes)))


def amend_sync(
    *, user_id: int, unlimited: bool = False, now: datetime, **changes: Unpack[form.Changes]
) -> OrderOutcome:
    return run_sync(single.alone(single.amending(user_id, now, unlimited=unlimited, **changes)))


async def cancel(*, user_id: int, now: datetime, **order: Unpack[form.Reference]) -> OrderOutcome:
    """Cancel one open order. Raises OrderNotFound, OrderClosed and those of `place`."""
    return await run(single.alone(single.cancelling(user_id, **order)))


def cancel_sync(*, user_id: int, now: datetime, **order: Unpack[form.Reference]) -> OrderOutcome:
    return run_sync(single.alone(single.cancelling(user_id, **order)))


async def cancel_all(
    *, user_id: int, now: datetime, market: str | None = None, side: str | None = None, reason: str = "user"
) -> int:
    """Cancel a customer's orders, of one market or of all, of one side or of both; how many it were.

    Orders in a halted market stay. One command a shard, each whole or not at all.
    """
    return await run(_cancelling_all(user_id, market, side, reason))


def cancel_all_sync(
    *, user_id: int, now: datetime, market: str | None = None, side: str | None = None, reason: str = "user"
) -> int:
    return run_sync(_cancelling_all(user_id, market, side, reason))


async def batch(
    *, user_id: int, unlimited: bool = False, now: datetime, items: Sequence[dict[str, Any]]
) -> list[BatchItem]:
    """Up to BATCH_MAX orders, changes and cancels in one trip: {"op": "place" | "amend" | "cancel", …its fields}.

    Not atomic: each item has its own outcome or error, and one that fails stops no other. Within a shard they are done in
    this order. Raises BatchInvalid where there are none, or too many.
    """
    return await run(_batch(user_id, now, items, unlimited=unlimited))


def batch_sync(
    *, user_id: int, unlimited: bool = False, now: datetime, items: Sequence[dict[str, Any]]
) -> list[BatchItem]:
    return run_sync(_batch(user_id, now, items, unlimited=unlimited))


async def countdown(*, user_id: int, now: datetime, seconds: int) -> datetime | None:
    """The dead man's switch: unless asked again before, all the customer's orders are cancelled in so many seconds. 0 takes
    it back. Returns when it will be."""
    return await run(_countdown(user_id, now, seconds))


def countdown_sync(*, user_id: int, now: datetime, seconds: int) -> datetime | None:
    return run_sync(_countdown(user_id, now, seconds))


# --- Several at once ----------------------------------------------------------------------------------------------------


def _pair(user_id: int, now: datetime, pair: form.OcoFields, *, unlimited: bool) -> Steps[OcoOutcome]:
    fields: dict[str, Any] = dict(pair)
    view = yield from single.open_market(fields.pop("market"))
    encode: line.Encode = form.place_oco(view, user_id=user_id, **fields)
    if not catalogue.has_accounts(user_id, view):
        yield work(single.open_accounts, user_id=user_id, view=view, now=now)
    own_id = pair.get("client_order_id")
    if not unlimited:
        said = encode.keywords  # type: ignore[attr-defined]
        extents = [
            extent.most(view, side=said["side"], price=price, lots=said["lots"], quote_units=0)
            for price in (said["price"], said["stop_limit_price"])
        ]
        encode = yield from single.reserved(
            encode, user_id=user_id, extents=extents, client_order_id=own_id, param="quantity", now=now
        )
    try:
        reply = yield Ask(view.shard, encode)
        outcome = yield from single.settled(reply, user_id=user_id, client_order_id=own_id, size="quantity")
    except DomainError as error:
        yield from single.given_back(encode, error)
        raise
    partner = outcome.order.oco_order_id
    if partner is None:
        raise OrderInvalid(
            "This client order id names an order that is no pair.",
            code="client_order_id_taken",
            param="client_order_id",
        )
    stop = yield work(selectors.order, user_id=user_id, order_id=partner)
    return OcoOutcome(outcome.order, stop, outcome.duplicate)


def _cancelling_all(user_id: int, market: str | None, side: str | None, reason: str) -> Steps[int]:
    if reason not in wire.CANCEL_REASONS:
        raise ValueError(f"not a reason to cancel: {reason}")
    of_side = int(form.side_of(side)) if side is not None else 0
    if market is not None:
        view = yield from single.market_of_symbol(market)
        shards, market_id = [view.shard], view.id
    else:
        shards, market_id = (yield from _every_shard()), 0
    encode = partial(wire.encode_cancel_all, user_id=user_id, market_id=market_id, side=of_side, reason=reason)
    replies = yield AskMany([(shard, encode) for shard in shards])
    cancelled = 0
    for reply in replies:
        cancelled += yield from _count(reply)
    return cancelled


def _batch(user_id: int, now: datetime, items: Sequence[dict[str, Any]], *, unlimited: bool) -> Steps[list[BatchItem]]:
    if not 1 <= len(items) <= BATCH_MAX:
        raise BatchInvalid(f"A batch has 1 to {BATCH_MAX} items.", param="items")
    ready: list[single.Prepared | DomainError] = []
    for item in items:
        try:
            ready.append((yield from _item(user_id, now, item, unlimited=unlimited)))
        except DomainError as error:
            ready.append(error)
    sent = [(each.shard, each.encode) for each in ready if isinstance(each, single.Prepared)]
    replies = iter((yield AskMany(sent)) if sent else [])
    done = []
    for each in ready:
        answer: Any = next(replies) if isinstance(each, single.Prepared) else each
        try:
            if isinstance(answer, DomainError):
                raise answer
            done.append(BatchItem((yield from each.settle(answer)), None))  # type: ignore[union-attr]
        except DomainError as error:
            if isinstance(each, single.Prepared):
                yield from single.given_back(each.encode, error)
            done.append(BatchItem(None, error))
    return done


_ITEMS: dict[str, frozenset[str]] = {
    "place": frozenset(form.OrderFields.__annotations__),
    "amend": frozenset(form.Changes.__annotations__),
    "cancel": frozenset(form.Reference.__annotations__),
}
_NEEDED = frozenset({"market", "side", "type"})


def _item(user_id: int, now: datetime, item: dict[str, Any], *, unlimited: bool) -> Steps[single.Prepared]:
    op = item.get("op")
    fields = {name: value for name, value in item.items() if name != "op"}
    if not isinstance(op, str) or op not in _ITEMS:
        raise _bad_item(f"An item's op is one of: {', '.join(_ITEMS)}.", "op")
    for name in sorted(fields.keys() - _ITEMS[op]):
        raise _bad_item("There is no such field.", name)
    if op == "place":
        for name in sorted(_NEEDED - fields.keys()):
            raise _bad_item("This is needed.", name)
        return (yield from single.placing(user_id, now, fields, unlimited=unlimited))  # type: ignore[arg-type]
    if op == "amend":
        return (yield from single.amending(user_id, now, unlimited=unlimited, **fields))
    return (yield from single.cancelling(user_id, **fields))


def _bad_item(message: str, param: str) -> OrderInvalid:
    return OrderInvalid(message, code="batch_item_invalid", param=param)


def _countdown(user_id: int, now: datetime, seconds: int) -> Steps[datetime | None]:
    if not 0 <= seconds <= COUNTDOWN_S_MAX:
        raise OrderInvalid(
            f"A countdown takes 1 to {COUNTDOWN_S_MAX} seconds; 0 takes it back.",
            code="countdown_invalid",
            param="seconds",
        )
    until = now + timedelta(seconds=seconds) if seconds else None
    micro = presentation.microseconds(until) if until is not None else 0
    encode = partial(wire.encode_countdown, user_id=user_id, until=micro)
    shards = yield from _every_shard()
    for reply in (yield AskMany([(shard, encode) for shard in shards])):
        _accepted(reply)
    return until


def _every_shard() -> Steps[list[int]]:
    shards: list[int] = catalogue.cached_shards() or (yield work(catalogue.shards))
    return shards


def _accepted(reply: dict[str, Any] | DomainError) -> dict[str, Any]:
    if isinstance(reply, DomainError):
        raise reply
    if reply["code"] != wire.ACCEPTED:
        raise refusals.error(reply["code"])
    return reply


def _count(reply: dict[str, Any] | DomainError) -> Steps[int]:
    """How many orders a cancel of all closed; the database knows where the reply does not say."""
    told = _accepted(reply)
    count = told.get("count")
    if count is None:
        count = yield work(selectors.closed_by, command_uuid=told["id"])
    return int(count)
