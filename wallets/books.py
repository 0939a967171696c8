"""How coins and customers' money meet in the ledger: the transfers this room posts, built and nothing else.

`chain_wallet` (one an asset and network) stands for the coins at our addresses and is debit normal: a deposit makes it
more negative, a payout less. What must never happen here: a transfer whose id is not derived from what it books, so that
booking the same thing twice is one transfer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from exchange.assets.selectors import AssetNetworkView
from exchange.ledger.journal import Entry, Kind, Transfer
from exchange.ledger.services import accounts


@dataclass(frozen=True, slots=True)
class PayoutBooking:
    """One final transaction for one withdrawal; base units. The fee is in the chain's own coin."""

    withdrawal_id: UUID
    customer_account_id: int
    amount: int
    fee: int
    network_fee: int
    reference: str


def chain_wallet(link: AssetNetworkView, *, now: datetime) -> int:
    """The ledger's account for this asset's coins at our addresses of this network."""
    return accounts.open(kind=Kind.CHAIN_WALLET, asset_id=link.asset_id, label=link.network, now=now)


def house(kind: Kind, *, asset_id: int, label: str = "", now: datetime) -> int:
    return accounts.open(kind=kind, asset_id=asset_id, label=label, now=now)


def customer(*, owner_id: int, asset_id: int, now: datetime) -> int:
    return accounts.open_customer(owner_id=owner_id, asset_ids=[asset_id], now=now)[asset_id]


# Where confirmed deposits wait that may not be credited yet; what waits there is owed to customers.
HELD_DEPOSITS = "held deposits"


def credit_id(deposit_id: UUID, *, times: int) -> UUID:
    """The id of the deposit's n-th credit: it is credited again when a reorganisation mined it again."""
    return uuid5(deposit_id, f"credit:{times}")


def release_id(deposit_id: UUID, *, times: int) -> UUID:
    """The id of what lets the deposit go that was held when it was booked for the n-th time."""
    return uuid5(deposit_id, f"release:{times}")


def reversal_id(deposit_id: UUID, *, times: int) -> UUID:
    return uuid5(deposit_id, f"reversal:{times}")


def repayment_id(deposit_id: UUID, *, times: int) -> UUID:
    """The id of what the deposit's n-th credit pays of the customer's debt."""
    return uuid5(deposit_id, f"repayment:{times}")


def arrival(*, id: UUID, wallet_id: int, account_id: int, amount: int, kind: str, reference: str) -> Transfer:
    """Coins came to one of our addresses and belong to `account_id` from now on."""
    return Transfer(
        id=id, kind=kind, entries=(Entry(wallet_id, -amount), Entry(account_id, amount)), reference=reference
    )


def withdrawal(
    booking: PayoutBooking, link: AssetNetworkView, own_coin: AssetNetworkView, *, now: datetime
) -> Transfer:
    """The customer's hold becomes the receiver's coins, our fee, and the network's fee out of the house's own coins."""
    entries = {
        booking.customer_account_id: -(booking.amount + booking.fee),
        chain_wallet(link, now=now): booking.amount,
    }
    if booking.fee:
        entries[house(Kind.HOUSE_FEES, asset_id=link.asset_id, label="withdrawals", now=now)] = booking.fee
    for account_id, amount in _network_fee(booking.network_fee, own_coin, now=now).items():
        entries[account_id] = entries.get(account_id, 0) + amount
    return Transfer(
        id=uuid5(booking.withdrawal_id, "final"),
        kind="withdrawal",
        entries=tuple(Entry(account_id, amount) for account_id, amount in entries.items() if amount),
        reference=booking.reference,
    )


def reverted(
    *, withdrawal_id: UUID, customer_account_id: int, fee: int, link: AssetNetworkView, reference: str, now: datetime
) -> Transfer:
    """The fee alone of a withdrawal that its receiver refused on the chain; the rest of the hold is the customer's again."""
    ours = house(Kind.HOUSE_FEES, asset_id=link.asset_id, label="withdrawals", now=now)
    return Transfer(
        id=uuid5(withdrawal_id, "reverted"),
        kind="withdrawal_fee",
        entries=(Entry(customer_account_id, -fee), Entry(ours, fee)),
        reference=reference,
    )


def network_fee(
    *, payout_id: UUID, name: str, amount: int, own_coin: AssetNetworkView, reference: str, now: datetime
) -> Transfer:
    """A fee the house paid without moving a customer's coins: a transaction that reverted, or a fee that changed.

    `amount` may be negative: mined again after a reorganisation, it may cost less than what was booked.
    """
    entries = _network_fee(amount, own_coin, now=now)
    return Transfer(
        id=uuid5(payout_id, f"fee:{name}"),
        kind="network_fee",
        entries=tuple(Entry(account_id, value) for account_id, value in entries.items()),
        reference=reference,
    )


def _network_fee(amount: int, own_coin: AssetNetworkView, *, now: datetime) -> dict[int, int]:
    if not amount:
        return {}
    expense = house(Kind.HOUSE_NETWORK_FEES, asset_id=own_coin.asset_id, label=own_coin.network, now=now)
    return {expense: -amount, chain_wallet(own_coin, now=now): amount}
