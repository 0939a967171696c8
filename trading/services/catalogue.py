"""What this process remembers between two orders: the markets, whether trading is stopped, whose ledger accounts are open.

Only what does not change is trusted from here for long: ids, steps, decimals. Whether a market is open, the engine says each
time; a stop of all trading is obeyed within FRESH_S.
What must never happen here: a balance, or anything else that somebody could trade on while it is stale.
"""

from __future__ import annotations

import time

from exchange.ledger.selectors import stops
from trading import selectors
from trading.presentation import MarketView

FRESH_S = 2.0
ACCOUNTS_MAX = 200_000

_markets: dict[str, MarketView] = {}
_read_at = 0.0
_stopped = False
_with_accounts: set[tuple[int, int]] = set()


def cached(symbol: str) -> MarketView | None:
    """The market, if it was read in the last seconds."""
    if time.monotonic() - _read_at > FRESH_S:
        return None
    return _markets.get(symbol)


def market(symbol: str) -> MarketView:
    """Reads all markets again. Raises MarketNotFound."""
    _refresh()
    view = _markets.get(symbol)
    if view is None:
        raise selectors.MarketNotFound("There is no such market.", param="market")
    return view


def trading_stopped() -> bool:
    """Whether the ledger has a stop on trading, as of the last reading of the markets."""
    return _stopped


def market_by_id(market_id: int) -> MarketView:
    for attempt in (1, 2):
        for view in list(_markets.values()):
            if view.id == market_id:
                return view
        if attempt == 1:
            _refresh()
    raise selectors.MarketNotFound("There is no such market.", param="market")


def has_accounts(user_id: int, view: MarketView) -> bool:
    return (user_id, view.id) in _with_accounts


def note_accounts(user_id: int, view: MarketView) -> None:
    if len(_with_accounts) >= ACCOUNTS_MAX:
        _with_accounts.clear()
    _with_accounts.add((user_id, view.id))


def forget() -> None:
    """For tests, which put the database back."""
    global _read_at
    _markets.clear()
    _with_accounts.clear()
    _read_at = 0.0


def _refresh() -> None:
    global _read_at, _stopped
    _stopped = stops.is_stopped("trading")
    found = {view.symbol: view for view in selectors.markets()}
    _markets.clear()
    _markets.update(found)
    _read_at = time.monotonic()
