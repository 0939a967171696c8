"""The withdraw page before anything is asked for: what may be sent, what it costs, what would arrive.

Nothing here moves money, and nothing here is the judge: `wallets.services.withdrawals.request` checks all of it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exchange.assets import prices
from exchange.assets import selectors as assets
from exchange.core import amounts
from exchange.core.errors import InvalidRequest, Unavailable
from exchange.ledger import selectors as ledger
from exchange.site.selectors import health
from wallets import nodes
from wallets import selectors as wallets
from wallets.chains.protocol import AddressInvalid as ChainAddressInvalid
from wallets.chains.protocol import AddressWrongNetwork as ChainAddressWrongNetwork


class NotWithdrawable(Unavailable):
    """The asset moves over no network that is switched on."""

    code = "withdrawals_unavailable"


class AmountTooSmall(InvalidRequest):
    code = "amount_too_small"


class InsufficientFunds(InvalidRequest):
    code = "insufficient_funds"


class AddressInvalid(InvalidRequest):
    code = "address_invalid"


@dataclass(frozen=True, slots=True)
class Terms:
    """What one asset's withdraw page needs to know; amounts in base units."""

    asset: assets.AssetView
    links: tuple[assets.AssetNetworkView, ...]
    available: int
    down: tuple[wallets.NetworkHealthView, ...]
    recent: tuple[wallets.WithdrawalView, ...]
    codes: tuple[str, ...]

    def link(self, network: str) -> assets.AssetNetworkView:
        """The chosen network's terms; raises NetworkNotFound."""
        found = next((link for link in self.links if link.network == network), None)
        return found or assets.asset_network(asset=self.asset.code, network=network)


@dataclass(frozen=True, slots=True)
class Quote:
    """What a withdrawal would do: `amount` arrives, `fee` is ours, `total` leaves the balance, `left` stays."""

    address: str
    amount: int
    fee: int
    total: int
    left: int
    decimals: int
    worth: prices.Valuation | None


def terms(*, user_id: int, asset: str, now: datetime) -> Terms:
    """Raises AssetNotFound, NotWithdrawable."""
    found = assets.asset(asset)
    moving = assets.asset_networks()
    links = tuple(link for link in moving if link.asset_id == found.id)
    if not links:
        raise NotWithdrawable(f"{found.code} cannot be withdrawn at the moment.", param="asset")
    available = next((each.available for each in ledger.balances(owner_id=user_id) if each.asset_id == found.id), 0)
    names = {link.network for link in links}
    return Terms(
        asset=found,
        links=links,
        available=available,
        down=tuple(each for each in health.silent(now) if each.network in names),
        recent=tuple(wallets.withdrawals(user_id, asset=asset, limit=5)),
        codes=tuple(each.code for each in assets.assets() if any(link.asset_id == each.id for link in moving)),
    )


def quote(*, terms: Terms, network: str, address: str, amount: str, now: datetime) -> Quote:
    """Raises AddressInvalid, AmountInvalid and its kin, AmountTooSmall, InsufficientFunds, each naming its parameter."""
    link = terms.link(network)
    destination = _destination(link.network, address)
    decimals = link.decimals
    arrives = amounts.parse(amount.strip().replace(",", ""), decimals=decimals, param="amount")
    if arrives < link.min_withdrawal:
        least = amounts.format(link.min_withdrawal, decimals=decimals)
        raise AmountTooSmall(f"The least you can send is {least} {terms.asset.code}.", param="amount")
    total = arrives + link.withdrawal_fee
    if total > terms.available:
        most = amounts.format(max(0, terms.available - link.withdrawal_fee), decimals=decimals)
        raise InsufficientFunds(
            f"With the fee this is more than you have. The most you can send is {most} {terms.asset.code}.",
            param="amount",
        )
    return Quote(
        address=destination,
        amount=arrives,
        fee=link.withdrawal_fee,
        total=total,
        left=terms.available - total,
        decimals=decimals,
        worth=prices.worth(asset_id=terms.asset.id, amount=arrives, now=now),
    )


def _destination(network: str, address: str) -> str:
    """The address in its canonical form, so that what is looked over is what will be paid."""
    try:
        return str(nodes.rules(network).parse(address.strip()).text)
    except ChainAddressWrongNetwork:
        raise AddressInvalid("This address belongs to another network.", param="address") from None
    except ChainAddressInvalid:
        raise AddressInvalid(f"This is not an address of the {network.title()} network.", param="address") from None
