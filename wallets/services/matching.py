"""What of a block concerns us, and how it is written down.

`look` asks the node and opens no transaction; `record` writes inside the caller's, under the cursor's lock. What must
never happen here: money moved (that is crediting's), an arrival recorded twice, or change of our own payout taken for a deposit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from exchange.assets.selectors import AssetNetworkView
from wallets import news
from wallets.chains.protocol import BlockNotFound, BlockRef, Confirmation, Credit, Spend
from wallets.models import Address, Block, Coin, Deposit, Movement, PayoutVersion
from wallets.routes import Routes
from wallets.services import mined, watching

# A coin that is our own change hangs on a payout of ours; one confirmation is enough to spend it on.
CHANGE_CONFIRMATIONS = 1


@dataclass(frozen=True, slots=True)
class Found:
    """A block's matches, read before the transaction opens. `receipts` are of our own EVM transactions, by txid."""

    ref: BlockRef
    credits: Sequence[Credit]
    spends: Sequence[Spend]
    receipts: dict[str, Confirmation]


def look(*, chain: Any, routes: Routes, height: int) -> Found:
    """Reads one block. The watch set is refreshed after the fetch, so an address that this block pays is in it."""
    block = chain.block(height)
    keys = watching.of(routes.network.id).refresh()
    credits = block.credits(keys)
    if routes.network.family == "evm":
        spends = block.spends(watching.Senders(keys))
        ours = _own_versions([spend.txid for spend in spends])
        return Found(block.ref, credits, spends, {txid: _receipt(chain, txid, block.ref) for txid in ours})
    outpoints = _known_outpoints(routes.network.id, block.spent())
    outpoints.update(f"{credit.txid}:{credit.slot}" for credit in credits)
    return Found(block.ref, credits, block.spends(outpoints), {})


def _receipt(chain: Any, txid: str, ref: BlockRef) -> Confirmation:
    """What a transaction of ours cost in this very block, and whether it succeeded."""
    receipt: Confirmation = chain.confirmation(txid, block_hash=ref.hash)
    if receipt.state != "mined" or receipt.block_hash != ref.hash or receipt.fee is None:
        raise BlockNotFound(f"{txid} left block {ref.hash} while we looked")
    return receipt


def record(*, found: Found, routes: Routes, now: datetime) -> None:
    """Writes the block and everything of it that is ours. Recording the same block again changes nothing."""
    network_id, ref = routes.network.id, found.ref
    block = Block(
        network_id=network_id,
        height=ref.height,
        hash=ref.hash,
        parent=ref.parent,
        time=datetime.fromtimestamp(ref.time, UTC),
        scanned_at=now,
    )
    # A branch that was left may win again: its blocks come back to life.
    Block.objects.bulk_create(
        [block], update_conflicts=True, unique_fields=["network_id", "hash"], update_fields=["orphaned_at"]
    )
    own = _own_versions({spend.txid for spend in found.spends} | {credit.txid for credit in found.credits})
    _record_credits(found, routes=routes, own=own, now=now)
    if routes.network.family == "utxo":
        _record_spent_coins(found, network_id=network_id)
    mined.record(found_spends=found.spends, ref=ref, receipts=found.receipts, own=own, routes=routes, now=now)


def _own_versions(txids: Any) -> dict[str, PayoutVersion]:
    rows = PayoutVersion.objects.select_related("payout").filter(txid__in=list(txids))
    return {version.txid: version for version in rows}


def _known_outpoints(network_id: int, spent: set[str]) -> set[str]:
    """Which of these "txid:vout" are coins of ours: one lookup in an index, whatever the number of our coins."""
    if not spent:
        return set()
    pairs = [outpoint.split(":") for outpoint in spent]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.txid || ':' || c.vout FROM unnest(%s::text[], %s::int[]) AS s(txid, vout) "
            "JOIN wallets_coin c ON c.network_id = %s AND c.txid = s.txid AND c.vout = s.vout",
            [[txid for txid, _ in pairs], [int(vout) for _, vout in pairs], network_id],
        )
        return {row[0] for row in cursor.fetchall()}


def _record_credits(found: Found, *, routes: Routes, own: dict[str, PayoutVersion], now: datetime) -> None:
    addresses = addresses_by_key(routes.network.id, [credit.key for credit in found.credits])
    for credit in found.credits:
        address, link = addresses.get(credit.key), routes.by_contract(credit.contract)
        if address is None or link is None:
            continue  # a token we do not know, or an address that was rolled back
        required = max(link.confirmations_for(credit.amount), credit.maturity)
        if credit.txid in own and address.purpose == Address.Purpose.HOT:
            required = CHANGE_CONFIRMATIONS
        else:
            arrive(credit, address, link, ref=found.ref, required=required, now=now)
        if routes.network.family == "utxo":
            _add_coin(credit, address, height=found.ref.height, required=required)
        else:
            _add_movement(credit, address, link, height=found.ref.height)


def addresses_by_key(network_id: int, keys: Sequence[bytes]) -> dict[bytes, Address]:
    """Our address rows of these watch keys. One query."""
    rows = Address.objects.filter(network_id=network_id, script__in=list(set(keys)))
    return {bytes(row.script): row for row in rows}


def arrive(
    credit: Credit,
    address: Address,
    link: AssetNetworkView,
    *,
    ref: BlockRef | None,
    required: int,
    now: datetime,
) -> Deposit | None:
    """Writes an arrival down: in the mempool (`ref` None) or in a block. None when nothing changed."""
    open_states = (Deposit.State.ORPHANED, Deposit.State.DROPPED) + ((Deposit.State.SEEN,) if ref else ())
    deposit = (
        Deposit.objects.select_for_update()
        .filter(network_id=link.network_id, txid=credit.txid, position=credit.slot)
        .first()
    )
    if deposit is None:
        deposit = Deposit(network_id=link.network_id, txid=credit.txid, position=credit.slot, seen_at=now)
    elif deposit.state not in open_states or deposit.reversal_due:
        return None
    deposit.asset_id, deposit.amount = link.asset_id, credit.amount
    deposit.address, deposit.owner_id = address, address.owner_id
    deposit.confirmations_required = required
    deposit.state = Deposit.State.CONFIRMING if ref else Deposit.State.SEEN
    deposit.block_height, deposit.block_hash = (ref.height, ref.hash) if ref else (None, "")
    deposit.save()
    scanned = ref.height if ref else 0
    news.deposit("confirming" if ref else "seen", deposit, link, scanned_height=scanned, now=now)
    return deposit


def _add_coin(credit: Credit, address: Address, *, height: int, required: int) -> None:
    Coin.objects.update_or_create(
        network_id=address.network_id,
        txid=credit.txid,
        vout=int(credit.slot),
        defaults={"block_height": height, "mature_height": height + required - 1},
        create_defaults={
            "block_height": height,
            "mature_height": height + required - 1,
            "address": address,
            "amount": credit.amount,
        },
    )


def _add_movement(credit: Credit, address: Address, link: AssetNetworkView, *, height: int) -> None:
    Movement.objects.get_or_create(
        txid=credit.txid,
        position=credit.slot,
        address=address,
        asset_id=link.asset_id,
        defaults={"network_id": link.network_id, "block_height": height, "delta": credit.amount},
    )


def _record_spent_coins(found: Found, *, network_id: int) -> None:
    for spend in found.spends:
        txid, _, vout = spend.spent.partition(":")
        Coin.objects.filter(network_id=network_id, txid=txid, vout=int(vout)).update(
            spent_txid=spend.txid, spent_height=found.ref.height
        )
