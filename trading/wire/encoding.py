"""Commands as the bytes of the stream. Their form was checked before; here it is only written down.

What must never happen here: a field that `decoding` does not know.
"""

from __future__ import annotations

from uuid import UUID

import orjson

from trading.engine.commands import PLAIN, Terms
from trading.engine.rules import CANCEL_NEWEST, Market


def _body(op: str, uuid: UUID | str, process: str, asked_at_ms: int, user_id: int, **fields: object) -> bytes:
    return orjson.dumps({"op": op, "id": str(uuid), "process": process, "at": asked_at_ms, "user": user_id, **fields})


def encode_place(
    *, uuid: UUID | str, process: str, asked_at_ms: int, user_id: int, market_id: int, side: int, kind: int, time_in_force: int,
    price: int, lots: int, quote_units: int, client_order_id: str | None, terms: Terms = PLAIN,
) -> bytes:  # fmt: skip
    fields = {
        "op": "place", "id": str(uuid), "process": process, "at": asked_at_ms, "user": user_id, "market": market_id,
        "side": side, "kind": kind, "tif": time_in_force, "price": price, "lots": lots, "quote": str(quote_units),
        "client": client_order_id,
    }  # fmt: skip
    if terms is not PLAIN and (stated := _stated(terms)):
        fields["terms"] = stated
    return orjson.dumps(fields)


def encode_oco(
    *, uuid: UUID | str, process: str, asked_at_ms: int, user_id: int, market_id: int, side: int, time_in_force: int, lots: int,
    price: int, stop_price: int, stop_limit_price: int, client_order_id: str | None, self_trade: int, slippage_ppm: int,
    expires_at: int,
) -> bytes:  # fmt: skip
    """`price` is the limit leg's; `stop_limit_price` is 0 where the stop leg fills at market."""
    return _body(
        "oco", uuid, process, asked_at_ms, user_id, market=market_id, side=side, tif=time_in_force, lots=lots, price=price,
        stop=stop_price, limit=stop_limit_price, client=client_order_id, self_trade=self_trade, slippage=slippage_ppm,
        expires_at=expires_at,
    )  # fmt: skip


def encode_amend(
    *, uuid: UUID | str, process: str, asked_at_ms: int, user_id: int, order_id: int, client_order_id: str | None, price: int,
    lots: int, stop_price: int,
) -> bytes:  # fmt: skip
    return _body(
        "amend", uuid, process, asked_at_ms, user_id, order=order_id, client=client_order_id, price=price, lots=lots,
        stop=stop_price,
    )  # fmt: skip


def encode_cancel(
    *, uuid: UUID | str, process: str, asked_at_ms: int, user_id: int, order_id: int, client_order_id: str | None
) -> bytes:
    return _body("cancel", uuid, process, asked_at_ms, user_id, order=order_id, client=client_order_id)


def encode_cancel_all(
    *, uuid: UUID | str, process: str, asked_at_ms: int, user_id: int, market_id: int, side: int, reason: str
) -> bytes:
    """`user_id` is whose orders they are, also where staff asks."""
    return _body("cancel_all", uuid, process, asked_at_ms, user_id, market=market_id, side=side, reason=reason)


def encode_countdown(*, uuid: UUID | str, process: str, asked_at_ms: int, user_id: int, until: int) -> bytes:
    return _body("countdown", uuid, process, asked_at_ms, user_id, until=until)


def encode_fees(
    *, uuid: UUID | str, process: str, asked_at_ms: int, user_id: int, maker_fee_ppm: int, taker_fee_ppm: int
) -> bytes:
    """`user_id` is the customer whose tier it is."""
    return _body("fees", uuid, process, asked_at_ms, user_id, maker=maker_fee_ppm, taker=taker_fee_ppm)


def encode_market_open(
    *, uuid: UUID | str, process: str, asked_at_ms: int, user_id: int, market: Market, state: int
) -> bytes:
    return _body(
        "market_open", uuid, process, asked_at_ms, user_id, market=market.id, rules=_rules_of(market), state=state
    )


def encode_market(*, uuid: UUID | str, process: str, asked_at_ms: int, user_id: int, market: Market) -> bytes:
    """`user_id` is the member of staff who asks, here and in `encode_market_state`."""
    return _body("market", uuid, process, asked_at_ms, user_id, market=market.id, rules=_rules_of(market))


def encode_market_state(
    *, uuid: UUID | str, process: str, asked_at_ms: int, user_id: int, market_id: int, state: int
) -> bytes:
    return _body("market_state", uuid, process, asked_at_ms, user_id, market=market_id, state=state)


def encode_tick(*, uuid: UUID | str, process: str, asked_at_ms: int, user_id: int) -> bytes:
    return _body("tick", uuid, process, asked_at_ms, user_id)


def _stated(terms: Terms) -> dict[str, int | bool]:
    """What differs from a plain order."""
    said: dict[str, int | bool] = {
        "post_only": terms.post_only, "display": terms.display_lots, "stop": terms.stop_price,
        "trail_ticks": terms.trail_ticks, "trail_ppm": terms.trail_ppm, "slippage": terms.slippage_ppm,
        "expires_at": terms.expires_at,
    }  # fmt: skip
    stated = {name: value for name, value in said.items() if value}
    if terms.self_trade != CANCEL_NEWEST:
        stated["self_trade"] = int(terms.self_trade)
    return stated


def _rules_of(market: Market) -> dict[str, int | str]:
    return {
        "base": market.base_asset_id, "quote": market.quote_asset_id, "lot": str(market.lot_base_units),
        "tick": str(market.tick_quote_units), "maker": market.maker_fee_ppm, "taker": market.taker_fee_ppm,
        "min": str(market.min_notional), "band": market.band_ppm, "slippage": market.slippage_ppm,
        "max_open": market.max_open_orders,
    }  # fmt: skip
