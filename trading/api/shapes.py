"""What the API shows of markets, orders and trades. Orders, fills, trades, candles and tickers go out as the engine's own
messages do (`presentation.message`), so REST and websocket cannot differ; a market shows less than we know of it.

What must never happen here: a number for an amount (they are decimal strings), or an account's id in anybody's answer.
"""

from __future__ import annotations

from typing import Any

from trading.presentation import BookView, FeesView, MarketView, message

order = fill = trade = candle = ticker = message


def market(view: MarketView) -> dict[str, Any]:
    return {
        "symbol": view.symbol,
        "base": view.base,
        "quote": view.quote,
        "state": view.state,
        "tick_size": view.tick_size,
        "lot_size": view.lot_size,
        "price_decimals": view.price_decimals,
        "quantity_decimals": view.quantity_decimals,
        "maker_fee": view.maker_fee,
        "taker_fee": view.taker_fee,
        "min_notional": view.min_notional,
        "price_band": view.price_band,
        "slippage": view.slippage,
        "max_open_orders": view.max_open_orders or None,
    }


def book(view: BookView) -> dict[str, Any]:
    return {"market": view.market, "u": view.u, "bids": view.bids, "asks": view.asks}


def fees(view: FeesView) -> dict[str, Any]:
    markets = [{"market": of.market, "maker_fee": of.maker_fee, "taker_fee": of.taker_fee} for of in view.markets]
    return {
        "tier": view.tier,
        "volume": view.volume,
        "currency": view.currency,
        "maker_fee": view.maker_fee,
        "taker_fee": view.taker_fee,
        "next_tier": view.next_tier,
        "next_volume": view.next_volume,
        "markets": markets,
    }
