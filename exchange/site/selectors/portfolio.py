"""A customer's wallet as the page shows it: what is there, what is held, what it is worth, what is on its way.

Base units throughout. What must never happen here: a value shown without the age of its price, or an asset without a price
counted as nothing in a total that claims to be whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from exchange.accounts.second_factors import selectors as factors
from exchange.assets import prices
from exchange.assets import selectors as assets
from exchange.ledger import selectors as ledger
from exchange.site import plots
from exchange.site.selectors import bank, health
from wallets import lifecycle
from wallets import selectors as wallets

STALE_PRICE_S = 300
SHARES_MAX = 6  # what is smaller than the first five is shown as one


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
class Share:
    """A part of all that is there: `code` is "" for what is gathered of the smallest. `number` chooses its colour."""

    code: str
    worth: int
    thousandths: int
    arc: plots.Arc
    number: int

    @property
    def percent(self) -> str:
        return f"{self.thousandths // 10}.{self.thousandths % 10}"


@dataclass(frozen=True, slots=True)
class Portfolio:
    """`total` in base units of `currency`, without the assets in `unpriced`; `down` holds networks that do not answer.

    `protected`: there is a second factor (asked of an empty account only, whose page says what to do next).
    """

    holdings: tuple[Holding, ...]
    shares: tuple[Share, ...]
    total: int
    currency: assets.AssetView
    price_age_s: int | None
    unpriced: tuple[str, ...]
    pending: tuple[wallets.DepositView, ...]
    leaving: tuple[wallets.WithdrawalView, ...]
    bank: tuple[bank.Transfer, ...]
    down: tuple[wallets.NetworkHealthView, ...]
    protected: bool

    @property
    def empty(self) -> bool:
        """Nothing here and nothing coming: the page then says what to do next."""
        under_way = self.pending or self.leaving or self.bank
        return not under_way and all(holding.balance == 0 for holding in self.holdings)

    @property
    def first_deposit(self) -> str:
        """The asset that a button which names none opens."""
        return next((holding.asset.code for holding in self.holdings if holding.depositable), "")

    @property
    def first_withdrawal(self) -> str:
        """The asset that a button which names none opens on the way out: the first that there is some of."""
        own = (holding.asset.code for holding in self.holdings if holding.depositable and holding.available)
        return next(own, self.first_deposit)

    @property
    def stale(self) -> bool:
        return self.price_age_s is not None and self.price_age_s > STALE_PRICE_S


def of(*, user_id: int, currency: assets.AssetView, now: datetime) -> Portfolio:
    """The whole wallet page. Some ten queries, whatever the number of entries behind the balances."""
    balances = {balance.asset_id: balance for balance in ledger.balances(owner_id=user_id)}
    links = {link.asset_id for link in assets.asset_networks()}
    worths = prices.worths(
        amounts={asset_id: each.balance for asset_id, each in balances.items()}, in_code=currency.code, now=now
    )
    holdings = [
        _holding(asset, balances.get(asset.id), worths.get(asset.id), asset.id in links)
        for asset in assets.assets()
        if asset.id in balances or asset.id in links
    ]
    valued = [each for each in holdings if each.worth is not None and each.balance]
    found = Portfolio(
        holdings=tuple(each for each in holdings if each.depositable or each.balance),
        shares=_shares(valued),
        total=sum(each.worth.amount for each in valued if each.worth),
        currency=currency,
        price_age_s=max((each.worth.age_s for each in valued if each.worth), default=None),
        unpriced=tuple(each.asset.code for each in holdings if each.balance and each.worth is None),
        pending=tuple(wallets.pending(user_id)),
        leaving=tuple(each for each in wallets.withdrawals(user_id, limit=20) if each.state not in lifecycle.CLOSED),
        bank=bank.under_way(user_id=user_id),
        down=health.silent(now),
        protected=True,
    )
    return replace(found, protected=factors.has_factor(user_id)) if found.empty else found


def total(*, user_id: int, currency: assets.AssetView, now: datetime) -> int:
    """What all of it is worth now, as the page says. Three queries."""
    amounts = {each.asset_id: each.balance for each in ledger.balances(owner_id=user_id) if each.balance}
    listed = {asset.id for asset in assets.assets()}
    found = prices.worths(amounts=amounts, in_code=currency.code, now=now)
    return sum(each.amount for asset_id, each in found.items() if asset_id in listed)


def _holding(
    asset: assets.AssetView, balance: ledger.Balance | None, worth: prices.Valuation | None, depositable: bool
) -> Holding:
    return Holding(
        asset=asset,
        balance=balance.balance if balance else 0,
        held=balance.held if balance else 0,
        available=balance.available if balance else 0,
        worth=worth,
        depositable=depositable,
    )


def _shares(valued: list[Holding]) -> tuple[Share, ...]:
    """The largest first; the smallest together as the last one."""
    parts = sorted(
        ((each.worth.amount, each.asset.code) for each in valued if each.worth and each.worth.amount), reverse=True
    )
    if len(parts) > SHARES_MAX:
        rest = sum(worth for worth, _ in parts[SHARES_MAX - 1 :])
        parts = [*parts[: SHARES_MAX - 1], (rest, "")]
    cut = plots.shares([worth for worth, _ in parts])
    return tuple(
        Share(code, worth, thousandths, arc, number)
        for number, ((worth, code), thousandths, arc) in enumerate(
            zip(parts, cut, plots.ring(cut), strict=True), start=1
        )
    )
