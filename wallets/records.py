"""What leaves this room: frozen records in place of models, amounts as ints of base units.

What must never happen here: a query that the caller does not see coming (each function takes what it needs), or a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from exchange.assets.selectors import AssetNetworkView
from wallets import lifecycle
from wallets.models import Address, Deposit, Health, Payout, PayoutVersion, Withdrawal, WithdrawalStep

# The scheme of a payment link, understood by wallets that scan a QR code. A token has none that all of them read alike.
URI_SCHEMES = {"BTC": "bitcoin", "LTC": "litecoin", "ETH": "ethereum"}


@dataclass(frozen=True, slots=True)
class AddressView:
    """An address to pay to; `uri` is what a QR code holds."""

    address: str
    network: str
    asset: str
    owner_id: int | None
    created_at: datetime
    uri: str


@dataclass(frozen=True, slots=True)
class DepositView:
    """`amount` in base units; `position` tells apart what one transaction paid us."""

    id: UUID
    user_id: int | None
    asset: str
    asset_id: int
    network: str
    decimals: int
    amount: int
    address: str
    txid: str
    position: str
    state: str
    confirmations: int
    confirmations_required: int
    block_height: int | None
    seen_at: datetime
    credited_at: datetime | None
    reversed_at: datetime | None
    transfer_id: UUID | None


@dataclass(frozen=True, slots=True)
class Step:
    """A state a withdrawal entered, and when."""

    state: str
    at: datetime


@dataclass(frozen=True, slots=True)
class WithdrawalView:
    """`amount` is what the receiver gets, `total` what the customer pays; base units. `network_fee` is the house's cost."""

    id: UUID
    user_id: int
    asset: str
    asset_id: int
    network: str
    decimals: int
    amount: int
    fee: int
    total: int
    address: str
    state: str
    reason: str
    waiting: str
    txid: str | None
    confirmations: int
    confirmations_required: int
    network_fee: int | None
    network_fee_asset: str
    cancellable: bool
    requested_at: datetime
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class NetworkHealthView:
    """How a network's node does. `lag` is in blocks; `halted` says why the scanner stands still until staff look."""

    network: str
    ok: bool
    tip_height: int | None
    scanned_height: int | None
    lag: int | None
    checked_at: datetime | None
    last_ok_at: datetime | None
    last_error: str
    halted: str


@dataclass(frozen=True, slots=True)
class WithdrawalTerms:
    """What a withdrawal costs and needs; base units."""

    asset: str
    network: str
    decimals: int
    minimum: int
    fee: int
    confirmations: int
    enabled: bool


def address_view(address: Address, link: AssetNetworkView) -> AddressView:
    scheme = URI_SCHEMES.get(link.asset_code)
    return AddressView(
        address=address.address,
        network=link.network,
        asset=link.asset_code,
        owner_id=address.owner_id,
        created_at=address.created_at,
        uri=f"{scheme}:{address.address}" if scheme else address.address,
    )


def confirmations(block_height: int | None, scanned_height: int | None) -> int:
    """Blocks from this one to the last we scanned, both counted."""
    if block_height is None or scanned_height is None:
        return 0
    return max(0, scanned_height - block_height + 1)


def deposit_view(deposit: Deposit, link: AssetNetworkView, *, scanned_height: int | None) -> DepositView:
    """Reads deposit.address: load it along."""
    return DepositView(
        id=deposit.id,
        user_id=deposit.owner_id,
        asset=link.asset_code,
        asset_id=deposit.asset_id,
        network=link.network,
        decimals=link.decimals,
        amount=deposit.amount,
        address=deposit.address.address,
        txid=deposit.txid,
        position=deposit.position,
        state=deposit.state,
        confirmations=confirmations(deposit.block_height, scanned_height),
        confirmations_required=deposit.confirmations_required,
        block_height=deposit.block_height,
        seen_at=deposit.seen_at,
        credited_at=deposit.credited_at,
        reversed_at=deposit.reversed_at,
        transfer_id=deposit.transfer_id,
    )


def withdrawal_view(
    withdrawal: Withdrawal,
    link: AssetNetworkView,
    *,
    steps: Sequence[WithdrawalStep],
    versions: Sequence[PayoutVersion],
    scanned_height: int | None,
    fee_asset: str,
) -> WithdrawalView:
    """Reads withdrawal.payout: load it along. `versions` are the payout's, oldest first."""
    payout: Payout | None = withdrawal.payout
    signed = [version.txid for version in versions if version.txid]
    return WithdrawalView(
        id=withdrawal.id,
        user_id=withdrawal.owner_id,
        asset=link.asset_code,
        asset_id=withdrawal.asset_id,
        network=link.network,
        decimals=link.decimals,
        amount=withdrawal.amount,
        fee=withdrawal.fee,
        total=withdrawal.amount + withdrawal.fee,
        address=withdrawal.address,
        state=withdrawal.state,
        reason=withdrawal.reason,
        waiting=withdrawal.waiting,
        txid=(payout.txid if payout and payout.txid else signed[-1] if signed else None),
        confirmations=confirmations(payout.block_height, scanned_height) if payout else 0,
        confirmations_required=payout.confirmations_required if payout else link.confirmations,
        network_fee=payout.network_fee if payout else None,
        network_fee_asset=fee_asset,
        cancellable=lifecycle.State(withdrawal.state) in lifecycle.CANCELLABLE,
        requested_at=withdrawal.requested_at,
        steps=tuple(Step(state=step.state, at=step.at) for step in steps),
    )


def health_view(network: str, health: Health | None, *, scanned_height: int | None, halted: str) -> NetworkHealthView:
    tip = health.tip_height if health else None
    return NetworkHealthView(
        network=network,
        ok=health is not None and not health.last_error and not halted,
        tip_height=tip,
        scanned_height=scanned_height,
        lag=max(0, tip - scanned_height) if tip is not None and scanned_height is not None else None,
        checked_at=health.checked_at if health else None,
        last_ok_at=health.last_ok_at if health else None,
        last_error=health.last_error if health else "",
        halted=halted,
    )
