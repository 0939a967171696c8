"""Markets as pages list them: name, last price, change, a day's line.

Prices stay the decimal strings that the trading room made; only the sparkline turns them into coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from exchange.assets import selectors as assets
from exchange.core.errors import NotFound
from exchange.ledger import selectors as ledger
from exchange.site.models import Favourite
from trading import selectors as trading
from trading.presentation import MarketFees, MarketView, TickerView

# Interval, how many candles of it, and how many make a line: a young market has one in minutes first.
SPARKS = (("15m", 96, 16), ("1m", 96, 6))
_SPARK_WIDTH = 104
_SPARK_HEIGHT = 30


class NoMarkets(NotFound):
    """No market has been opened on this exchange yet."""

    code = "no_markets"


@dataclass(frozen=True, slots=True)
class MarketRow:
    """One line of a list of markets; what is not known yet (no trade in a day) is None."""

    symbol: str
    base: str
    quote: str
    base_name: str
    state: str
    price_decimals: int
    last: str | None
    change: str | None
    high: str | None
    low: str | None
    volume: str | None
    quote_volume: str | None
    spark: str
    favourite: bool


@dataclass(frozen=True, slots=True)
class Purse:
    """What a customer has of one of a market's two assets, in base units."""

    code: str
    decimals: int
    available: int


@dataclass(frozen=True, slots=True)
class TradeScreen:
    """A market, the list to switch to another, what the customer pays there, and the two purses (none when nobody is logged in).

    `depositable` are those of the market's two assets that can be paid in.
    """

    market: MarketView
    row: MarketRow
    rows: tuple[MarketRow, ...]
    purses: tuple[Purse, ...]
    fees: MarketFees
    depositable: tuple[str, ...]

    @property
    def first_deposit(self) -> str:
        """What to pay in first, for a customer who has neither of the two; else ""."""
        empty = self.purses and not any(purse.available for purse in self.purses)
        return self.depositable[-1] if empty and self.depositable else ""


def board(*, now: datetime, user_id: int | None = None) -> list[MarketRow]:
    """Every market with its day, those that the customer has starred first. A dozen queries, however many markets."""
    return _rows(trading.markets(), now=now, user_id=user_id, sparks=_sparks(now))


def movers(rows: list[MarketRow]) -> list[MarketRow]:
    """The three to show first: the starred ones, then those that moved most, whichever way."""
    return sorted(rows, key=lambda row: (not row.favourite, -abs(_hundredths(row.change))))[:3]


def _hundredths(change: str | None) -> int:
    return int(change.rstrip("%").replace(".", "")) if change else 0


def first_symbol() -> str:
    """The market that /trade/ opens."""
    markets = trading.markets()
    if not markets:
        raise NoMarkets("No market is open here yet.")
    return markets[0].symbol


def screen(*, symbol: str, user_id: int | None, now: datetime) -> TradeScreen:
    """All that the trade page prints before its feed is connected. Raises MarketNotFound."""
    market = trading.market(symbol)
    rows = tuple(_rows(trading.markets(), now=now, user_id=user_id, sparks={}))
    row = next(each for each in rows if each.symbol == market.symbol)
    return TradeScreen(
        market=market,
        row=row,
        rows=rows,
        purses=_purses(market, user_id),
        fees=_fees(market, user_id),
        depositable=_depositable(market, user_id),
    )


def _rows(markets: list[MarketView], *, now: datetime, user_id: int | None, sparks: dict[int, str]) -> list[MarketRow]:
    names = {asset.code: asset.name for asset in assets.assets(enabled_only=False)}
    tickers = {ticker.market: ticker for ticker in trading.tickers(now=now)}
    starred = _starred(user_id)
    rows = [
        _row(
            market,
            tickers.get(market.symbol),
            names,
            spark=sparks.get(market.id, ""),
            favourite=market.id in starred,
        )
        for market in markets
    ]
    return sorted(rows, key=lambda row: not row.favourite)


def _starred(user_id: int | None) -> set[int]:
    if user_id is None:
        return set()
    return set(Favourite.objects.filter(user_id=user_id).values_list("market_id", flat=True))


def _fees(market: MarketView, user_id: int | None) -> MarketFees:
    if user_id is None:
        return MarketFees(market=market.symbol, maker_fee=market.maker_fee, taker_fee=market.taker_fee)
    return trading.market_fees(user_id, market=market.symbol)


def _depositable(market: MarketView, user_id: int | None) -> tuple[str, ...]:
    if user_id is None:
        return ()
    moving = {link.asset_code for link in assets.asset_networks()}
    return tuple(code for code in (market.base, market.quote) if code in moving)


def _purses(market: MarketView, user_id: int | None) -> tuple[Purse, ...]:
    if user_id is None:
        return ()
    available = {balance.asset_id: balance.available for balance in ledger.balances(owner_id=user_id)}
    return (
        Purse(market.base, market.base_decimals, available.get(market.base_asset_id, 0)),
        Purse(market.quote, market.quote_decimals, available.get(market.quote_asset_id, 0)),
    )


def _row(
    market: MarketView, ticker: TickerView | None, names: dict[str, str], *, spark: str, favourite: bool
) -> MarketRow:
    return MarketRow(
        symbol=market.symbol,
        base=market.base,
        quote=market.quote,
        base_name=names.get(market.base, market.base),
        state=market.state,
        price_decimals=market.price_decimals,
        last=ticker.last if ticker else None,
        change=percent(ticker.change) if ticker else None,
        high=ticker.high if ticker else None,
        low=ticker.low if ticker else None,
        volume=ticker.volume if ticker else None,
        quote_volume=ticker.quote_volume if ticker else None,
        spark=spark,
        favourite=favourite,
    )


def percent(fraction: str | None) -> str | None:
    """A fraction as a signed percentage with two places: "0.0123" is "+1.23%"."""
    if fraction is None:
        return None
    hundredths = (Decimal(fraction) * 10_000).to_integral_value()
    return f"{'-' if hundredths < 0 else '+'}{abs(hundredths) // 100}.{abs(hundredths) % 100:02}%"


def _sparks(now: datetime) -> dict[int, str]:
    """Prices of the last day as the points of an SVG line, by market; none for one too young to have a line."""
    found: dict[int, str] = {}
    for interval, points, enough in SPARKS:
        for market_id, candles in trading.day_lines(interval, points=points, now=now).items():
            if len(candles) >= enough and market_id not in found:
                found[market_id] = _line_of(candles)
    return found


def _line_of(candles: list[tuple[int, int, int]]) -> str:
    return line([Decimal(candles[0][1]), *(Decimal(close) for _, _, close in candles)])


def line(prices: list[Decimal]) -> str:
    """Points of a polyline in the sparkline's box: the highest price at the top, a flat line in the middle."""
    low, high = min(prices), max(prices)
    step = Decimal(_SPARK_WIDTH) / (len(prices) - 1)
    span = high - low
    return " ".join(
        f"{step * index:.1f},{(high - price) / span * _SPARK_HEIGHT if span else Decimal(_SPARK_HEIGHT) / 2:.1f}"
        for index, price in enumerate(prices)
    )
