"""Markets as pages list them: name, last price, change, a day's line.

Prices stay the decimal strings that the trading room made; only the sparkline turns them into coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from exchange.assets import selectors as assets
from exchange.core.errors import NotFound
from exchange.ledger import selectors as ledger
from trading import selectors as trading
from trading.presentation import CandleView, MarketView, TickerView

SPARK_INTERVALS = ("15m", "1m")
SPARK_POINTS = 96
SPARK_ENOUGH = 16
SPARK_LEAST = 6
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


@dataclass(frozen=True, slots=True)
class Purse:
    """What a customer has of one of a market's two assets, in base units."""

    code: str
    decimals: int
    available: int


@dataclass(frozen=True, slots=True)
class TradeScreen:
    """A market, the list to switch to another, and the customer's two purses (none when nobody is logged in)."""

    market: MarketView
    row: MarketRow
    rows: tuple[MarketRow, ...]
    purses: tuple[Purse, ...]


def board(*, now: datetime) -> list[MarketRow]:
    """Every market with its day. Some queries for each market: its ticker, and one or two for its line."""
    names = {asset.code: asset.name for asset in assets.assets(enabled_only=False)}
    tickers = {ticker.market: ticker for ticker in trading.tickers(now=now)}
    return [
        _row(market, tickers.get(market.symbol), names, spark=_spark(market.symbol, now))
        for market in trading.markets()
    ]


def first_symbol() -> str:
    """The market that /trade/ opens."""
    markets = trading.markets()
    if not markets:
        raise NoMarkets("No market is open here yet.")
    return markets[0].symbol


def screen(*, symbol: str, user_id: int | None, now: datetime) -> TradeScreen:
    """All that the trade page prints before its feed is connected. Raises MarketNotFound."""
    market = trading.market(symbol)
    names = {asset.code: asset.name for asset in assets.assets(enabled_only=False)}
    tickers = {ticker.market: ticker for ticker in trading.tickers(now=now)}
    rows = tuple(_row(each, tickers.get(each.symbol), names, spark="") for each in trading.markets())
    row = next(each for each in rows if each.symbol == market.symbol)
    return TradeScreen(market=market, row=row, rows=rows, purses=_purses(market, user_id))


def _purses(market: MarketView, user_id: int | None) -> tuple[Purse, ...]:
    if user_id is None:
        return ()
    available = {balance.asset_id: balance.available for balance in ledger.balances(owner_id=user_id)}
    return (
        Purse(market.base, market.base_decimals, available.get(market.base_asset_id, 0)),
        Purse(market.quote, market.quote_decimals, available.get(market.quote_asset_id, 0)),
    )


def _row(market: MarketView, ticker: TickerView | None, names: dict[str, str], *, spark: str) -> MarketRow:
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
    )


def percent(fraction: str | None) -> str | None:
    """A fraction as a signed percentage with two places: "0.0123" is "+1.23%"."""
    if fraction is None:
        return None
    hundredths = (Decimal(fraction) * 10_000).to_integral_value()
    return f"{'-' if hundredths < 0 else '+'}{abs(hundredths) // 100}.{abs(hundredths) % 100:02}%"


def _spark(symbol: str, now: datetime) -> str:
    """Prices of the last day as the points of an SVG line: empty for a market too young to have one."""
    day_ago = now - timedelta(days=1)
    candles: list[CandleView] = []
    for interval in SPARK_INTERVALS:
        found = trading.candles(symbol, interval, limit=SPARK_POINTS, now=now)
        candles = [candle for candle in found if candle.time >= day_ago]
        if len(candles) >= SPARK_ENOUGH:
            break
    if len(candles) < SPARK_LEAST:
        return ""
    return line([Decimal(candles[0].open), *(Decimal(candle.close) for candle in candles)])


def line(prices: list[Decimal]) -> str:
    """Points of a polyline in the sparkline's box: the highest price at the top, a flat line in the middle."""
    low, high = min(prices), max(prices)
    step = Decimal(_SPARK_WIDTH) / (len(prices) - 1)
    span = high - low
    return " ".join(
        f"{step * index:.1f},{(high - price) / span * _SPARK_HEIGHT if span else Decimal(_SPARK_HEIGHT) / 2:.1f}"
        for index, price in enumerate(prices)
    )
