"""Names of the websocket's channels: "book:BTC-USDT", "book:BTC-USDT:20", "candles:BTC-USDT:1m", "orders".

Pure. What must never happen here: a channel that another customer's data could come through; private channels carry no
account in their name, they are always the reader's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from exchange.core.errors import InvalidRequest
from trading.candles import BY_LENGTH

OF_A_MARKET = frozenset({"book", "bbo", "trades", "ticker", "candles", "market"})
PUBLIC = frozenset({"tickers", "prices"})
PRIVATE = frozenset({"orders", "fills", "balances", "notifications"})
DEPTHS = (5, 10, 20, 50, 100)
_DEPTHS = frozenset(map(str, DEPTHS))


class ChannelInvalid(InvalidRequest):
    """There is no such channel."""

    code = "channel_invalid"


@dataclass(frozen=True, slots=True)
class Channel:
    """One stream of messages that can be subscribed to. `detail` is a candle's interval or a book's depth."""

    kind: str
    market: str = ""
    detail: str = ""

    @property
    def name(self) -> str:
        return ":".join(part for part in (self.kind, self.market, self.detail) if part)

    @property
    def private(self) -> bool:
        return self.kind in PRIVATE

    @property
    def of_the_sequence(self) -> bool:
        """Is it made from the market's numbered messages, so that a hole in them is a hole in it?"""
        return self.kind in ("book", "bbo", "trades", "candles")


def parse(name: object) -> Channel:
    """The channel of that name; whether its market exists is for the reader of markets to say. Raises ChannelInvalid."""
    if isinstance(name, str) and len(name) <= 60:
        kind, *rest = name.split(":")
        if kind in PUBLIC | PRIVATE and not rest:
            return Channel(kind)
        if kind in OF_A_MARKET - {"candles"} and len(rest) == 1 and rest[0]:
            return Channel(kind, rest[0])
        if len(rest) == 2 and rest[0] and rest[1] in {"candles": BY_LENGTH, "book": _DEPTHS}.get(kind, ()):
            return Channel(kind, rest[0], rest[1])
    shown = repr(name)[:70]
    raise ChannelInvalid(
        f"There is no channel {shown}. There are book:MARKET, book:MARKET:DEPTH ({', '.join(map(str, DEPTHS))}), bbo:MARKET, "
        f"trades:MARKET, ticker:MARKET, market:MARKET, candles:MARKET:INTERVAL ({', '.join(BY_LENGTH)}), "
        f"{', '.join(sorted(PUBLIC | PRIVATE))}.",
        param="channels",
    )
