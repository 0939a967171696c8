"""What a shard trades: its markets, and the house's own accounts in their assets. It grows while the engine runs.

What must never happen here: a market of another shard, or an account opened within the engine's own transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from exchange.ledger.journal import Kind
from exchange.ledger.services import accounts as ledger_accounts
from trading import selectors
from trading.engine.rules import Market, MarketState
from trading.presentation import MARKET_STATES, MarketView

_STATES = {name: MarketState(number) for number, name in MARKET_STATES.items()}


class Markets:
    """The shard's markets by id. `fees` and `rebates`: the house's accounts by asset, one each for the shard, so that shards
    never wait for one row."""

    def __init__(self, shard: int, *, clock: Callable[[], datetime]) -> None:
        self.shard = shard
        self.views: dict[int, MarketView] = {}
        self.fees: dict[int, int] = {}
        self.rebates: dict[int, int] = {}
        self._clock = clock
        self.look()

    def look(self) -> None:
        """Read what there is, and open the accounts that are missing."""
        for view in selectors.markets():
            if view.shard == self.shard:
                self.views[view.id] = view
        assets = {asset for view in self.views.values() for asset in (view.base_asset_id, view.quote_asset_id)}
        for asset in sorted(assets - self.fees.keys()):
            self.rebates[asset] = self._open(Kind.HOUSE_REBATES, asset)
            self.fees[asset] = self._open(Kind.HOUSE_FEES, asset)

    def known(self, market: Market) -> bool:
        """Whether there is such a market, with these assets and steps; one that is new is looked for."""
        if market.id not in self.views:
            self.look()
        view = self.views.get(market.id)
        return view is not None and (
            (view.base_asset_id, view.quote_asset_id, view.lot_base_units, view.tick_quote_units)
            == (market.base_asset_id, market.quote_asset_id, market.lot_base_units, market.tick_quote_units)
        )

    def house_accounts(self) -> set[int]:
        return {*self.fees.values(), *self.rebates.values()}

    def _open(self, kind: Kind, asset_id: int) -> int:
        return ledger_accounts.open(kind=kind, asset_id=asset_id, label=f"shard-{self.shard}", now=self._clock())


def rules(view: MarketView) -> Market:
    """The market as the core knows it."""
    return Market(
        id=view.id,
        base_asset_id=view.base_asset_id,
        quote_asset_id=view.quote_asset_id,
        lot_base_units=view.lot_base_units,
        tick_quote_units=view.tick_quote_units,
        maker_fee_ppm=view.maker_fee_ppm,
        taker_fee_ppm=view.taker_fee_ppm,
        min_notional=view.min_notional_units,
        band_ppm=view.band_ppm,
        slippage_ppm=view.slippage_ppm,
        max_open_orders=view.max_open_orders,
    )


def state(view: MarketView) -> MarketState:
    return _STATES[view.state]
