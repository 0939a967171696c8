"""The channels of the websocket: what each sends, with an example of each message.

A test holds this table and `marketdata.channels` together, and every message of a live server to these schemas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trading.asyncapi.schemas import Schema, listed, nullable, record, ref
from trading.candles import BY_LENGTH
from trading.marketdata.channels import DEPTHS

WHEN = "2026-11-20T06:00:00.000000Z"
MARKET_PATTERN = "[A-Z0-9]+-[A-Z0-9]+"
_MARKET: dict[str, Schema] = {"market": {"type": "string"}}
_SIDES: dict[str, Schema] = {"bids": listed(ref("Level")), "asks": listed(ref("Level"))}
_U: dict[str, Schema] = {"u": {"type": "integer"}, "time": ref("Time")}
GAP = record(
    {
        "reason": {"type": "string", "enum": ["feed", "slow_reader"]},
        "expected": {"type": "integer"},
        "received": {"type": "integer"},
    },
    optional=("expected", "received"),
    description="Updates were lost: throw away what you have, a snapshot follows.",
)


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of channel. `address` names it with its parameters; `example` is a name that a client might ask for."""

    address: str
    example: str
    summary: str
    snapshot: Schema
    update: Schema
    snapshot_example: dict[str, Any]
    update_example: dict[str, Any]
    private: bool = False

    @property
    def kind(self) -> str:
        return self.address.partition(":")[0]

    @property
    def key(self) -> str:
        """A name for it in the document."""
        return "bookDepth" if "{depth}" in self.address else self.kind

    @property
    def pattern(self) -> str:
        """Of its channels' names."""
        parts = {
            "{market}": MARKET_PATTERN,
            "{depth}": f"({'|'.join(map(str, DEPTHS))})",
            "{interval}": f"({'|'.join(BY_LENGTH)})",
        }
        pattern = self.address
        for part, meant in parts.items():
            pattern = pattern.replace(part, meant)
        return pattern


TRADE = {"id": 4096, "price": "60000", "quantity": "0.2", "side": "buy", "time": WHEN}
CANDLE = {
    "time": WHEN, "open": "60000", "high": "60000", "low": "60000", "close": "60000", "volume": "0.2", "quote_volume": "12000",
}  # fmt: skip
TICKER = {
    "market": "BTC-USDT", "last": "60000", "bid": "59990", "ask": "60000", "open": "60000", "high": "60000", "low": "60000",
    "volume": "0.2", "quote_volume": "12000", "change": "0", "time": WHEN,
}  # fmt: skip
RULES = {
    "symbol": "BTC-USDT", "base": "BTC", "quote": "USDT", "state": "open", "tick_size": "0.01", "lot_size": "0.0001",
    "price_decimals": 2, "quantity_decimals": 4, "maker_fee": "0.001", "taker_fee": "0.002", "min_notional": "5",
    "price_band": "20", "slippage": "5", "max_open_orders": 200,
}  # fmt: skip
ORDER = {
    "id": 5120, "client_order_id": "spring-1", "market": "BTC-USDT", "side": "sell", "type": "limit", "time_in_force": "GTC",
    "price": "61000", "quantity": "0.5", "quote_amount": None, "filled_quantity": "0", "filled_quote": "0",
    "average_price": None, "fee": "0", "fee_asset": "USDT", "stop_price": None, "trail": None, "trail_percent": None,
    "display_quantity": None, "post_only": False, "self_trade": "cancel_newest", "slippage": None, "expires_at": None,
    "oco_order_id": None, "state": "open", "reason": "", "created_at": WHEN, "updated_at": WHEN,
}  # fmt: skip
FILL = {
    "id": 4096, "order_id": 3072, "market": "BTC-USDT", "side": "sell", "role": "maker", "price": "60000", "quantity": "0.2",
    "quote_amount": "12000", "fee": "12", "fee_asset": "USDT", "time": WHEN,
}  # fmt: skip
BALANCE = {"asset": "BTC", "balance": "9.8", "held": "0.3", "available": "9.5"}
PRICE = {"asset": "BTC", "currency": "USD", "price": "60000", "as_of": WHEN, "source": "coinmarketcap"}
_BOOK = {"market": "BTC-USDT", "u": 7, "time": WHEN, "bids": [["59990", "0.1"]], "asks": [["60000", "0.3"]]}
_DIFF = {"market": "BTC-USDT", "U": 8, "u": 8, "time": WHEN, "bids": [["59990", "0"]], "asks": []}
_BEST = {"market": "BTC-USDT", "u": 7, "time": WHEN, "bid": ["59990", "0.1"], "ask": ["60000", "0.3"]}
_DEPTH = {"market": "BTC-USDT", "depth": 5, **{name: value for name, value in _BOOK.items() if name != "market"}}


def _rows(name: str, schema: str, **more: Schema) -> Schema:
    return record({**more, name: listed(ref(schema))})


def _of_rows(name: str, schema: str, row: dict[str, Any]) -> dict[str, Any]:
    """Snapshot and update of a private or shared channel that lists rows."""
    rows = _rows(name, schema)
    return {"snapshot": rows, "update": rows, "snapshot_example": {name: [row]}, "update_example": {name: [row]}}


NOTIFICATION = {
    "id": 7, "kind": "deposit_credited", "title": "Deposit of 0.5 BTC credited",
    "body": "0.5 BTC arrived over bitcoin and can be used now.", "link": "/wallet/history/", "created_at": WHEN, "read": False,
}  # fmt: skip
_NOTIFICATIONS_SCHEMA = _rows("notifications", "Notification", unread={"type": "integer", "minimum": 0, "maximum": 100})
_NOTIFICATIONS = {"unread": 1, "notifications": [NOTIFICATION]}

_BOOK_SCHEMA = record({**_MARKET, **_U, **_SIDES})
_DIFF_SCHEMA = record({**_MARKET, "U": {"type": "integer"}, **_U, **_SIDES})
_DEPTH_SCHEMA = record({**_MARKET, "depth": {"type": "integer"}, **_U, **_SIDES})
_BEST_SCHEMA = record({**_MARKET, **_U, "bid": nullable(ref("Level")), "ask": nullable(ref("Level"))})
_TRADES_SCHEMA = _rows("trades", "Trade", **_MARKET)
_CANDLES_SCHEMA = _rows("candles", "Candle", **_MARKET, interval={"type": "string", "enum": list(BY_LENGTH)})
_CANDLES = {"market": "BTC-USDT", "interval": "1m", "candles": [CANDLE]}

STREAMS = (
    Stream(
        "book:{market}", "book:BTC-USDT",
        "The order book: a snapshot of up to 1,000 levels a side that stands at the published `u`, then differences. Each covers "
        'the numbers `U` to `u`; quantities are absolute, "0" takes the level away. A level beyond the snapshot is told when it '
        "changes.",
        _BOOK_SCHEMA, _DIFF_SCHEMA, _BOOK, _DIFF,
    ),
    Stream(
        "book:{market}:{depth}", "book:BTC-USDT:5",
        "The best levels of each side, whole in every message, at most ten times a second.",
        _DEPTH_SCHEMA, _DEPTH_SCHEMA, _DEPTH, {**_DEPTH, "u": 8, "bids": [["59980", "0.4"]]},
    ),
    Stream(
        "bbo:{market}", "bbo:BTC-USDT",
        "Best bid and best ask with their quantities, each time one of them changes; null where that side is empty.",
        _BEST_SCHEMA, _BEST_SCHEMA, _BEST, {**_BEST, "u": 8, "bid": None},
    ),
    Stream(
        "trades:{market}", "trades:BTC-USDT", "The last 50 trades, then new ones; oldest first. `side` is the taker's.",
        _TRADES_SCHEMA, _TRADES_SCHEMA, {"market": "BTC-USDT", "trades": [TRADE]},
        {"market": "BTC-USDT", "trades": [{**TRADE, "id": 5120}]},
    ),
    Stream(
        "candles:{market}:{interval}", "candles:BTC-USDT:1m",
        "The last 300 candles without a gap, oldest first, then those that changed or opened: replace by `time`. A candle closes "
        "when the next one opens, by the clock, also where nothing trades. One that has closed may be told once more, should its "
        "last trade arrive late.",
        _CANDLES_SCHEMA, _CANDLES_SCHEMA, _CANDLES, _CANDLES,
    ),
    Stream(
        "ticker:{market}", "ticker:BTC-USDT",
        "The last 24 hours, to the second; told when it changes, at most once a second.",
        ref("Ticker"), ref("Ticker"), TICKER, TICKER,
    ),
    Stream(
        "tickers", "tickers", "The same of all markets; an update has those that changed.",
        **_of_rows("tickers", "Ticker", TICKER),
    ),
    Stream(
        "market:{market}", "market:BTC-USDT", "A market's rules and state. A halt shows at once.",
        ref("Market"), ref("Market"), RULES, {**RULES, "state": "halted"},
    ),
    Stream("prices", "prices", "What each asset costs, then those that changed.", **_of_rows("prices", "Price", PRICE)),
    Stream(
        "orders", "orders",
        "Open and waiting orders, then each order that changed, whole: `state` says whether it still lives.",
        **_of_rows("orders", "Order", ORDER), private=True,
    ),
    Stream(
        "fills", "fills", "The last 50 fills, oldest first, then new ones.", **_of_rows("fills", "Fill", FILL), private=True
    ),
    Stream(
        "balances", "balances", "All balances, then those that changed.", **_of_rows("balances", "Balance", BALANCE),
        private=True,
    ),
    Stream(
        "notifications", "notifications",
        "The newest five and how many are unread, counted up to a hundred; then each new one. After some were marked as read, a "
        "snapshot again.",
        _NOTIFICATIONS_SCHEMA, _NOTIFICATIONS_SCHEMA, _NOTIFICATIONS, _NOTIFICATIONS, private=True,
    ),
)  # fmt: skip
