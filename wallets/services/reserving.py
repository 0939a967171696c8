"""Sets coins or a nonce aside for a transaction of ours, and builds it unsigned once and for all.

Both are unique in the database, so two workers cannot promise one coin or one nonce twice. The node is asked before the
transaction opens; then locks are taken in the room's order: cursor, withdrawals, hot address, coins. What must never happen here:
a coin that may still be reorganised away being spent, a nonce with a gap below it, or a payout rebuilt with other inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from wallets import faults, nodes
from wallets import routes as the_routes
from wallets.chains.evm import payout as evm
from wallets.chains.utxo import payout as utxo
from wallets.lifecycle import State
from wallets.models import Address, Coin, Cursor, Payout, PayoutVersion, Withdrawal
from wallets.routes import Routes
from wallets.services import hot, reserving_evm, reserving_utxo, steps
from wallets.services.hot import CannotReserve, path
from wallets.services.reserving_evm import next_nonce, spendable
from wallets.services.reserving_utxo import FEE_TARGET_BLOCKS

__all__ = ["CannotReserve", "next_nonce", "path", "reserve", "reserve_built", "reserve_internal", "spendable"]

Kind = Payout.Kind
# What it costs to move our own coins about is paid when it is cheap.
PATIENT_TARGET_BLOCKS = 24


def reserve(*, routes: Routes, ids: Sequence[UUID], now: datetime) -> UUID | None:
    """One payout for these approved withdrawals of a network: as many as fit on a UTXO chain, exactly one elsewhere.

    None when somebody else took them meanwhile. Raises CannotReserve, ChainError.
    """
    if routes.network.family == "utxo":
        fee_rate = nodes.chain(routes.network.code).fee_rate(FEE_TARGET_BLOCKS)
        return _batch(routes, ids, fee_rate=fee_rate, now=now)
    (only,) = ids
    return _single(routes, only, now=now)


def _batch(routes: Routes, ids: Sequence[UUID], *, fee_rate: int, now: datetime) -> UUID | None:
    with transaction.atomic():
        cursor = _cursor(routes)
        rows = _approved(ids)
        if not rows:
            return None
        payout = _payout(routes, rows, _hot(routes), now=now)
        built = reserving_utxo.withdrawals(rows, payout, cursor, routes, fee_rate=fee_rate)
        payout.confirmations_required = _confirmations(routes, built.served)
        payout.save()
        reserving_utxo.reserve(built.coins, payout, now=now)
        _first_version(payout, built.unsigned.to_json(), fee=built.unsigned.fee, now=now)
        for position, row in enumerate(built.served):
            row.payout, row.payout_position = payout, position
        Withdrawal.objects.bulk_update(built.served, ["payout", "payout_position"])
        steps.enter_all(built.served, State.RESERVED, now=now)
        faults.passing("payout.reserve.before_commit")
    faults.passing("payout.reserve.after_commit")
    return payout.id


def _single(routes: Routes, withdrawal_id: UUID, *, now: datetime) -> UUID | None:
    withdrawal = Withdrawal.objects.get(pk=withdrawal_id)
    sender, link = hot.address(routes.network.id), routes.by_asset(withdrawal.asset_id)
    if sender is None:
        raise CannotReserve("hot_wallet_short")
    if reserving_evm.busy(sender):
        raise CannotReserve("hot_wallet_busy")
    amount = link.to_chain(withdrawal.amount)
    payment = evm.Payment(withdrawal.address, amount, str(withdrawal.id), link.contract)
    asked = reserving_evm.ask(sender=sender, payment=payment, amount=withdrawal.amount, link=link)
    with transaction.atomic():
        _cursor(routes)
        rows = _approved([withdrawal_id])
        if not rows:
            return None
        payout = _payout(routes, rows, _hot(routes), now=now)
        payout.save()
        unsigned = reserving_evm.build(
            payout, asked, routes, amount=withdrawal.amount, fee_max=hot.fee_cap(routes, rows), now=now
        )
        _first_version(payout, unsigned, fee=asked.fee_max, now=now)
        steps.enter(rows[0], State.RESERVED, payout=payout, payout_position=0, now=now)
        faults.passing("payout.reserve.before_commit")
    faults.passing("payout.reserve.after_commit")
    return payout.id


def reserve_internal(
    *,
    kind: str,
    network: str,
    asset_id: int,
    sender: Address | None,
    destination: str,
    destination_path: str,
    amount: int,
    parent: UUID | None = None,
    requested_by: int | None = None,
    fees: evm.Fees | None = None,
    coins: Sequence[int] = (),
    now: datetime,
) -> UUID:
    """A transaction that moves coins between keys of the house's; the payout's id. Raises CannotReserve, ChainError.

    EVM: `amount` base units from `sender`; `fees` where the caller has reckoned with them.
    UTXO: a consolidation gathers the `coins` (ids) it names into the hot address, at whatever is left of them; any other kind
    pays `amount` from coins chosen here.
    """
    routes = the_routes.of(network)
    payout = Payout(
        network_id=routes.network.id,
        asset_id=asset_id,
        state=Payout.State.RESERVED,
        kind=kind,
        amount=amount,
        destination=destination,
        parent_id=parent,
        requested_by=requested_by,
        confirmations_required=routes.by_asset(asset_id).confirmations_for(amount),
        created_at=now,
    )
    if routes.network.family == "utxo":
        _internal_utxo(payout, routes, destination_path, coins, now=now)
    else:
        assert sender is not None
        if reserving_evm.busy(sender):
            raise CannotReserve("hot_wallet_busy")
        link = routes.by_asset(asset_id)
        payment = evm.Payment(destination, link.to_chain(amount), "", link.contract, destination_path)
        asked = reserving_evm.ask(sender=sender, payment=payment, amount=amount, link=link, fees=fees)
        _internal_evm(payout, routes, sender, asked, now=now)
    return payout.id


def _internal_utxo(
    payout: Payout, routes: Routes, destination_path: str, coins: Sequence[int], *, now: datetime
) -> None:
    fee_rate = nodes.chain(routes.network.code).fee_rate(PATIENT_TARGET_BLOCKS)
    with transaction.atomic():
        cursor = _cursor(routes)
        payout.address = _hot(routes)
        free = reserving_utxo.free(routes.network.id, cursor)
        payment = None
        if payout.kind == Kind.CONSOLIDATION:
            free = free.filter(id__in=coins)
        else:
            payment = utxo.Payment(payout.destination, payout.amount or 0, path=destination_path)
        built = reserving_utxo.internal(payment, payout, free, routes, fee_rate=fee_rate)
        if payout.kind == Kind.CONSOLIDATION:
            payout.amount, payout.destination = built.unsigned.outputs[0].amount, payout.address.address
        payout.save()
        reserving_utxo.reserve(built.coins, payout, now=now)
        _first_version(payout, built.unsigned.to_json(), fee=built.unsigned.fee, now=now)
        faults.passing("payout.reserve.before_commit")
    faults.passing("payout.reserve.after_commit")


def _internal_evm(
    payout: Payout, routes: Routes, sender: Address, asked: reserving_evm.Asked, *, now: datetime
) -> None:
    with transaction.atomic():
        _cursor(routes)
        payout.address = Address.objects.select_for_update(of=("self",)).select_related("xpub").get(pk=sender.pk)
        payout.save()
        cap = hot.fee_cap(routes)
        unsigned = reserving_evm.build(payout, asked, routes, amount=payout.amount or 0, fee_max=cap, now=now)
        _first_version(payout, unsigned, fee=asked.fee_max, now=now)
        faults.passing("payout.reserve.before_commit")
    faults.passing("payout.reserve.after_commit")


def reserve_built(
    *,
    kind: str,
    network: str,
    asset_id: int,
    coins: Sequence[Coin],
    unsigned: dict[str, Any],
    amount: int,
    destination: str,
    address: Address,
    requested_by: int | None = None,
    now: datetime,
) -> UUID:
    """A payout of coins that the caller chose and a transaction that it built (a way back from cold); the payout's id.

    Raises CannotReserve when one of the coins is spent or promised meanwhile.
    """
    routes = the_routes.of(network)
    with transaction.atomic():
        cursor = _cursor(routes)
        payout = Payout(
            network_id=routes.network.id,
            asset_id=asset_id,
            state=Payout.State.RESERVED,
            kind=kind,
            amount=amount,
            destination=destination,
            requested_by=requested_by,
            address=address,
            confirmations_required=routes.by_asset(asset_id).confirmations_for(amount),
            created_at=now,
        )
        wanted = [coin.pk for coin in coins]
        good = Coin.objects.filter(pk__in=wanted, spent_height=None, mature_height__lte=cursor.height).exclude(
            reservations__released_at=None, reservations__isnull=False
        )
        if good.count() != len(wanted):
            raise CannotReserve("coins_taken")
        payout.save()
        reserving_utxo.reserve(coins, payout, now=now)
        _first_version(payout, unsigned, fee=int(unsigned["fee"]), now=now)
        faults.passing("payout.reserve.before_commit")
    faults.passing("payout.reserve.after_commit")
    return payout.id


def _cursor(routes: Routes) -> Cursor:
    cursor = Cursor.objects.select_for_update().filter(network_id=routes.network.id).first()
    if cursor is None:
        raise CannotReserve("hot_wallet_short")
    return cursor


def _hot(routes: Routes) -> Address:
    hot_address = hot.address(routes.network.id, lock=True)
    if hot_address is None:
        raise CannotReserve("hot_wallet_short")
    return hot_address


def _approved(ids: Sequence[UUID]) -> list[Withdrawal]:
    """Locked; those that are still approved, the longest approved first.

    One that somebody else holds is passed over: whoever takes a batch apart locks its payout and then its withdrawals, and
    waiting here for one of them could wait for ever.
    """
    rows = Withdrawal.objects.select_for_update(skip_locked=True).filter(pk__in=list(ids)).order_by("id")
    approved = [row for row in rows if row.state == State.APPROVED]
    return sorted(approved, key=lambda row: (row.approved_at or row.requested_at, row.id))


def _payout(routes: Routes, rows: Sequence[Withdrawal], sender: Address, *, now: datetime) -> Payout:
    return Payout(
        network_id=routes.network.id,
        asset_id=rows[0].asset_id,
        state=Payout.State.RESERVED,
        kind=Kind.PAYOUT,
        address=sender,
        confirmations_required=_confirmations(routes, rows),
        created_at=now,
    )


def _confirmations(routes: Routes, rows: Sequence[Withdrawal]) -> int:
    return max(routes.by_asset(row.asset_id).confirmations_for(row.amount) for row in rows)


def _first_version(payout: Payout, unsigned: dict[str, Any], *, fee: int, now: datetime) -> None:
    PayoutVersion.objects.create(payout=payout, unsigned=unsigned, fee=fee, created_at=now)
