"""A nonce set aside for a transaction of an EVM account, and the transaction built on it.

`ask` takes everything the node has to say before a transaction of the database opens; `build` runs inside it, under the
sender's row. What must never happen here: a nonce with a gap below it, two unsigned nonces of one account, or more promised
than blocks gave the account for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Sum

from exchange.assets.selectors import AssetNetworkView
from wallets import nodes
from wallets.chains.evm import payout as evm
from wallets.chains.protocol import PayoutImpossible
from wallets.models import Address, Deposit, Movement, Nonce, Payout
from wallets.routes import Routes
from wallets.services import hot
from wallets.services.hot import CannotReserve

UNSIGNED = (Payout.State.RESERVED, Payout.State.SIGNING)
# A receiver of the chain's own coin may burn no more than this: what he runs when he is paid is his own choice, and we pay it.
NATIVE_GAS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What the node said of one payment."""

    payment: evm.Payment
    fees: evm.Fees
    gas_limit: int
    mined_nonce: int

    @property
    def fee_max(self) -> int:
        return self.fees.max_fee_per_gas * self.gas_limit


def busy(sender: Address) -> bool:
    """Whether a nonce of this account waits for the signer: were it refused, every later one would hang above the gap."""
    return Payout.objects.filter(address=sender, state__in=UNSIGNED).exists()


def ask(
    *,
    sender: Address,
    payment: evm.Payment,
    amount: int,
    link: AssetNetworkView,
    fees: evm.Fees | None = None,
) -> Asked:
    """Prices and nonce for this payment of `amount` base units. Raises CannotReserve, ChainError.

    PayoutImpossible where a withdrawal's receiver burns more gas than WALLETS_NATIVE_GAS_MAX.
    """
    chain = nodes.chain(link.network)
    held = link.from_chain(chain.holdings([bytes(sender.script)], contract=link.contract).amount)
    if held < amount:
        raise CannotReserve("hot_wallet_short")  # an estimate of gas would fail for want of coins
    gas_limit = chain.send_gas(from_address=sender.address, payment=payment)
    most = int(getattr(settings, "WALLETS_NATIVE_GAS_MAX", NATIVE_GAS_MAX))
    if payment.withdrawal_id and not payment.contract and gas_limit > most:
        raise PayoutImpossible(f"the receiver burns {gas_limit} gas when it is paid, at most {most} are allowed")
    return Asked(
        payment=payment,
        fees=fees or chain.fees(),
        gas_limit=gas_limit,
        mined_nonce=chain.nonce(sender.address),
    )


def build(
    payout: Payout, asked: Asked, routes: Routes, *, amount: int, fee_max: int | None, now: datetime
) -> dict[str, Any]:
    """Takes the nonce and builds what uses it. `amount` in base units; the sender's row is locked by the caller."""
    sender, gas_asset = payout.address, routes.own_coin.asset_id
    if Payout.objects.filter(address=sender, state__in=UNSIGNED).exclude(pk=payout.pk).exists():
        raise CannotReserve("hot_wallet_busy")
    if fee_max is not None and asked.fee_max > fee_max:
        raise CannotReserve("fees_high")
    needed = {gas_asset: asked.fee_max}
    needed[payout.asset_id] = needed.get(payout.asset_id, 0) + amount
    for asset_id, units in needed.items():
        if spendable(sender, asset_id=asset_id, gas_asset_id=gas_asset, but=payout.id) < units:
            short_of_gas = asset_id == gas_asset != payout.asset_id
            raise CannotReserve("hot_wallet_gas_short" if short_of_gas else "hot_wallet_short")
    nonce = next_nonce(sender, mined_nonce=asked.mined_nonce)
    Nonce.objects.create(address=sender, nonce=nonce, payout=payout, reserved_at=now)
    unsigned = nodes.rules(routes.network.code).payout(
        from_address=sender.address,
        from_path=hot.path(sender),
        nonce=nonce,
        payment=asked.payment,
        fees=asked.fees,
        gas_limit=asked.gas_limit,
        # A sweep of the chain's own coin leaves nothing behind; the caller reckoned with a flat fee.
        empties=payout.kind == Payout.Kind.SWEEP and not asked.payment.contract,
    )
    return dict(unsigned.to_json())


def next_nonce(sender: Address, *, mined_nonce: int) -> int:
    """The lowest nonce that neither the chain has seen nor a payout of ours holds. The address row is locked by the caller.

    One that was refused is so filled by whatever is sent next.
    """
    live = Nonce.objects.filter(address=sender, released_at=None, nonce__gte=mined_nonce)
    held = set(live.values_list("nonce", flat=True))
    nonce = mined_nonce
    while nonce in held:
        nonce += 1
    return nonce


def spendable(sender: Address, *, asset_id: int, gas_asset_id: int, but: UUID | None = None) -> int:
    """What the account can spend: what blocks gave it for good, less what is promised and not mined yet."""
    moved = Movement.objects.filter(address=sender, asset_id=asset_id).aggregate(sum=Sum("delta"))["sum"] or 0
    unsure = (
        Deposit.objects.filter(address=sender, asset_id=asset_id, state=Deposit.State.CONFIRMING).aggregate(
            sum=Sum("amount")
        )["sum"]
        or 0
    )
    promised = 0
    waiting = Payout.objects.filter(address=sender, block_height=None).exclude(state__in=Payout.GIVEN_UP)
    for payout in waiting.exclude(pk=but).prefetch_related("versions", "withdrawals"):
        if payout.asset_id == asset_id:
            promised += moves(payout)
        if asset_id == gas_asset_id:
            promised += max((_most(version) for version in payout.versions.all()), default=0)
    return int(moved) - int(unsure) - promised


def moves(payout: Payout) -> int:
    """What a payout moves of its asset, in base units. Reads payout.withdrawals."""
    if payout.amount is not None:
        return int(payout.amount)
    return sum(withdrawal.amount for withdrawal in payout.withdrawals.all())


def _most(version: Any) -> int:
    # Rows of before had no column for it.
    return int(version.fee) if version.fee is not None else evm.fee_max(version.unsigned)
