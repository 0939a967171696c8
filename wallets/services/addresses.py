"""Addresses for customers, derived from account xpubs in the web process: no seed is anywhere near.

The next index is taken under the lock of the xpub's row, so indexes have no gaps and commit in order; the watch set
relies on that order. On EVM networks, where one key has one address everywhere, an address is made on all of them at
once. What must never happen here: one address for two people, or one that is handed out before its row is committed.
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

COPIED_AT_ONCE = 2_000


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
        accounts = _locked_accounts(link)
        # Somebody may have made it while we waited for the lock.
        if (address := mine.first()) is not None:
            return address
        index = max(account.next_index for account in accounts)
        for account in accounts:
            _make(account, user_id=user_id, index=index, reference=reference, now=now)
    return mine.get()


def _locked_accounts(link: AssetNetworkView) -> list[Xpub]:
    """The account that makes this network's addresses and, on an EVM network, the same account of every other one, locked.

    One key has the same address on all of them. It belongs to one customer everywhere, so that what he sends over another network
    than he chose comes to an address of his own there, and never to somebody else's.
    """
    current = Xpub.objects.filter(purpose=Xpub.Purpose.DEPOSIT, retired_at=None)
    here = current.filter(network_id=link.network_id).first()
    if here is None:
        raise DepositsUnavailable("Deposits over this network are not set up yet.", param="network")
    kin = [network.id for network in assets.networks() if network.family == "evm" and network.family == link.family]
    same = Xpub.objects.filter(network_id__in={link.network_id, *kin}, xpub=here.xpub)
    return list(same.select_for_update().order_by("id"))


def _make(account: Xpub, *, user_id: int, index: int, reference: str, now: datetime) -> None:
    taken = Address.objects.filter(
        owner_id=user_id, network_id=account.network_id, purpose=Address.Purpose.DEPOSIT, reference=reference
    )
    if taken.exists():
        # He has one here of an older account. This one is watched for him beside it.
        reference = _beside(reference, account, index)
    derived = nodes.rules(routes.codes()[account.network_id]).derive(account.xpub, index=index)
    Address.objects.create(
        network_id=account.network_id,
        address=derived.text,
        script=derived.key,
        purpose=Address.Purpose.DEPOSIT,
        owner_id=user_id,
        xpub=account,
        branch=0,
        index=index,
        reference=reference,
        created_at=now,
    )
    account.next_index = index + 1
    account.save(update_fields=["next_index"])


def _beside(reference: str, account: Xpub, index: int) -> str:
    return f"{reference[:90]}@{account.pk}:{index}"


def catch_up(*, xpub_id: int) -> int:
    """Gives a network that joined later the addresses that the same account made on the others; how many. In a transaction."""
    account = Xpub.objects.get(pk=xpub_id)
    kin = [network.id for network in assets.networks() if network.family == "evm"]
    if account.network_id not in kin or account.purpose != Xpub.Purpose.DEPOSIT:
        return 0
    same = list(Xpub.objects.select_for_update().filter(network_id__in=kin, xpub=account.xpub).order_by("id"))
    elder = max(same, key=lambda each: each.next_index)
    account = next(each for each in same if each.pk == xpub_id)
    rows = Address.objects.filter(xpub=elder, branch=0, index__gte=account.next_index).order_by("index")
    here = Address.objects.filter(network_id=account.network_id, purpose=Address.Purpose.DEPOSIT)
    taken = set(here.values_list("owner_id", "reference"))
    copies = [
        Address(
            network_id=account.network_id,
            address=row.address,
            script=bytes(row.script),
            purpose=row.purpose,
            owner_id=row.owner_id,
            xpub=account,
            branch=0,
            index=row.index,
            reference=_beside(row.reference, account, row.index)
            if (row.owner_id, row.reference) in taken
            else row.reference,
            created_at=row.created_at,
        )
        for row in rows.iterator(chunk_size=COPIED_AT_ONCE)
    ]
    Address.objects.bulk_create(copies, batch_size=COPIED_AT_ONCE)
    Xpub.objects.filter(pk=xpub_id).update(next_index=elder.next_index)
    return len(copies)
