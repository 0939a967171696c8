"""Transactions that spend from our addresses, found in a block: our own payouts, or somebody else's hand.

What must never happen here: a spend that we did not sign passing in silence. It stops withdrawals in the transaction
that records the block.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from django.db import transaction

from exchange.ledger.services import stops
from wallets import faults, news
from wallets.chains.protocol import BlockRef, Confirmation, Spend
from wallets.lifecycle import State
from wallets.models import Movement, Payout, PayoutVersion
from wallets.routes import Routes
from wallets.services import reserving_evm as reserving
from wallets.services import steps

log = structlog.get_logger(__name__)
STOP_SOURCE = "wallets"


def record(
    *,
    found_spends: Sequence[Spend],
    ref: BlockRef,
    receipts: dict[str, Confirmation],
    unmoved: frozenset[str] = frozenset(),
    own: dict[str, PayoutVersion],
    routes: Routes,
    now: datetime,
) -> None:
    """Marks our payouts as mined and raises the alarm for every other spend. Inside the block's transaction."""
    for txid in dict.fromkeys(spend.txid for spend in found_spends):
        version = own.get(txid)
        if version is None:
            _alarm(txid, ref=ref, network=routes.network.code, now=now)
        else:
            _mined(version, ref=ref, receipt=receipts.get(txid), unmoved=txid in unmoved, routes=routes, now=now)


def _alarm(txid: str, *, ref: BlockRef, network: str, now: datetime) -> None:
    log.critical("coins_moved_by_others", network=network, txid=txid, height=ref.height)
    stops.stop(
        scope="withdrawals",
        reason=f"{txid} in {network} block {ref.height} moves coins of ours and was not signed by us",
        source=STOP_SOURCE,
        now=now,
    )
    news.network("coins_moved", network=network, error=f"{txid} at {ref.height}", now=now)


def _mined(
    version: PayoutVersion,
    *,
    ref: BlockRef,
    receipt: Confirmation | None,
    unmoved: bool,
    routes: Routes,
    now: datetime,
) -> None:
    payout = Payout.objects.select_for_update().get(pk=version.payout_id)
    if payout.block_hash == ref.hash:
        return  # a rescan
    if unmoved:
        asset = routes.by_asset(payout.asset_id).asset_code
        _unmoved(version, ref=ref, network=routes.network.code, asset=asset, now=now)
    # A UTXO transaction in a block has succeeded, and its fee is what its bytes leave; an EVM one has a receipt. A version that
    # cancels has done its own work, but not the payout's.
    succeeded = (receipt.succeeded if receipt else True) and version.kind != PayoutVersion.Kind.CANCEL
    final_before = payout.state == Payout.State.FINAL
    # Given up, and its withdrawals failed; what moved nothing but our own coins is taken up again.
    lost_before = payout.state == Payout.State.LOST and payout.kind == Payout.Kind.PAYOUT
    if (final_before and payout.succeeded != succeeded) or (lost_before and succeeded):
        _contradiction(version, ref=ref, network=routes.network.code, now=now)
    final_before = final_before or lost_before
    payout.txid, payout.block_height, payout.block_hash = version.txid, ref.height, ref.hash
    payout.succeeded = succeeded
    payout.network_fee = receipt.fee if receipt else int(version.unsigned["fee"])
    if not final_before:
        payout.state = Payout.State.CONFIRMED
    if payout.kind != Payout.Kind.PAYOUT and routes.network.family == "evm" and succeeded:
        # What empties an account moves less when its fee was raised.
        link = routes.by_asset(payout.asset_id)
        payout.amount = link.from_chain(int(version.unsigned["pays"]["amount"]))
    payout.save()
    if routes.network.family == "evm":
        _move(payout, routes=routes)
    if not final_before:
        rows = list(payout.withdrawals.select_for_update().order_by("id"))
        steps.enter_all(rows, State.CONFIRMED, txid=version.txid, now=now)
    faults.passing("payout.mined.before_commit")
    transaction.on_commit(lambda: faults.passing("payout.mined.after_commit"))


def _unmoved(version: PayoutVersion, *, ref: BlockRef, network: str, asset: str, now: datetime) -> None:
    """A token took our call and moved nothing. Nothing was paid; whether it may stay listed is for staff. The others go on."""
    contract = version.unsigned["pays"]["contract"]
    log.critical("token_did_not_move", network=network, txid=version.txid, contract=contract, height=ref.height)
    stops.stop(
        scope=f"withdrawals:{asset}",
        reason=f"the token {contract} took {version.txid} in {network} block {ref.height} and moved nothing",
        source=STOP_SOURCE,
        now=now,
    )


def _contradiction(version: PayoutVersion, *, ref: BlockRef, network: str, now: datetime) -> None:
    """The books are closed over one version, and a deep reorganisation had the other mined: staff must put it right."""
    log.critical("settled_otherwise", network=network, txid=version.txid, height=ref.height)
    stops.stop(
        scope="withdrawals",
        reason=f"{version.txid} in {network} block {ref.height} undoes what payout {version.payout_id} was settled as",
        source=STOP_SOURCE,
        now=now,
    )


def _move(payout: Payout, *, routes: Routes) -> None:
    """What an EVM payout took from its sender: the fee always, the coins only when it did not revert."""
    rows = [("fee", routes.own_coin.asset_id, payout.network_fee or 0)]
    if payout.succeeded:
        rows.append(("paid", payout.asset_id, reserving.moves(payout)))
    for position, asset_id, amount in rows:
        Movement.objects.get_or_create(
            txid=payout.txid,
            position=position,
            address_id=payout.address_id,
            asset_id=asset_id,
            defaults={"network_id": payout.network_id, "block_height": payout.block_height, "delta": -amount},
        )
