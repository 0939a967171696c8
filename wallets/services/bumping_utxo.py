"""The UTXO half of bumping: what the node says of the waiting transaction, its replacement, or a child that pays for it.

What must never happen here: a coin added that is promised elsewhere or still unconfirmed (nodes refuse such a replacement), or a
child of an output that is not ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wallets import nodes
from wallets.chains.protocol import PayoutImpossible
from wallets.chains.utxo import bump
from wallets.chains.utxo import payout as utxo
from wallets.models import Address, Coin, Cursor, Payout, PayoutVersion, Reservation
from wallets.routes import Routes
from wallets.services import hot, reserving_utxo

# Whoever bumps is in a hurry.
FEE_TARGET_BLOCKS = 2
SPARE_MAX = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """What the node said. `replaced_fees`: of all that a replacement throws out; `package_*`: of all that a child pulls along."""

    newest: PayoutVersion
    unsigned: utxo.UnsignedUtxo
    fee_rate: int
    replaced_fees: int
    package_fee: int
    package_size: int


def ask(payout: Payout, routes: Routes, fee_rate: int | None) -> Asked:
    """Asks the node about every version that may wait there. Raises ChainError."""
    chain, parameters = nodes.chain(routes.network.code), nodes.rules(routes.network.code).parameters
    kept = list(payout.versions.exclude(raw=None).order_by("number"))
    newest = kept[-1]
    unsigned = utxo.from_json(newest.unsigned)
    size = unsigned.vsize(parameters)
    replaced, package_fee, package_size = [int(version.fee or 0) for version in kept], unsigned.fee, size
    for version in kept:
        entry = chain.mempool_entry(version.txid)
        if entry is not None:
            replaced.append(entry.descendant_fees)
            if version.pk == newest.pk:
                package_fee, package_size = entry.ancestor_fees, entry.ancestor_vsize
    # Nodes take a replacement only at a higher rate than what it replaces, too.
    least = -(-package_fee * 1000 // package_size) + parameters.incremental_fee_rate
    wanted = chain.fee_rate(FEE_TARGET_BLOCKS) if fee_rate is None else fee_rate
    return Asked(newest, unsigned, max(wanted, least), max(replaced), package_fee, package_size)


def replacement(
    payout: Payout, routes: Routes, asked: Asked, cursor: Cursor, *, kind: str, now: datetime
) -> utxo.UnsignedUtxo:
    """The same inputs at a higher fee, paying the same, or (a cancel) only ourselves. Coins that it adds are promised to it."""
    change_address = hot.address(routes.network.id, lock=True) or payout.address
    change = utxo.Change(change_address.address, hot.path(change_address))
    parameters = nodes.rules(routes.network.code).parameters
    cap = hot.fee_cap(routes, payout.withdrawals.all())
    if kind == PayoutVersion.Kind.CANCEL:
        return bump.cancellation(
            asked.unsigned,
            parameters=parameters,
            fee_rate=asked.fee_rate,
            replaced_fees=asked.replaced_fees,
            change=change,
            fee_max=cap,
        )
    free = reserving_utxo.free(routes.network.id, cursor).order_by("-amount", "id")[:SPARE_MAX]
    spare = {f"{coin.txid}:{coin.vout}": coin for coin in free}
    made = bump.replacement(
        asked.unsigned,
        parameters=parameters,
        fee_rate=asked.fee_rate,
        replaced_fees=asked.replaced_fees,
        change=change,
        spare=[reserving_utxo.as_input(coin) for coin in spare.values()],
        fee_max=cap,
    )
    added = [spare[coin.outpoint] for coin in made.inputs if coin.outpoint in spare]
    reserving_utxo.reserve(added, payout, now=now)
    return made


def child(parent: Payout, routes: Routes, asked: Asked, *, actor_id: int | None, now: datetime) -> PayoutVersion:
    """A payout of its own that spends the parent's change; from here the machine takes it on. The cursor's row is locked."""
    if parent.children.filter(kind=Payout.Kind.CHILD, closed_at=None).exists():
        raise PayoutImpossible("a child pays for it already; that one can be bumped")
    change_address = hot.address(routes.network.id, lock=True) or parent.address
    cap = hot.fee_cap(routes, parent.withdrawals.all())
    made = bump.child(
        asked.unsigned,
        txid=asked.newest.txid,
        parameters=nodes.rules(routes.network.code).parameters,
        fee_rate=asked.fee_rate,
        package_fee=asked.package_fee,
        package_size=asked.package_size,
        change=utxo.Change(change_address.address, hot.path(change_address)),
        # Parent and child together stay below the parent's cap.
        fee_max=None if cap is None else max(0, cap - asked.unsigned.fee),
    )
    payout = Payout.objects.create(
        network_id=parent.network_id,
        asset_id=parent.asset_id,
        state=Payout.State.RESERVED,
        kind=Payout.Kind.CHILD,
        amount=made.outputs[0].amount,
        destination=change_address.address,
        parent=parent,
        requested_by=actor_id,
        address=change_address,
        confirmations_required=routes.own_coin.confirmations,
        created_at=now,
    )
    Reservation.objects.create(coin=_change_coin(made.inputs[0], asked, parent), payout=payout, reserved_at=now)
    return PayoutVersion.objects.create(
        payout=payout, unsigned=made.to_json(), fee=made.fee, requested_by=actor_id, created_at=now
    )


def _change_coin(coin: utxo.Coin, asked: Asked, parent: Payout) -> Coin:
    """The parent's change, known before a block holds it: it can be promised once, like any other coin."""
    address = asked.unsigned.outputs[coin.vout].address
    row, _ = Coin.objects.get_or_create(
        network_id=parent.network_id,
        txid=coin.txid,
        vout=coin.vout,
        defaults={
            "address": Address.objects.get(network_id=parent.network_id, address=address),
            "amount": coin.amount,
            "spends": [each.outpoint for each in asked.unsigned.inputs],
        },
    )
    if Reservation.objects.filter(coin=row, released_at=None).exists():
        raise PayoutImpossible("the change is spent by another transaction of ours")
    return row
