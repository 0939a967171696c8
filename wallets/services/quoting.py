"""What a withdrawal would do, before anybody asks for it: what arrives, the fee, how long it usually takes; and every reason
to say no that needs no lock.

A request asks here, too, so that what was shown and what is judged cannot differ. What must never happen here: a write, or an
address of our own, a token's contract or another network's address let through as somewhere to pay to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from django.conf import settings

from exchange.accounts.services import pauses
from exchange.assets import prices
from exchange.assets import selectors as assets
from exchange.assets.selectors import AssetNetworkView
from exchange.core import amounts
from exchange.core.errors import Conflict, InvalidRequest, PermissionDenied
from exchange.ledger import selectors as ledger
from exchange.ledger.selectors import stops as ledger_stops
from exchange.ledger.services.holds import InsufficientFunds
from kyc.services import limits
from wallets import nodes, routes
from wallets.chains.protocol import AddressInvalid as ChainAddressInvalid
from wallets.chains.protocol import AddressWrongNetwork as ChainAddressWrongNetwork
from wallets.lifecycle import State
from wallets.models import Address, Withdrawal
from wallets.services import address_book
from wallets.services.addresses import NetworkDisabled

# How long it usually takes is the median of so many that ended lately, if there were enough of them.
TIMED_MAX, TIMED_MIN = 30, 5
OURS = (Address.Purpose.HOT, Address.Purpose.COLD)


class AmountTooSmall(InvalidRequest):
    code = "amount_too_small"


class AddressInvalid(InvalidRequest):
    code = "address_invalid"


class AddressWrongNetwork(InvalidRequest):
    code = "address_wrong_network"


class AddressNotAllowed(InvalidRequest):
    code = "address_not_allowed"


class AccountFrozen(PermissionDenied):
    code = "account_frozen"


class FeeChanged(Conflict):
    code = "fee_changed"


@dataclass(frozen=True, slots=True)
class Quote:
    """`amount` arrives, `fee` is ours, `total` leaves the balance and `left` stays available; base units.

    `address` and `destination_class` are empty where no address was given. `usual_s` is how long it usually takes from its
    approval until it is final. `worth` is what arrives in the reference currency, None without a price.
    """

    asset: str
    asset_id: int
    network: str
    decimals: int
    amount: int
    fee: int
    total: int
    left: int
    address: str
    destination_class: str
    confirmations: int
    usual_s: int
    email_confirmation: bool
    worth: prices.Valuation | None


def quote(*, user_id: int, asset: str, network: str, amount: str, address: str = "", now: datetime) -> Quote:
    """What this withdrawal would do now. Raises whatever `withdrawals.request` would refuse it with, apart from the policy."""
    link = assets.asset_network(asset=asset, network=network)
    arrives = amounts.parse(amount, decimals=link.decimals, param="amount")
    pauses.check(user_id=user_id, now=now)
    to = destination(address, link) if address else ""
    sort = judge(user_id=user_id, link=link, amount=arrives, address=to, now=now)
    total = arrives + link.withdrawal_fee
    left = ensure_funds(user_id=user_id, link=link, amount=arrives)
    limits.check_withdrawal(user_id=user_id, asset_id=link.asset_id, amount=arrives, now=now)
    return Quote(
        asset=link.asset_code,
        asset_id=link.asset_id,
        network=link.network,
        decimals=link.decimals,
        amount=arrives,
        fee=link.withdrawal_fee,
        total=total,
        left=left,
        address=to,
        destination_class=sort,
        confirmations=link.confirmations,
        usual_s=usual_s(link),
        email_confirmation=settings.WITHDRAWAL_EMAIL_CONFIRMATION,
        worth=prices.worth(asset_id=link.asset_id, amount=arrives, now=now),
    )


def destination(address: Any, link: AssetNetworkView) -> str:
    """The canonical text of a good address on this network that is no trap.

    Raises AddressInvalid, AddressWrongNetwork, AddressNotAllowed (ours, or a token's contract).
    """
    try:
        parsed = nodes.rules(link.network).parse(address.strip() if isinstance(address, str) else "")
    except ChainAddressWrongNetwork:
        raise AddressWrongNetwork("This address belongs to another network.", param="address") from None
    except ChainAddressInvalid:
        raise AddressInvalid(f"This is not an address of the {link.network_name} network.", param="address") from None
    traps = {other.contract.lower() for other in assets.asset_networks(network=link.network, enabled_only=False)}
    ours = Address.objects.filter(network_id=link.network_id, script=parsed.key, purpose__in=OURS)
    if parsed.text.lower() in traps - {""} or ours.exists():
        raise AddressNotAllowed("Coins cannot be sent to this address.", param="address")
    return str(parsed.text)


def judge(*, user_id: int, link: AssetNetworkView, amount: int, address: str, now: datetime) -> str:
    """Everything that can be refused before money is looked at. Returns the destination's class, "" without an address."""
    ledger_stops.ensure_open("withdrawals", of=link.asset_code)
    if not routes.usable(link):
        raise NetworkDisabled(f"{link.asset_code} over {link.network} is switched off at the moment.", param="network")
    link.to_chain(amount)  # a chain with fewer digits than the asset cannot pay every amount
    least = least_amount(link, address)
    if amount < least:
        text = amounts.format(least, decimals=link.decimals)
        raise AmountTooSmall(f"The least you can send is {text} {link.asset_code}.", param="amount")
    if ledger.is_frozen(owner_id=user_id):
        raise AccountFrozen("This account is frozen. Please write to support.")
    if not address:
        return ""
    return address_book.allowed(user_id=user_id, network_id=link.network_id, address=address, now=now)


def least_amount(link: AssetNetworkView, address: str) -> int:
    """The least that may arrive: the asset's own minimum, and never an output so small that the network drops it as dust."""
    if link.family != "utxo" or not address:
        return link.min_withdrawal
    return max(link.min_withdrawal, int(nodes.rules(link.network).dust(address)))


def agreed_fee(fee: str | None, link: AssetNetworkView) -> int:
    """The fee as it is now. Raises FeeChanged where the customer agreed to another, AmountInvalid and its kin."""
    if fee is None:
        return link.withdrawal_fee
    agreed = amounts.parse(fee, decimals=link.decimals, param="fee")
    if agreed != link.withdrawal_fee:
        text = amounts.format(link.withdrawal_fee, decimals=link.decimals)
        raise FeeChanged(f"The fee is {text} {link.asset_code} by now. Look it over again.", param="fee")
    return link.withdrawal_fee


def ensure_funds(*, user_id: int, link: AssetNetworkView, amount: int) -> int:
    """What stays available; InsufficientFunds says the most that can be sent. The hold is the judge: this costs no lock."""
    balances = ledger.balances(owner_id=user_id)
    available = next((each.available for each in balances if each.asset_id == link.asset_id), 0)
    left = available - amount - link.withdrawal_fee
    if left < 0:
        most = amounts.format(max(0, available - link.withdrawal_fee), decimals=link.decimals)
        raise InsufficientFunds(
            f"With the fee this is more than you have. The most you can send is {most} {link.asset_code}.",
            param="amount",
        )
    return left


def usual_s(link: AssetNetworkView) -> int:
    """How many seconds pass between approval and final: measured where enough ended lately, else what the blocks take."""
    ended = Withdrawal.objects.filter(
        network_id=link.network_id, asset_id=link.asset_id, state=State.FINAL, approved_at__isnull=False
    ).order_by("-id")
    taken = [(row.closed_at - row.approved_at).total_seconds() for row in ended[:TIMED_MAX]]
    if len(taken) >= TIMED_MIN:
        return round(median(taken))
    return assets.network(link.network).block_seconds * link.confirmations
