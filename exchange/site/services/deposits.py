"""The deposit page in one call: the customer's address on a network (made on the first visit) and what is on its way to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exchange.assets import selectors as assets
from exchange.core.errors import DomainError, Unavailable
from exchange.site.selectors import health
from wallets import selectors as wallets
from wallets.services import addresses

RECENT = 10


class NotDepositable(Unavailable):
    """The asset moves over no network that is switched on."""

    code = "deposits_unavailable"


@dataclass(frozen=True, slots=True)
class Choice:
    """One network the asset can come over; `usual_s` until a deposit is credited, None where the network alone decides."""

    link: assets.AssetNetworkView
    usual_s: int | None


@dataclass(frozen=True, slots=True)
class DepositPage:
    """`address` is None where none can be had now; `trouble` then says why."""

    asset: assets.AssetView
    link: assets.AssetNetworkView
    choices: tuple[Choice, ...]
    network: assets.NetworkView
    address: wallets.AddressView | None
    trouble: str
    deposits: tuple[wallets.DepositView, ...]
    down: tuple[wallets.NetworkHealthView, ...]
    codes: tuple[str, ...]


def open_page(*, user_id: int, asset: str, network: str | None, now: datetime) -> DepositPage:
    """Raises AssetNotFound, NetworkNotFound or NotDepositable."""
    found = assets.asset(asset)
    moving = assets.asset_networks()
    links = tuple(link for link in moving if link.asset_id == found.id)
    if not links:
        raise NotDepositable(f"{found.code} cannot be deposited at the moment.", param="asset")
    link = assets.asset_network(asset=asset, network=network) if network else links[0]
    known = {each.code: each for each in assets.networks()}
    address, trouble = _address(user_id, found.code, link.network, now)
    return DepositPage(
        asset=found,
        link=link,
        choices=tuple(_choice(each, known[each.network]) for each in links),
        network=known[link.network],
        address=address,
        trouble=trouble,
        deposits=recent(user_id=user_id, asset=asset),
        down=tuple(each for each in health.silent(now) if each.network == link.network),
        codes=tuple(each.code for each in assets.assets() if any(link.asset_id == each.id for link in moving)),
    )


def _choice(link: assets.AssetNetworkView, network: assets.NetworkView) -> Choice:
    return Choice(link, None if link.finalized else link.confirmations * network.block_seconds)


def recent(*, user_id: int, asset: str) -> tuple[wallets.DepositView, ...]:
    """The last deposits of one asset, newest first."""
    return tuple(wallets.deposits(user_id, asset=asset, limit=RECENT))


def _address(user_id: int, asset: str, network: str, now: datetime) -> tuple[wallets.AddressView | None, str]:
    try:
        return addresses.deposit_address(user_id=user_id, asset=asset, network=network, now=now), ""
    except DomainError as error:
        if error.status != Unavailable.status:
            raise
        return None, error.message
