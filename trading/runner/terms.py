"""What an order says beyond a plain one, and where it stands by now, as one JSON value beside its row.

A plain order has none (NULL), so it costs nothing. What must never happen here: something that decides a later match and is
neither in the row nor here, for it would be lost at a restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from trading.engine.book import Order
from trading.engine.commands import PLAIN, Terms
from trading.engine.rules import Kind, SelfTrade

_SELF_TRADE = {int(mode): mode for mode in SelfTrade}


def plain(order: Order) -> bool:
    """Whether the row says everything. The kinds that wait for a trigger have terms, and so have both legs of a pair: the one
    is post-only, the other a stop."""
    return order.terms is PLAIN


def text(order: Order) -> str | None:
    """The JSON for the row; what is zero, or as a plain order has it, is left out. None where nothing is left."""
    terms = order.terms
    said: dict[str, Any] = {
        "post_only": terms.post_only,
        "self_trade": terms.self_trade + 0 if terms.self_trade is not PLAIN.self_trade else 0,
        "display": terms.display_lots,
        "shown": order.shown if terms.display_lots else 0,
        "stop": order.stop_price,
        "trail_ticks": terms.trail_ticks,
        "trail_ppm": terms.trail_ppm,
        "extreme": order.extreme,
        "cap": order.cap,
        "slippage": terms.slippage_ppm,
        "partner": order.partner,
        "expires_at": terms.expires_at,
    }
    stated = {name: value for name, value in said.items() if value}
    return orjson.dumps(stated).decode() if stated else None


def restore(order: Order, stated: Mapping[str, Any]) -> None:
    """Give an order its terms back, and what they came to; but for what it shows, see loading.py."""
    said = stated.get
    stop = said("stop", 0)
    order.terms = Terms(
        bool(said("post_only", False)),
        _SELF_TRADE[said("self_trade", 1)],
        said("display", 0),
        0 if order.kind is Kind.TRAILING_STOP else stop,
        said("trail_ticks", 0),
        said("trail_ppm", 0),
        said("slippage", 0),
        said("expires_at", 0),
    )
    order.stop_price, order.extreme, order.cap, order.partner = (
        stop,
        said("extreme", 0),
        said("cap", 0),
        said("partner", 0),
    )
