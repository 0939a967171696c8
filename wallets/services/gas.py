"""What a token's sweep needs in the chain's own coin: how much, what price it may pay, and the payment that brings it.

A deposit address has tokens and no coin to move them with, so the hot wallet sends it some, once, and waits until that is
final; what is left over serves the next sweep. What must never happen here: gas sent twice for one sweep (it is written into the
sweep in the transaction that makes the payout), or a price that is not covered by what the address has for good.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from wallets import faults
from wallets.chains.evm.payout import Fees, Payment
from wallets.models import Payout, Sweep
from wallets.routes import Routes
from wallets.services import hot, reserving

# What is sent beyond today's price of the sweep, in percent: the gas has to be final first, and prices move meanwhile.
MARGIN = 50


def needed(*, gas_limit: int, fees: Fees) -> int:
    """The most that a transaction costs at these fees, in wei."""
    return gas_limit * fees.max_fee_per_gas


def to_send(*, gas_limit: int, fees: Fees, available: int) -> int:
    """How much of the own coin is missing for the sweep, with the margin; 0 when what is there suffices."""
    if available >= needed(gas_limit=gas_limit, fees=fees):
        return 0
    return needed(gas_limit=gas_limit, fees=fees) * (100 + MARGIN) // 100 - available


def affordable(*, gas_limit: int, fees: Fees, available: int) -> Fees | None:
    """Fees that what is there can pay: today's, or lower ones that a block would still take. None when it has to wait."""
    most = available // gas_limit
    if most >= fees.max_fee_per_gas:
        return fees
    if fees.legacy or most < fees.base_fee + fees.max_priority_fee_per_gas:
        return None
    return replace(fees, max_fee_per_gas=most)


def send(*, sweep: Sweep, routes: Routes, amount: int, now: datetime) -> UUID:
    """The payout that brings `amount` wei to the sweep's address. Inside the caller's transaction, which holds the sweep's row.

    Raises CannotReserve, ChainError.
    """
    assert sweep.gas_id is None and sweep.payout_id is None, "gas is sent once, before the sweep"
    sender = hot.address(routes.network.id)
    if sender is None:
        raise hot.CannotReserve("hot_wallet_short")
    sweep.gas_id = reserving.reserve_internal(
        kind=Payout.Kind.GAS,
        network=routes.network.code,
        asset_id=routes.own_coin.asset_id,
        sender=sender,
        destination=sweep.address.address,
        destination_path=hot.path(sweep.address),
        amount=amount,
        now=now,
    )
    sweep.waiting = ""
    sweep.save(update_fields=["gas", "waiting"])
    faults.passing("gas.plan.before_commit")
    return sweep.gas_id


def of_token(*, chain: Any, sweep: Sweep, payment: Payment) -> int:
    """The gas limit of the sweep's own transfer, as the node reckons it. Raises ChainError, NodeRefused when it would fail."""
    return int(chain.send_gas(from_address=sweep.address.address, payment=payment))
