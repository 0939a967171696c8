"""What this process remembers between two orders: the markets, whether trading is stopped, whose ledger accounts are open, in
which market a customer's order is.

Only what does not change is trusted from here for long: ids, steps, decimals. Whether a market is open, the engine says each
time; a stop of all trading is obeyed within STALE_S.
What must never happen here: a balance, or anything else that somebody could trade on while it is stale.
"""

from __future__ import annotations

import time
from threading import Lock

from exchange.ledger.selectors import stops
from trading import selectors
from trading.presentation import MarketView

FRESH_S, STALE_S = 1.0, 2.0
ACCOUNTS_MAX = 200_000
ORDERS_MAX = 200_000

_markets: dict[str, MarketView] = {}
_by_id: dict[int, MarketView] = {}
_read_at = _asked_at = 0.0
_stopped = False
_reading = Lock()
_with_accounts: set[tuple[int, int]] = set()
_orders: dict[tuple[int, int], int] = {}


def cached(symbol: str) -> MarketView | None:
    """The market, if it was read in the last seconds. Of many who come when it is older than FRESH_S one is told None, and
    reads it anew; the others need not wait for him while it is younger than STALE_S."""
    global _asked_at
    now = time.monotonic()
    if now - _read_at > FRESH_S and (now - _read_at > STALE_S or now - _asked_at > FRESH_S):
        _asked_at = now
        return None
    return _markets.get(symbol)


def market(symbol: str) -> MarketView:
    """The market, read anew where what is here is too old. Raises MarketNotFound."""
    _refresh(unless=symbol)
    view = _markets.get(symbol)
    if view is None:
        raise selectors.MarketNotFound("There is no such market.", param="market")
    return view


def trading_stopped() -> bool:
    """Whether the ledger has a stop on trading, as of the last reading of the markets."""
    return _stopped


def known(market_id: int) -> MarketView | None:
    """The market by its id, however long ago it was read: good for shapes, for its steps never change."""
    return _by_id.get(market_id)


def market_by_id(market_id: int) -> MarketView:
    """Raises MarketNotFound."""
    if (view := known(market_id)) is None:
        _refresh()
        view = known(market_id)
    if view is None:
        raise selectors.MarketNotFound("There is no such market.", param="market")
    return view


def shards() -> list[int]:
    """Every shard that has a market."""
    if time.monotonic() - _read_at > FRESH_S:
        _refresh()
    return sorted({view.shard for view in _markets.values()})


def cached_shards() -> list[int]:
    """The same, as of the last reading; empty where that is too old."""
    return sorted({view.shard for view in _markets.values()}) if time.monotonic() - _read_at <= FRESH_S else []


def has_shard(shard: int) -> bool:
    """Whether a market of it was seen, by what this process has read."""
    return any(view.shard == shard for view in _markets.values())


def has_accounts(user_id: int, view: MarketView) -> bool:
    return (user_id, view.id) in _with_accounts


def note_accounts(user_id: int, view: MarketView) -> None:
    if len(_with_accounts) >= ACCOUNTS_MAX:
        _with_accounts.clear()
    _with_accounts.add((user_id, view.id))


def market_of(user_id: int, order_id: int) -> MarketView | None:
    """The market of a customer's order, if it passed through this process."""
    market_id = _orders.get((user_id, order_id))
    return None if market_id is None else _by_id.get(market_id)


def note_order(user_id: int, order_id: int, market_id: int) -> None:
    if len(_orders) >= ORDERS_MAX:
        _orders.clear()
    _orders[user_id, order_id] = market_id


def forget() -> None:
    """For tests, which put the database back."""
    global _read_at
    _markets.clear()
    _by_id.clear()
    _with_accounts.clear()
    _orders.clear()
    _read_at = 0.0


def _refresh(*, unless: str | None = None) -> None:
    """Read everything. Of many who find it too old at the same moment, one reads; `unless` names a market that suffices."""
    global _markets, _by_id, _read_at, _stopped
    with _reading:
        if unless in _markets and time.monotonic() - _read_at <= FRESH_S:
            return
        stopped = stops.is_stopped("trading")
        found = selectors.markets()
        _stopped = stopped
        _markets = {view.symbol: view for view in found}
        _by_id = {view.id: view for view in found}
        _read_at = time.monotonic()
