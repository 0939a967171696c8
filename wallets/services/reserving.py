"""Sets coins or a nonce aside for a payout, and builds its unsigned transaction once and for all.

Both are unique in the database, so two workers cannot promise one coin or one nonce twice. What must never happen here: a
coin that may still be reorganised away being spent, a nonce with a gap below it, or a payout rebuilt with other inputs.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Sum

from wallets import nodes
from wallets.chains.evm import payout as evm
from wallets.chains.protocol import DustOutput, InsufficientCoins
from wallets.chains.utxo import payout as utxo
from wallets.lifecycle import State
from wallets.models import (
    Address,
    Coin,
    Cursor,
    Deposit,
    Movement,
    Nonce,
    Payout,
    PayoutVersion,
    Reservation,
    Withdrawal,
)
from wallets.routes import Routes
from wallets.services import steps
from wallets.services.xpubs import CHANGE_BRANCH

# The largest coins are offered to the choice; many small ones are for a consolidation, not for a payout.
COINS_OFFERED_MAX = 400
FEE_TARGET_BLOCKS = 6


class CannotReserve(Exception):
    """Not now; `why` is the word that the withdrawal shows until it can."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def reserve(*, withdrawal: Withdrawal, routes: Routes, now: datetime) -> bool:
    """Reserves for an approved withdrawal. False when somebody else did. Raises CannotReserve, ChainError."""
    if routes.network.family == "utxo":
        fee_rate = nodes.chain(routes.network.code).fee_rate(FEE_TARGET_BLOCKS)
        return _in_transaction(withdrawal.id, routes, _utxo, {"fee_rate": fee_rate}, now=now)
    return _in_transaction(withdrawal.id, routes, _evm, _ask_evm(withdrawal, routes), now=now)


def _in_transaction(withdrawal_id: UUID, routes: Routes, build: Any, asked: dict[str, Any], *, now: datetime) -> bool:
    """Locks in the room's order (cursor, withdrawal, hot address), then builds and writes the payout."""
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update().filter(network_id=routes.network.id).first()
        withdrawal = Withdrawal.objects.select_for_update().get(pk=withdrawal_id)
        if withdrawal.state != State.APPROVED:
            return False
        hot = (
            Address.objects.select_for_update(of=("self",))
            .select_related("xpub")
            .filter(network_id=routes.network.id, purpose=Address.Purpose.HOT, xpub__retired_at=None)
            .order_by("-branch")
            .first()
        )
        if hot is None or cursor is None:
            raise CannotReserve("hot_wallet_short")
        payout = Payout(
            network_id=routes.network.id,
            asset_id=withdrawal.asset_id,
            state=Payout.State.RESERVED,
            address=hot,
            confirmations_required=routes.by_asset(withdrawal.asset_id).confirmations_for(withdrawal.amount),
            created_at=now,
        )
        payout.save()
        unsigned = build(withdrawal, payout, hot, cursor, routes, now=now, **asked)
        PayoutVersion.objects.create(payout=payout, unsigned=unsigned, created_at=now)
        steps.enter(withdrawal, State.RESERVED, payout=payout, payout_position=0, now=now)
    return True


def path(address: Address) -> str:
    """The derivation path that the signer takes. Reads address.xpub."""
    return f"{address.xpub.path}/{address.branch}/{address.index}"


def _utxo(
    withdrawal: Withdrawal,
    payout: Payout,
    hot: Address,
    cursor: Cursor,
    routes: Routes,
    *,
    fee_rate: int,
    now: datetime,
) -> dict[str, Any]:
    assert hot.branch == CHANGE_BRANCH
    taken = Reservation.objects.filter(released_at=None, coin__network_id=routes.network.id).values("coin_id")
    free = (
        Coin.objects.select_related("address__xpub")
        .filter(network_id=routes.network.id, spent_height=None, mature_height__lte=cursor.height)
        .exclude(id__in=taken)
        .order_by("-amount")[:COINS_OFFERED_MAX]
    )
    by_outpoint = {f"{coin.txid}:{coin.vout}": coin for coin in free}
    offered = [
        utxo.Coin(coin.txid, coin.vout, coin.amount, bytes(coin.address.script), path(coin.address))
        for coin in by_outpoint.values()
    ]
    payment = utxo.Payment(withdrawal.address, withdrawal.amount, str(withdrawal.id))
    try:
        unsigned = nodes.rules(routes.network.code).payout(
            coins=offered, payments=[payment], change=utxo.Change(hot.address, path(hot)), fee_rate=fee_rate
        )
    except (InsufficientCoins, DustOutput):
        raise CannotReserve("hot_wallet_short") from None
    Reservation.objects.bulk_create(
        Reservation(coin=by_outpoint[coin.outpoint], payout=payout, reserved_at=now) for coin in unsigned.inputs
    )
    return unsigned.to_json()


def _ask_evm(withdrawal: Withdrawal, routes: Routes) -> dict[str, Any]:
    """Everything the node has to say, asked before the transaction opens."""
    hot = Address.objects.filter(
        network_id=routes.network.id, purpose=Address.Purpose.HOT, xpub__retired_at=None
    ).first()
    link = routes.by_asset(withdrawal.asset_id)
    if hot is None:
        raise CannotReserve("hot_wallet_short")
    chain = nodes.chain(routes.network.code)
    held = chain.holdings([bytes(hot.script)], contract=link.contract).amount
    if held < withdrawal.amount:
        raise CannotReserve("hot_wallet_short")  # an estimate of gas would fail for want of coins
    payment = evm.Payment(withdrawal.address, withdrawal.amount, str(withdrawal.id), link.contract)
    return {
        "payment": payment,
        "fees": chain.fees(),
        "gas_limit": chain.send_gas(from_address=hot.address, payment=payment),
        "mined_nonce": chain.nonce(hot.address),
    }


def _evm(
    withdrawal: Withdrawal,
    payout: Payout,
    hot: Address,
    cursor: Cursor,
    routes: Routes,
    *,
    payment: evm.Payment,
    fees: evm.Fees,
    gas_limit: int,
    mined_nonce: int,
    now: datetime,
) -> dict[str, Any]:
    unsigned_before = Payout.objects.filter(address=hot, state__in=(Payout.State.RESERVED, Payout.State.SIGNING))
    if unsigned_before.exclude(pk=payout.pk).exists():
        # One nonce at a time goes to the signer: were it refused, every later one would hang above the gap.
        raise CannotReserve("hot_wallet_busy")
    fee_max = fees.max_fee_per_gas * gas_limit
    gas_asset = routes.own_coin.asset_id
    needed = {gas_asset: fee_max}
    needed[withdrawal.asset_id] = needed.get(withdrawal.asset_id, 0) + withdrawal.amount
    for asset_id, amount in needed.items():
        if spendable(hot, asset_id=asset_id, gas_asset_id=gas_asset, but=payout.id) < amount:
            short_of_gas = asset_id == gas_asset != withdrawal.asset_id
            raise CannotReserve("hot_wallet_gas_short" if short_of_gas else "hot_wallet_short")
    nonce = next_nonce(hot, mined_nonce=mined_nonce)
    Nonce.objects.create(address=hot, nonce=nonce, payout=payout, reserved_at=now)
    unsigned = nodes.rules(routes.network.code).payout(
        from_address=hot.address, from_path=path(hot), nonce=nonce, payment=payment, fees=fees, gas_limit=gas_limit
    )
    return dict(unsigned.to_json())


def next_nonce(hot: Address, *, mined_nonce: int) -> int:
    """The nonce after every one we promised and every one the chain has seen. The address row is locked by the caller."""
    highest = Nonce.objects.filter(address=hot, released_at=None).aggregate(highest=Max("nonce"))["highest"]
    return max(mined_nonce, 0 if highest is None else highest + 1)


def spendable(hot: Address, *, asset_id: int, gas_asset_id: int, but: UUID) -> int:
    """What the hot account can spend: what blocks gave it for good, less what is promised and not mined yet."""
    moved = Movement.objects.filter(address=hot, asset_id=asset_id).aggregate(sum=Sum("delta"))["sum"] or 0
    unsure = (
        Deposit.objects.filter(address=hot, asset_id=asset_id, state=Deposit.State.CONFIRMING).aggregate(
            sum=Sum("amount")
        )["sum"]
        or 0
    )
    promised = 0
    waiting = Payout.objects.filter(address=hot, block_height=None).exclude(state=Payout.State.RELEASED)
    for payout in waiting.exclude(pk=but).prefetch_related("versions", "withdrawals"):
        if payout.asset_id == asset_id:
            promised += sum(withdrawal.amount for withdrawal in payout.withdrawals.all())
        if asset_id == gas_asset_id:
            promised += max((_fee_max(version.unsigned) for version in payout.versions.all()), default=0)
    return int(moved) - int(unsure) - promised


def _fee_max(unsigned: dict[str, Any]) -> int:
    return int(unsigned["max_fee_per_gas"]) * int(unsigned["gas_limit"])
