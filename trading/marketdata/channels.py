"""Names of the websocket's channels: "book:BTC-USDT", "candles:BTC-USDT:1m", "orders".

Pure. What must never happen here: a channel that another customer's data could come through; private channels carry no
account in their name, they are always the reader's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from exchange.core.errors import InvalidRequest
from trading.candles import INTERVALS

OF_A_MARKET = frozenset({"book", "trades", "ticker", "candles"})
PUBLIC = frozenset({"tickers", "prices"})
PRIVATE = frozenset({"orders", "fills", "balances"})


class ChannelInvalid(InvalidRequest):
    """There is no such channel."""

    code = "channel_invalid"


@dataclass(frozen=True, slots=True)
class Channel:
    """One stream of messages that can be subscribed to."""

    kind: str
    market: str = ""
    interval: str = ""

    @property
    def name(self) -> str:
        return ":".join(part for part in (self.kind, self.market, self.interval) if part)

    @property
    def private(self) -> bool:
        return self.kind in PRIVATE


def parse(name: object) -> Channel:
    """The channel of that name; whether its market exists is for the reader of markets to say. Raises ChannelInvalid."""
    if isinstance(name, str) and len(name) <= 60:
        kind, *rest = name.split(":")
        if kind in PUBLIC | PRIVATE and not rest:
            return Channel(kind)
        if kind in OF_A_MARKET - {"candles"} and len(rest) == 1 and rest[0]:
            return Channel(kind, rest[0])
        if kind == "candles" and len(rest) == 2 and rest[0] and rest[1] in INTERVALS:
            return Channel(kind, rest[0], rest[1])
    shown = repr(name)[:70]
    raise ChannelInvalid(
        f"There is no channel {shown}. There are book:MARKET, trades:MARKET, ticker:MARKET, candles:MARKET:INTERVAL "
        f"({', '.join(INTERVALS)}), {', '.join(sorted(PUBLIC | PRIVATE))}.",
        param="channels",
    )
