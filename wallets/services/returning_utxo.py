"""A proposal of coins: which of the cold wallet's are spent, and the PSBT that is carried to its keys.

The previous transactions come from the node and are held against our index, coin by coin: a file with a wrong amount would make a
device sign away the difference as a fee. What must never happen here: a coin of another wallet, or one that is promised already.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from custody import psbt
from exchange.assets.selectors import AssetNetworkView
from wallets import nodes
from wallets.chains.protocol import DustOutput, InsufficientCoins
from wallets.chains.utxo import cold_payout
from wallets.chains.utxo.payout import Change, UnsignedUtxo
from wallets.models import Address, Block, Coin, ColdWallet, Cursor, Payout, PayoutVersion, Reservation
from wallets.routes import Routes
from wallets.services import cold_wallets, hot, reserving, reserving_utxo
from wallets.services.hot import CannotReserve

COINS_OFFERED_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything but the reservation."""

    link: AssetNetworkView
    sender: Address
    spending: psbt.Spending
    coins: tuple[Coin, ...]
    previous: dict[str, bytes]
    network: str


def plan(
    routes: Routes,
    link: AssetNetworkView,
    wallet: ColdWallet,
    amount: int | None,
    *,
    fee_rate: int | None,
    now: datetime,
) -> Plan:
    """Chooses coins and asks the node for their transactions. Raises CannotReserve, ChainError."""
    chain = nodes.chain(link.network)
    rate = fee_rate or chain.fee_rate(reserving.FEE_TARGET_BLOCKS)
    descriptor = cold_wallets.descriptor_of(wallet)
    offered = {f"{coin.txid}:{coin.vout}": coin for coin in free(wallet)[:COINS_OFFERED_MAX]}
    change = cold_wallets.next_address(wallet=wallet, branch=descriptor.change_branch, now=now)
    unsigned = _build(routes, wallet, list(offered.values()), change, amount, rate)
    coins = tuple(offered[coin.outpoint] for coin in unsigned.inputs)
    blocks = _blocks(coins)
    previous = {coin.txid: chain.raw_transaction(coin.txid, block_hash=blocks.get(coin.id, "")) for coin in coins}
    name = f"{link.network} {descriptor.parameters.network}"
    return Plan(link, change, psbt.Spending(unsigned, descriptor), coins, previous, name)


def _build(
    routes: Routes, wallet: ColdWallet, coins: list[Coin], change: Address, amount: int | None, fee_rate: int
) -> UnsignedUtxo:
    to = (
        Address.objects.select_related("xpub")
        .filter(network_id=wallet.network_id, purpose=Address.Purpose.HOT, branch=0, xpub__retired_at=None)
        .first()
    )
    if to is None:
        raise CannotReserve("hot_wallet_short")
    try:
        unsigned = cold_payout.build(
            descriptor=cold_wallets.descriptor_of(wallet),
            coins=[reserving_utxo.as_input(coin) for coin in coins],
            destination=Change(to.address, hot.path(to)),
            change=Change(change.address, hot.path(change)),
            amount=amount,
            fee_rate=fee_rate,
        )
    except (InsufficientCoins, DustOutput):
        raise CannotReserve("hot_wallet_short") from None
    cap = hot.fee_cap(routes)
    if cap is not None and unsigned.fee > cap:
        raise CannotReserve("fees_high")
    return unsigned


def free(wallet: ColdWallet) -> list[Coin]:
    """The wallet's coins that may be spent now, the largest first."""
    cursor = Cursor.objects.filter(network_id=wallet.network_id).first()
    if cursor is None:
        return []
    taken = Reservation.objects.filter(released_at=None, coin__network_id=wallet.network_id).values("coin_id")
    rows = Coin.objects.select_related("address").filter(
        network_id=wallet.network_id,
        address__cold=wallet,
        spent_height=None,
        mature_height__lte=cursor.height,
    )
    return list(rows.exclude(id__in=taken).order_by("-amount", "id"))


def _blocks(coins: tuple[Coin, ...]) -> dict[int, str]:
    """The hash of the block that each coin stands in: a node without an index of transactions needs it."""
    heights = {coin.block_height for coin in coins}
    network_id = coins[0].network_id
    rows = Block.objects.filter(network_id=network_id, height__in=heights, orphaned_at=None)
    hashes = dict(rows.values_list("height", "hash"))
    return {coin.id: hashes.get(coin.block_height or -1, "") for coin in coins}


def reserve(plan: Plan, *, actor_id: int, now: datetime) -> tuple[UUID, str]:
    """Reserves the coins; the payout's id and the PSBT. In the caller's transaction. Raises CannotReserve, PreviousMismatch."""
    unsigned = plan.spending.unsigned
    txid = plan.spending.txid()
    # The same proposal made once more is the same transaction, and one version names it.
    PayoutVersion.objects.filter(txid=txid, payout__state=Payout.State.RELEASED).update(txid="")
    payout_id = reserving.reserve_built(
        kind=Payout.Kind.RETURN,
        network=plan.link.network,
        asset_id=plan.link.asset_id,
        coins=plan.coins,
        unsigned=unsigned.to_json(),
        amount=unsigned.outputs[0].amount,
        destination=unsigned.outputs[0].address,
        address=plan.sender,
        requested_by=actor_id,
        now=now,
    )
    # Known before anybody signed: should another wallet send it, the scanner knows it for ours.
    PayoutVersion.objects.filter(payout_id=payout_id).update(txid=txid)
    note = {"network": plan.network, "proposal": str(payout_id)}
    return payout_id, psbt.make(plan.spending, previous=plan.previous, note=note)
