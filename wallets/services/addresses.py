"""Addresses for customers, derived from account xpubs in the web process: no seed is anywhere near.

The next index is taken under the lock of the xpub's row, so indexes have no gaps and commit in order; the watch set
relies on that order. What must never happen here: one address for two people, or an address that is handed out before
its row is committed.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from exchange.assets import selectors as assets
from exchange.assets.selectors import AssetNetworkView
from exchange.core.errors import InvalidRequest, Unavailable
from wallets import nodes, routes
from wallets.models import Address, Xpub
from wallets.records import AddressView, address_view


class NetworkDisabled(Unavailable):
    code = "network_disabled"


class DepositsUnavailable(Unavailable):
    code = "deposits_unavailable"


class ReferenceInvalid(InvalidRequest):
    code = "reference_invalid"


def deposit_address(*, user_id: int, asset: str, network: str, now: datetime) -> AddressView:
    """The customer's address for this asset and network, made at the first call. One a network: tokens share it.

    Raises AssetNotFound, NetworkNotFound, NetworkDisabled, DepositsUnavailable.
    """
    link = _usable_link(asset=asset, network=network)
    return address_view(_get_or_make(user_id=user_id, link=link, reference="", now=now), link)


def fresh(*, user_id: int, asset: str, network: str, reference: str, now: datetime) -> AddressView:
    """An address for one purpose of this customer's, such as an invoice; the same reference gives the same address."""
    if not reference or len(reference) > 120:
        raise ReferenceInvalid("A reference has 1 to 120 characters.", param="reference")
    link = _usable_link(asset=asset, network=network)
    return address_view(_get_or_make(user_id=user_id, link=link, reference=reference, now=now), link)


def _usable_link(*, asset: str, network: str) -> AssetNetworkView:
    link = assets.asset_network(asset=asset, network=network)
    if not routes.usable(link):
        raise NetworkDisabled(f"{asset} over {network} is switched off at the moment.", param="network")
    return link


def _get_or_make(*, user_id: int, link: AssetNetworkView, reference: str, now: datetime) -> Address:
    mine = Address.objects.filter(
        owner_id=user_id, network_id=link.network_id, purpose=Address.Purpose.DEPOSIT, reference=reference
    )
    if (address := mine.first()) is not None:
        return address
    with transaction.atomic():
        xpub = (
            Xpub.objects.select_for_update()
            .filter(network_id=link.network_id, purpose=Xpub.Purpose.DEPOSIT, retired_at=None)
            .first()
        )
        if xpub is None:
            raise DepositsUnavailable("Deposits over this network are not set up yet.", param="network")
        # Somebody may have made it while we waited for the lock.
        if (address := mine.first()) is not None:
            return address
        derived = nodes.rules(link.network).derive(xpub.xpub, index=xpub.next_index)
        address = Address.objects.create(
            network_id=link.network_id,
            address=derived.text,
            script=derived.key,
            purpose=Address.Purpose.DEPOSIT,
            owner_id=user_id,
            xpub=xpub,
            branch=0,
            index=xpub.next_index,
            reference=reference,
            created_at=now,
        )
        xpub.next_index += 1
        xpub.save(update_fields=["next_index"])
    return address
