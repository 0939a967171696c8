"""What leaves this room: frozen records in place of models, amounts as ints of base units.

What must never happen here: a query that the caller does not see coming (each function takes what it needs), or a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from exchange.assets.selectors import AssetNetworkView, NetworkView
from wallets import lifecycle
from wallets.models import Address, Deposit, Health, Payout, PayoutVersion, Source, Withdrawal, WithdrawalStep

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
    # "finality" where the network itself says when a block is final; no confirmations are counted there.
    waits_for: str = "confirmations"
    # While it waits for a block: its sender may still pay otherwise. Afterwards: the transaction that took its place.
    replaceable: bool = False
    replaced_by: str = ""
    network_name: str = ""
    explorer: str = ""
    # Why it is confirmed and not credited yet: "limit", "price", or another word; "" while it is not held.
    held_for: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A state a withdrawal entered, and when; with the transaction, once there is one."""

    state: str
    at: datetime
    txid: str = ""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One signed version of the transaction that pays a withdrawal; at most one of them is ever mined.

    `kind` is "first", "bump" (sent again at a higher fee) or "cancel" (gives the coins back to us).
    """

    txid: str
    kind: str
    at: datetime
    explorer: str


@dataclass(frozen=True, slots=True)
class WithdrawalView:
    """`amount` is what the receiver gets, `total` what the customer pays; base units. `network_fee` is the house's cost.

    `reason` is in the customer's words. `confirm_until` is set while it waits for the link in the e-mail. `explorer` is a page
    about the transaction, "" where there is none.
    """

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
    network_name: str = ""
    standard: str = ""
    destination_class: str = ""
    confirmed_at: datetime | None = None
    confirm_until: datetime | None = None
    explorer: str = ""
    transactions: tuple[Transaction, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceView:
    """One node or service that a network is read from. `disagrees` says what it has otherwise than the one that serves."""

    name: str
    state: str
    tip_height: int | None
    tip_hash: str
    checked_at: datetime
    last_ok_at: datetime | None
    error: str
    disagrees: str

    @property
    def well(self) -> bool:
        return self.state == Source.State.OK and not self.disagrees


@dataclass(frozen=True, slots=True)
class NetworkHealthView:
    """How a network's nodes do. `lag` is in blocks; `halted` says why the scanner stands still until staff look.

    `degraded`: the network works, and one of its sources does not; "" where all is well.
    """

    network: str
    ok: bool
    tip_height: int | None
    scanned_height: int | None
    lag: int | None
    checked_at: datetime | None
    last_ok_at: datetime | None
    last_error: str
    halted: str
    sources: tuple[SourceView, ...] = ()

    @property
    def degraded(self) -> str:
        ill = (f"{each.name}: {each.disagrees or each.error or each.state}" for each in self.sources if not each.well)
        return "; ".join(ill)


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


def deposit_view(
    deposit: Deposit, link: AssetNetworkView, *, scanned_height: int | None, network: NetworkView
) -> DepositView:
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
        waits_for="finality" if link.finalized else "confirmations",
        replaceable=deposit.replaceable and deposit.state == Deposit.State.SEEN,
        replaced_by=deposit.replaced_by,
        network_name=network.name,
        explorer=explorer_of(network, deposit.txid),
        held_for=deposit.held_for,
    )


def withdrawal_view(
    withdrawal: Withdrawal,
    link: AssetNetworkView,
    *,
    steps: Sequence[WithdrawalStep],
    versions: Sequence[PayoutVersion],
    scanned_height: int | None,
    network: NetworkView,
) -> WithdrawalView:
    """Reads withdrawal.payout and .confirmation: load them along. `versions` are the payout's, oldest first."""
    payout: Payout | None = withdrawal.payout
    signed = [version for version in versions if version.txid and version.signed_at]
    txid = payout.txid if payout and payout.txid else signed[-1].txid if signed else None
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
        reason=_plain_reason(withdrawal),
        waiting=withdrawal.waiting,
        txid=txid,
        confirmations=confirmations(payout.block_height, scanned_height) if payout else 0,
        confirmations_required=payout.confirmations_required if payout else link.confirmations,
        network_fee=payout.network_fee if payout else None,
        network_fee_asset=network.own_coin,
        cancellable=lifecycle.State(withdrawal.state) in lifecycle.CANCELLABLE,
        requested_at=withdrawal.requested_at,
        steps=tuple(Step(state=step.state, at=step.at, txid=step.txid) for step in steps),
        network_name=network.name,
        standard=link.standard,
        destination_class=withdrawal.destination_class,
        confirmed_at=withdrawal.confirmed_at,
        confirm_until=_confirm_until(withdrawal),
        explorer=explorer_of(network, txid),
        transactions=tuple(
            Transaction(
                txid=version.txid,
                kind=version.kind,
                at=version.first_broadcast_at or version.signed_at,
                explorer=explorer_of(network, version.txid),
            )
            for version in signed
        ),
    )


def explorer_of(network: NetworkView, txid: str | None) -> str:
    """The page of the network's explorer about a transaction, "" where there is none."""
    return network.explorer.replace("{txid}", txid) if network.explorer and txid else ""


def _plain_reason(withdrawal: Withdrawal) -> str:
    """Why it ended is the customer's to know; why staff look at it stays with staff."""
    return withdrawal.reason if lifecycle.State(withdrawal.state) in lifecycle.CLOSED else ""


def _confirm_until(withdrawal: Withdrawal) -> datetime | None:
    if withdrawal.state != lifecycle.State.REQUESTED or not withdrawal.waiting:
        return None
    return withdrawal.confirmation.expires_at


def source_view(source: Source) -> SourceView:
    return SourceView(
        name=source.name,
        state=source.state,
        tip_height=source.tip_height,
        tip_hash=source.tip_hash,
        checked_at=source.checked_at,
        last_ok_at=source.last_ok_at,
        error=source.last_error,
        disagrees=source.disagrees,
    )


def health_view(
    network: str,
    health: Health | None,
    *,
    scanned_height: int | None,
    halted: str,
    sources: Sequence[Source] = (),
) -> NetworkHealthView:
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
        sources=tuple(source_view(source) for source in sources),
    )
