"""The cold wallets: proposed by one member of staff, taken into use by another who reads its first address off the device.

Only public keys come in, and every address that is handed out is a row, so it is watched for ever. What must never happen here:
a wallet that one person alone put into use, an address handed out before it is watched, or more unused addresses in a row than
the owner's own wallet program would look for.
"""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from exchange.assets import selectors as assets
from exchange.audit import services as audit
from exchange.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from wallets import nodes
from wallets.chains import protocol
from wallets.chains.evm import account
from wallets.chains.protocol import ChainError
from wallets.chains.utxo import descriptors
from wallets.chains.utxo.descriptors import RECEIVE, Descriptor
from wallets.models import Address, Coin, ColdWallet, Payout

NAME_LENGTH_MAX = 60
# How much of the first address is typed again from the device's screen: two that agree in so much are one.
TYPED_LENGTH = 8


class ColdWalletNotFound(NotFound):
    code = "cold_wallet_not_found"


class ColdWalletInvalid(InvalidRequest):
    code = "cold_wallet_invalid"


class ColdWalletKnown(Conflict):
    code = "cold_wallet_known"


class ColdWalletClosed(Conflict):
    """It is in use already, or was discarded."""

    code = "cold_wallet_closed"


class AddressNotConfirmed(InvalidRequest):
    """What was typed is not the end of the wallet's first address."""

    code = "address_not_confirmed"


class SamePerson(PermissionDenied):
    """Two people are needed, and this is the first of them again."""

    code = "same_person"


def propose(*, network: str, name: str, text: str, actor_id: int, now: datetime) -> int:
    """A wallet by its descriptor (or account); not used before another member of staff approves it. Its id.

    Raises ColdWalletInvalid, ColdWalletKnown, NetworkNotFound.
    """
    name = name.strip()
    if not 0 < len(name) <= NAME_LENGTH_MAX:
        raise ColdWalletInvalid(f"A name has 1 to {NAME_LENGTH_MAX} characters.", param="name")
    view = assets.network(network)
    kind, threshold, text = _read(network, view.family, text)
    try:
        with transaction.atomic():
            # Locked before it is looked at: another may propose, approve or discard it at this moment.
            known = ColdWallet.objects.select_for_update().filter(network_id=view.id, descriptor=text).first()
            if known is not None and (known.approved_at is not None or known.retired_at is None):
                raise ColdWalletKnown(
                    "This wallet stands here already. One that was in use before is not used again: make a new account on"
                    " the device.",
                    param="descriptor",
                )
            wallet = known or ColdWallet(network_id=view.id, descriptor=text)
            wallet.name, wallet.kind, wallet.threshold = name, kind, threshold
            # Proposed once and discarded: it begins anew.
            wallet.created_at, wallet.created_by, wallet.retired_at = now, actor_id, None
            wallet.save()
            _record("propose", wallet, actor_id, {"name": name, "kind": kind, "descriptor": text}, now)
    except IntegrityError:
        raise ColdWalletKnown("This wallet was proposed by somebody else at this moment.", param="descriptor") from None
    return wallet.id


def _read(network: str, family: str, text: str) -> tuple[str, int, str]:
    """(kind, threshold, canonical text). Raises ColdWalletInvalid."""
    try:
        if family != "utxo":
            found = account.parse(text)
            return ColdWallet.Kind.ACCOUNT, 1, text.strip().replace(text.strip()[-42:], found.address)
        descriptor = descriptors.parse(text.strip(), nodes.rules(network).parameters)
        descriptor.leaf(RECEIVE, 0)
    except ChainError as error:
        raise ColdWalletInvalid(f"{str(error)[:1].upper()}{str(error)[1:]}.", param="descriptor") from None
    kind = ColdWallet.Kind.MULTISIG if descriptor.multisig else ColdWallet.Kind.SINGLE
    return kind, descriptor.threshold, descriptor.text


def first_address(wallet: ColdWallet) -> str:
    """The address that the device shows for branch 0, index 0."""
    return derive(wallet, RECEIVE, 0).text


def descriptor_of(wallet: ColdWallet) -> Descriptor:
    """A UTXO wallet's descriptor."""
    return descriptors.parse(wallet.descriptor, nodes.rules(_network(wallet)).parameters)


def derive(wallet: ColdWallet, branch: int, index: int) -> protocol.Address:
    """The address at a place below the wallet; an account has one."""
    if wallet.kind == ColdWallet.Kind.ACCOUNT:
        found = account.parse(wallet.descriptor)
        return protocol.Address(found.address, found.key)
    return descriptor_of(wallet).address(branch, index)


def approve(*, wallet_id: int, typed: str, actor_id: int, now: datetime) -> None:
    """Puts a wallet into use; the one before it takes no more coins, and stays watched. `typed`: the end of its first address,

    read off the device. Raises ColdWalletNotFound, ColdWalletClosed, SamePerson, AddressNotConfirmed.
    """
    with transaction.atomic():
        wallet = _locked(wallet_id)
        if wallet.created_by == actor_id:
            raise SamePerson("Whoever proposed a wallet does not approve it.")
        address = first_address(wallet)
        if len(typed.strip()) < TYPED_LENGTH or not _ends_in(address, typed.strip()):
            raise AddressNotConfirmed(
                f"These are not the last {TYPED_LENGTH} characters of the wallet's first address. Read them off the device's"
                " screen, not off this page: if they differ, the descriptor is not this device's.",
                param="typed",
            )
        ColdWallet.objects.filter(
            network_id=wallet.network_id, approved_at__isnull=False, retired_at=None
        ).select_for_update().update(retired_at=now)
        wallet.approved_by, wallet.approved_at = actor_id, now
        _add_address(wallet, RECEIVE, now=now)
        wallet.save()
        _record("approve", wallet, actor_id, {"first_address": address}, now)


def _ends_in(address: str, typed: str) -> bool:
    # Upper and lower case are told apart only where the address does: Base58 does, Bech32 and hex do not.
    folds = address == address.lower() or address.startswith("0x")
    return address.lower().endswith(typed.lower()) if folds else address.endswith(typed)


def discard(*, wallet_id: int, actor_id: int, now: datetime) -> None:
    """Throws away a proposed wallet that was never in use."""
    with transaction.atomic():
        wallet = _locked(wallet_id)
        wallet.retired_at = now
        wallet.save(update_fields=["retired_at"])
        _record("discard", wallet, actor_id, {}, now)


def current(network_id: int) -> ColdWallet | None:
    """The wallet that a surplus of this network goes to."""
    return ColdWallet.objects.filter(network_id=network_id, approved_at__isnull=False, retired_at=None).first()


def next_address(*, wallet: ColdWallet, branch: int = RECEIVE, now: datetime) -> Address:
    """An address that nothing was ever sent to: the newest one as long as that is true of it, else one more."""
    with transaction.atomic():
        locked = ColdWallet.objects.select_for_update().get(pk=wallet.pk)
        newest = locked.addresses.filter(branch=branch).order_by("-index").first()
        if newest is not None and (locked.kind == ColdWallet.Kind.ACCOUNT or _unused(newest)):
            return newest
        address = _add_address(locked, branch, now=now)
        locked.save(update_fields=["next_index", "change_index"])
    return address


def _unused(address: Address) -> bool:
    if Coin.objects.filter(address=address).exists():
        return False
    promised = Payout.objects.filter(network_id=address.network_id).exclude(state__in=Payout.GIVEN_UP)
    if promised.filter(destination=address.address).exists():
        return False
    # A proposal's change: its payout stands at that address.
    return not promised.filter(address=address).exists()


def _add_address(wallet: ColdWallet, branch: int, *, now: datetime) -> Address:
    """The next one, its index counted on a locked wallet; the caller saves the wallet."""
    index = wallet.next_index if branch == RECEIVE else wallet.change_index
    derived = derive(wallet, branch, index)
    address = Address.objects.create(
        network_id=wallet.network_id,
        address=derived.text,
        script=derived.key,
        purpose=Address.Purpose.COLD,
        cold=wallet,
        branch=branch,
        index=index,
        created_at=now,
    )
    if branch == RECEIVE:
        wallet.next_index += 1
    else:
        wallet.change_index += 1
    return address


def _locked(wallet_id: int) -> ColdWallet:
    wallet = ColdWallet.objects.select_for_update().filter(pk=wallet_id).first()
    if wallet is None:
        raise ColdWalletNotFound("There is no such wallet.")
    if wallet.approved_at is not None or wallet.retired_at is not None:
        raise ColdWalletClosed("This wallet is in use already, or was discarded.")
    return wallet


def _network(wallet: ColdWallet) -> str:
    return next(network.code for network in assets.networks() if network.id == wallet.network_id)


def _record(what: str, wallet: ColdWallet, actor_id: int, after: dict[str, str], now: datetime) -> None:
    audit.record(
        actor_id=actor_id,
        action=f"wallets.cold_wallet.{what}",
        subject=f"cold_wallet:{wallet.id}",
        after={"network_id": wallet.network_id, **after},
        now=now,
    )
