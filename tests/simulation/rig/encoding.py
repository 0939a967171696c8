"""A command object of the core as the bytes of the stream, and what of it the wire can say."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from trading import wire
from trading.engine import commands


def encode(command: commands.Command, *, uuid: UUID, process: str, asked_at_ms: int, staff: int) -> bytes | None:
    """None for what only the engine itself says, and for what the edge would refuse. `staff` asks where no customer does."""
    user = getattr(command, "user_id", command.limit.user_id if type(command) is commands.PlaceOco else staff)
    head: dict[str, Any] = {"uuid": uuid, "process": process, "asked_at_ms": asked_at_ms, "user_id": user}
    body = _body(command, head)
    if body is None:
        return None
    try:
        wire.decode(body)
    except wire.Malformed:
        return None
    return body


def _body(c: commands.Command, head: dict[str, Any]) -> bytes | None:
    if type(c) is commands.Place:
        return wire.encode_place(
            **head, market_id=c.market_id, side=int(c.side), kind=int(c.kind), time_in_force=int(c.time_in_force),
            price=c.price, lots=c.lots, quote_units=c.quote_units, client_order_id=c.client_order_id, terms=c.terms,
        )  # fmt: skip
    if type(c) is commands.PlaceOco:
        limit, stop = c.limit, c.stop
        return wire.encode_oco(
            **head, market_id=limit.market_id, side=int(limit.side), time_in_force=int(limit.time_in_force),
            lots=limit.lots, price=limit.price, stop_price=stop.terms.stop_price, stop_limit_price=stop.price,
            client_order_id=limit.client_order_id, self_trade=int(limit.terms.self_trade),
            slippage_ppm=stop.terms.slippage_ppm, expires_at=limit.terms.expires_at,
        )  # fmt: skip
    if type(c) is commands.Amend:
        return wire.encode_amend(
            **head, order_id=c.order_id, client_order_id=c.client_order_id, price=c.price, lots=c.lots,
            stop_price=c.stop_price,
        )  # fmt: skip
    if type(c) is commands.Cancel:
        return wire.encode_cancel(**head, order_id=c.order_id, client_order_id=c.client_order_id)
    if type(c) is commands.CancelAll:
        return wire.encode_cancel_all(**head, market_id=c.market_id, side=int(c.side), reason=c.reason)
    if type(c) is commands.Countdown:
        return wire.encode_countdown(**head, until=c.until)
    return _staffs(c, head)


def _staffs(c: commands.Command, head: dict[str, Any]) -> bytes | None:
    if type(c) is commands.SetFees:
        return wire.encode_fees(**head, maker_fee_ppm=c.maker_fee_ppm, taker_fee_ppm=c.taker_fee_ppm)
    if type(c) is commands.OpenMarket:
        return wire.encode_market_open(**head, market=c.market, state=int(c.state))
    if type(c) is commands.SetMarket:
        return wire.encode_market(**head, market=c.market)
    if type(c) is commands.SetMarketState:
        return wire.encode_market_state(**head, market_id=c.market_id, state=int(c.state))
    return None
