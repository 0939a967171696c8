"""What the house decides: markets, their rules and states, and customers' tiers. Obeyed by the very next command."""

from __future__ import annotations

from trading.engine.book import Book, Rates
from trading.engine.checks import MARKET_NOT_FOUND
from trading.engine.commands import OpenMarket, SetFees, SetMarket, SetMarketState
from trading.engine.events import Event, FeesSet, MarketOpened, MarketSet, MarketStateSet, Refused
from trading.engine.rules import fees_are_possible
from trading.engine.state import State
from trading.engine.undo import FeesChanged, MarketChanged

MARKET_EXISTS = "market_exists"
MARKET_DIFFERS = "market_differs"
FEES_INVALID = "fees_invalid"


def open_market(state: State, command: OpenMarket) -> list[Event]:
    """A new market."""
    market = command.market
    if market.id in state.books:
        return [Refused(MARKET_EXISTS)]
    state.log.append(MarketChanged(market.id, None))
    state.books[market.id] = Book(market, command.state)
    return [MarketOpened(market.id, command.state)]


def set_market(state: State, command: SetMarket) -> list[Event]:
    """New rules. What a lot and a tick move can never change: the holds of the open orders are made of them."""
    market = command.market
    book = state.books.get(market.id)
    if book is None:
        return [Refused(MARKET_NOT_FOUND)]
    if _fixed(book) != (market.base_asset_id, market.quote_asset_id, market.lot_base_units, market.tick_quote_units):
        return [Refused(MARKET_DIFFERS)]
    state.log.append(MarketChanged(market.id, book))
    book.market = market
    return [MarketSet(market.id)]


def _fixed(book: Book) -> tuple[int, int, int, int]:
    market = book.market
    return market.base_asset_id, market.quote_asset_id, market.lot_base_units, market.tick_quote_units


def set_market_state(state: State, command: SetMarketState) -> list[Event]:
    """Open, narrow or halt a market."""
    book = state.books.get(command.market_id)
    if book is None:
        return [Refused(MARKET_NOT_FOUND)]
    state.log.append(MarketChanged(command.market_id, book))
    book.state = command.state
    return [MarketStateSet(command.market_id, command.state)]


def set_fees(state: State, command: SetFees) -> list[Event]:
    """A customer's tier, from the next fill on."""
    if not fees_are_possible(command.maker_fee_ppm, command.taker_fee_ppm):
        return [Refused(FEES_INVALID)]
    account = state.account(command.user_id)
    state.log.append(FeesChanged(account))
    account.rates = Rates(command.maker_fee_ppm, command.taker_fee_ppm)
    return [FeesSet(command.user_id, command.maker_fee_ppm, command.taker_fee_ppm)]
