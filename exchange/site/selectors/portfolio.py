"""A customer's wallet as the page shows it: what is there, what is held, what it is worth, what is on its way.

Base units throughout. What must never happen here: a value shown without the age of its price, or an asset without a price
counted as nothing in a total that claims to be whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exchange.assets import prices
from exchange.assets import selectors as assets
from exchange.ledger import selectors as ledger
from exchange.site.selectors import health
from wallets import lifecycle
from wallets import selectors as wallets

STALE_PRICE_S = 300


@dataclass(frozen=True, slots=True)
class Holding:
    """One asset of a customer, in base units; `worth` is None where no price is known."""

    asset: assets.AssetView
    balance: int
    held: int
    available: int
    worth: prices.Valuation | None
    depositable: bool


@dataclass(frozen=True, slots=True)
class Portfolio:
    """`total` in base units of `total_code`, without the assets in `unpriced`; `down` holds networks that do not answer."""

    holdings: tuple[Holding, ...]
    total: int
    total_code: str
    total_decimals: int
    price_age_s: int | None
    unpriced: tuple[str, ...]
    pending: tuple[wallets.DepositView, ...]
    leaving: tuple[wallets.WithdrawalView, ...]
    down: tuple[wallets.NetworkHealthView, ...]

    @property
    def empty(self) -> bool:
        """Nothing here and nothing coming: the page then says what to do next."""
        return not self.pending and not self.leaving and all(holding.balance == 0 for holding in self.holdings)

    @property
    def first_deposit(self) -> str:
        """The asset that a button which names none opens."""
        return next((holding.asset.code for holding in self.holdings if holding.depositable), "")

    @property
    def stale(self) -> bool:
        return self.price_age_s is not None and self.price_age_s > STALE_PRICE_S


def of(*, user_id: int, now: datetime) -> Portfolio:
    """The whole wallet page. Some ten queries, whatever the number of entries behind the balances."""
    balances = {balance.asset_id: balance for balance in ledger.balances(owner_id=user_id)}
    listed = assets.assets()
    links = {link.asset_id for link in assets.asset_networks()}
    worths = prices.worths(amounts={asset_id: each.balance for asset_id, each in balances.items()}, now=now)
    holdings = []
    for asset in listed:
        balance = balances.get(asset.id)
        depositable = asset.id in links
        if balance is None and not depositable:
            continue
        holdings.append(
            Holding(
                asset=asset,
                balance=balance.balance if balance else 0,
                held=balance.held if balance else 0,
                available=balance.available if balance else 0,
                worth=worths.get(asset.id),
                depositable=depositable,
            )
        )
    dollars = assets.asset(prices.REFERENCE)
    valued = [each for each in holdings if each.worth is not None and each.balance]
    return Portfolio(
        holdings=tuple(each for each in holdings if each.depositable or each.balance),
        total=sum(each.worth.amount for each in valued if each.worth),
        total_code=dollars.code,
        total_decimals=dollars.decimals,
        price_age_s=max((each.worth.age_s for each in valued if each.worth), default=None),
        unpriced=tuple(each.asset.code for each in holdings if each.balance and each.worth is None),
        pending=tuple(wallets.pending(user_id)),
        leaving=tuple(each for each in wallets.withdrawals(user_id, limit=20) if each.state not in lifecycle.CLOSED),
        down=health.silent(now),
    )
