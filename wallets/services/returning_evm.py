"""A proposal of a cold account: its nonce, and the unsigned transaction as JSON that is carried to its key.

What must never happen here: bytes taken in whose fields are not the proposal's, or that another key signed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from exchange.assets.selectors import AssetNetworkView
from wallets import nodes
from wallets.chains.evm import payout as evm
from wallets.chains.protocol import MalformedData
from wallets.models import Address, ColdProposal, ColdWallet, Payout, PayoutVersion
from wallets.routes import Routes
from wallets.services import cold_wallets, hot, reserving
from wallets.services.hot import CannotReserve

if TYPE_CHECKING:
    from wallets.services.returns import Progress

FORMAT = "bourse-unsigned"
SIZE_MAX = 300_000
PATIENCE = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything but the nonce."""

    link: AssetNetworkView
    sender: Address
    to: Address
    amount: int
    fees: evm.Fees


def _patient(fees: evm.Fees) -> evm.Fees:
    """Carried by hand, it is sent in days: the base fee may be four times today's by then. What is not needed is not paid."""
    if fees.legacy:
        return fees
    most = max(fees.max_fee_per_gas, PATIENCE * fees.base_fee + fees.max_priority_fee_per_gas)
    return replace(fees, max_fee_per_gas=most)


def plan(
    routes: Routes,
    link: AssetNetworkView,
    wallet: ColdWallet,
    amount: int | None,
    *,
    fee_rate: int | None,
    now: datetime,
) -> Plan:
    """Reckons what can be moved. Raises CannotReserve, ChainError."""
    to = hot.address(link.network_id)
    if to is None:
        raise CannotReserve("hot_wallet_short")
    sender = cold_wallets.next_address(wallet=wallet, now=now)
    fees = _patient(nodes.chain(link.network).fees())
    if amount is not None:
        return Plan(link, sender, to, amount, fees)
    own = routes.own_coin.asset_id
    units = reserving.spendable(sender, asset_id=link.asset_id, gas_asset_id=own)
    if link.asset_id == own:
        units -= fees.max_fee_per_gas * evm.PLAIN_GAS
    if units <= 0:
        raise CannotReserve("hot_wallet_short")
    return Plan(link, sender, to, units, fees)


def reserve(plan: Plan, *, actor_id: int, now: datetime) -> tuple[UUID, str]:
    """Takes the nonce; the payout's id, and no PSBT. Raises CannotReserve, ChainError."""
    payout_id = reserving.reserve_internal(
        kind=Payout.Kind.RETURN,
        network=plan.link.network,
        asset_id=plan.link.asset_id,
        sender=plan.sender,
        destination=plan.to.address,
        destination_path=hot.path(plan.to),
        amount=plan.amount,
        requested_by=actor_id,
        fees=plan.fees,
        now=now,
    )
    return payout_id, ""


def document(payout: Payout, proposal: ColdProposal, *, says: str) -> str:
    """What is carried: the unsigned transaction, where the device finds the key, and the amount in the house's words."""
    version = PayoutVersion.objects.filter(payout=payout).latest("number")
    body = {
        "format": FORMAT,
        "version": 1,
        "proposal": str(payout.id),
        "account": proposal.cold.descriptor,
        "says": says,
        "unsigned": version.unsigned,
    }
    return json.dumps(body, indent=1) + "\n"


def take(
    payout: Payout, proposal: ColdProposal, version: PayoutVersion, content: bytes
) -> tuple[bytes | None, Progress]:
    """The signed bytes out of what came back: JSON with "raw", or the bytes as hex. Raises SignedMismatch, MalformedData."""
    from wallets.services.returns import Progress

    raw = _raw(content)
    view = nodes.rules(version.unsigned["network"]).verify_signed(raw, version.unsigned)
    return raw, Progress((payout.address.address,), 0, view.txid)


def _raw(content: bytes) -> bytes:
    if len(content) > SIZE_MAX:
        raise MalformedData("the file is larger than a signed transaction can be")
    try:
        text = content.decode("ascii").strip()
        body: Any = json.loads(text) if text.startswith("{") else text
        if isinstance(body, dict):
            if "raw" not in body:
                raise MalformedData("there is no signature in this file: sign it first")
            body = body["raw"]
        return bytes.fromhex(str(body).removeprefix("0x"))
    except (ValueError, RecursionError):
        raise MalformedData("this is neither a signed transaction nor a file with one in it") from None
