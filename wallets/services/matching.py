"""What of a block concerns us, and how it is written down.

`look` asks the node and opens no transaction; `record` writes inside the caller's, under the cursor's lock. What must
never happen here: money moved (that is crediting's), an arrival recorded twice, or change of our own payout taken for a deposit.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from exchange.assets.selectors import AssetNetworkView
from wallets import news
from wallets.chains.protocol import BlockNotFound, BlockRef, Confirmation, Credit, PendingTransaction, Spend
from wallets.chains.utxo.block import prevout
from wallets.models import Address, Block, Deposit, Movement, Payout, PayoutVersion
from wallets.routes import Routes
from wallets.services import arriving, coins, depth, mined, watching

# Inputs that are remembered of a transaction that waits; one of them is enough to see that it was replaced.
SPENDS_MAX = 50
# Asked for each block: by hand, because the query is nearly always answered by nothing.
SHOWN = "SELECT id, txid, spends::text FROM wallets_deposit WHERE network_id = %s AND state = %s"


@dataclass(frozen=True, slots=True)
class Found:
    """A block's matches, read before the transaction opens.

    `receipts` are of our own EVM transactions, by txid. `replaced` are deposits that we showed and whose inputs this block
    gives to another transaction: that one's txid by the deposit's id. `unmoved` are token payments of ours that the token took
    and did not make: their receipts are good, and say `succeeded` False here. `carried` are ways back from cold accounts
    that came to the network without passing here: the txid that each version turned out to have. `gone` are coins of ours that
    no block holds and none can any more: the txid that used up what their transaction spends, by the coin's id.
    """

    ref: BlockRef
    credits: Sequence[Credit]
    spends: Sequence[Spend]
    receipts: dict[str, Confirmation]
    replaced: dict[UUID, str] = field(default_factory=dict)
    unmoved: frozenset[str] = frozenset()
    carried: dict[UUID, str] = field(default_factory=dict)
    gone: dict[int, str] = field(default_factory=dict)


def look(*, chain: Any, routes: Routes, block: Any, exact: bool = False) -> Found:
    """What of a fetched block is ours. The registries are refreshed here, so an address that this block pays is in them.

    `exact` asks the database for every coin that the block spends: for old blocks, whose coins may be in no registry.
    """
    watch = watching.of(routes.network.id).refresh()
    credits = arriving.known(chain=chain, routes=routes, ref=block.ref, credits=_credits(watch, block, routes))
    shown = _shown(routes.network.id)
    unmoved: frozenset[str] = frozenset()
    carried: dict[str, PayoutVersion] = {}
    gone: dict[int, str] = {}
    if routes.network.family == "evm":
        spends = block.spends_from(_senders(routes.network.id, watch.hits(block.senders())))
        own = _own_versions([spend.txid for spend in spends])
        carried = _carried([spend for spend in spends if spend.txid not in own], block, routes.network.id)
        own |= carried
        receipts = {txid: _receipt(chain, txid, block.ref) for txid in own}
        unmoved = frozenset(txid for txid in own if receipts[txid].succeeded and not _moved(txid, own[txid], block))
        receipts |= {txid: replace(receipts[txid], succeeded=False) for txid in unmoved}
        others = block.spends(shown.keys()) if shown else []
    else:
        receipts = {}
        awaited = coins.awaited(routes.network.id)
        spends, others = _spends_of_coins(routes.network.id, block, credits, shown.keys() | awaited.keys(), exact=exact)
        gone = coins.gone(awaited, others)
    replaced = {
        deposit_id: spend.txid
        for spend in others
        for txid, deposit_id in shown.get(spend.spent, ())
        if txid != spend.txid
    }
    named = {version.id: txid for txid, version in carried.items()}
    return Found(block.ref, credits, spends, receipts, replaced, unmoved, named, gone)


def _senders(network_id: int, keys: set[bytes]) -> set[bytes]:
    """Those of the accounts that are certainly ours: a spend that only looks like ours would stop withdrawals."""
    return set(addresses_by_key(network_id, list(keys))) if keys else set()


def _credits(watch: watching.WatchSet, block: Any, routes: Routes) -> Sequence[Credit]:
    """What pays something that looks like ours; the rows of our addresses decide when it is recorded."""
    if routes.network.family == "evm":
        ours = watch.hits(block.destinations())
        return block.credits(ours) if ours else ()
    places = watch.find(block.outputs())
    return block.credits_at(places) if places else ()


def _spends_of_coins(
    network_id: int, block: Any, credits: Sequence[Credit], awaited: Collection[str], *, exact: bool
) -> tuple[list[Spend], list[Spend]]:
    """(what spends coins of ours, what spends one of the outpoints that we wait for)."""
    waiting = {_prevout(spent) for spent in awaited}
    fresh = {_prevout(f"{credit.txid}:{credit.slot}") for credit in credits}
    inputs = block.inputs()
    looks_ours = watching.coins(network_id).refresh()
    places = range(len(inputs)) if exact else looks_ours.find(inputs, also=fresh | waiting)
    named = {place: inputs[place] for place in places}
    ours = watching.confirmed_outpoints(network_id, named.values()) | fresh
    spends = block.spends_at(place for place, spent in named.items() if spent in ours)
    return spends, block.spends_at(place for place, spent in named.items() if spent in waiting)


def _prevout(outpoint: str) -> bytes:
    txid, _, vout = outpoint.partition(":")
    return prevout(txid, int(vout))


def _shown(network_id: int) -> dict[str, list[tuple[str, UUID]]]:
    """What the deposits that wait for a block use up: (txid, deposit) by input or nonce."""
    uses: dict[str, list[tuple[str, UUID]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(SHOWN, [network_id, Deposit.State.SEEN.value])
        waiting = cursor.fetchall()
    for deposit_id, txid, spends in waiting:
        for spent in json.loads(spends):
            uses.setdefault(spent, []).append((txid, deposit_id))
    return uses


def _receipt(chain: Any, txid: str, ref: BlockRef) -> Confirmation:
    """What a transaction of ours cost in this very block, and whether it succeeded."""
    receipt: Confirmation = chain.confirmation(txid, block_hash=ref.hash)
    if receipt.state != "mined" or receipt.block_hash != ref.hash or receipt.fee is None:
        raise BlockNotFound(f"{txid} left block {ref.hash} while we looked")
    return receipt


def _carried(spends: Sequence[Spend], block: Any, network_id: int) -> dict[str, PayoutVersion]:
    """Which of these unknown transactions of our accounts are ways back from cold that we proposed, by txid.

    A proposal leaves as a file. Signed and sent elsewhere, even after it was called back here, it has the nonce and makes the
    call that we built; what it pays for gas, and so its txid, may be another's choice.
    """
    found = {}
    for spend in spends:
        sender, _, nonce = spend.spent.partition(":")
        proposed = PayoutVersion.objects.select_related("payout").filter(
            payout__network_id=network_id,
            payout__kind=Payout.Kind.RETURN,
            txid="",
            unsigned__from=sender,
            unsigned__nonce=int(nonce),
        )
        # One that is still open before one that was called back.
        for version in sorted(proposed, key=lambda each: each.payout.state == Payout.State.RELEASED):
            call = version.unsigned
            data = bytes.fromhex(call["data"].removeprefix("0x"))
            if block.calls(spend.txid, to=call["to"], value=int(call["value"]), data=data):
                found[spend.txid] = version
                break
    return found


def _moved(txid: str, version: PayoutVersion, block: Any) -> bool:
    """Whether a transaction of ours that succeeded did what it was for: of a token, only its own log says so."""
    pays = version.unsigned["pays"]
    return not pays["contract"] or block.token_moved(
        txid, contract=pays["contract"], payer=version.unsigned["from"], to=pays["address"]
    )


def record(*, found: Found, routes: Routes, now: datetime, again: bool = False) -> None:
    """Writes the block and everything of it that is ours. Recording the same block again changes nothing.

    `again`: an old block. A coin that it brings to light may be spent by a later one, so it is offered to nobody yet (`ripen`).
    """
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
    _drop_replaced(found, routes=routes, now=now)
    for version_id, txid in found.carried.items():
        PayoutVersion.objects.filter(pk=version_id, txid="").update(txid=txid)
    own = _own_versions({spend.txid for spend in found.spends} | {credit.txid for credit in found.credits})
    _record_credits(found, routes=routes, own=own, again=again, now=now)
    if routes.network.family == "utxo":
        coins.spend(found.spends, network_id=network_id, height=ref.height)
        coins.record_gone(found.gone, height=ref.height)
    mined.record(
        found_spends=found.spends,
        ref=ref,
        receipts=found.receipts,
        unmoved=found.unmoved,
        own=own,
        routes=routes,
        now=now,
    )


def _drop_replaced(found: Found, *, routes: Routes, now: datetime) -> None:
    for deposit_id, txid in found.replaced.items():
        drop(deposit_id, replaced_by=txid, routes=routes, now=now)


def drop(deposit_id: UUID, *, replaced_by: str, routes: Routes, now: datetime) -> bool:
    """A shown deposit will never get a block: its sender paid otherwise, or the network forgot it. False if it is gone on."""
    deposit = (
        Deposit.objects.select_for_update(of=("self",))
        .select_related("address")
        .filter(pk=deposit_id, state=Deposit.State.SEEN)
        .first()
    )
    if deposit is None:
        return False
    deposit.state, deposit.replaced_by = Deposit.State.DROPPED, replaced_by
    deposit.save(update_fields=["state", "replaced_by"])
    link = routes.by_asset(deposit.asset_id)
    news.deposit("dropped", deposit, link, scanned_height=0, now=now, replaced_by=replaced_by)
    return True


def _own_versions(txids: Any) -> dict[str, PayoutVersion]:
    rows = PayoutVersion.objects.select_related("payout").filter(txid__in=list(txids))
    return {version.txid: version for version in rows}


def _record_credits(found: Found, *, routes: Routes, own: dict[str, PayoutVersion], again: bool, now: datetime) -> None:
    needed = needed_by_owner(found.credits, own=own, routes=routes, height=found.ref.height)
    addresses = addresses_by_key(routes.network.id, [credit.key for credit in found.credits])
    for credit in found.credits:
        address, link = addresses.get(credit.key), routes.by_contract(credit.contract)
        if address is None or link is None:
            continue  # a token we do not know, or an address that was rolled back
        if internal(own.get(credit.txid), credit, address):
            required = coins.CHANGE_CONFIRMATIONS
        else:
            alone = link.confirmations_for(credit.amount)
            required = max(needed.get((address.owner_id, link.asset_id), alone), credit.maturity)
            arrive(credit, address, link, ref=found.ref, required=required, now=now)
        if routes.network.family == "utxo":
            mature_height = None if again else found.ref.height + required - 1
            coins.add(credit, address, height=found.ref.height, mature_height=mature_height)
        else:
            _add_movement(credit, address, link, height=found.ref.height)


def needed_by_owner(
    credits: Sequence[Credit], *, own: dict[str, PayoutVersion], routes: Routes, height: int
) -> dict[tuple[int | None, int], int]:
    """The confirmations that a block's arrivals need, by customer and asset: what is his counts together, however it is cut."""
    addresses = addresses_by_key(routes.network.id, [credit.key for credit in credits])
    sums: dict[tuple[int | None, int], int] = {}
    for credit in credits:
        address, link = addresses.get(credit.key), routes.by_contract(credit.contract)
        if address is None or link is None or address.owner_id is None:
            continue
        if not internal(own.get(credit.txid), credit, address):
            whose = address.owner_id, link.asset_id
            sums[whose] = sums.get(whose, 0) + credit.amount
    return {
        (owner_id, asset_id): depth.confirmations(
            routes.by_asset(asset_id), owner_id=owner_id, amount=amount, height=height
        )
        for (owner_id, asset_id), amount in sums.items()
    }


def internal(version: PayoutVersion | None, credit: Credit, address: Address) -> bool:
    """Whether a transaction of ours pays this to ourselves: exactly when what was signed names the key it goes to.

    What we pay to a customer's deposit address on somebody's request names a withdrawal instead, and is a deposit like any other.
    """
    if version is None:
        return False
    unsigned = version.unsigned
    if unsigned.get("family") == "evm":
        pays = unsigned["pays"]
        return bool(pays.get("path")) and (pays["address"], pays["contract"]) == (address.address, credit.contract)
    return bool(unsigned["outputs"][int(credit.slot)].get("path"))


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
    waiting: PendingTransaction | None = None,
) -> Deposit | None:
    """Writes an arrival down: in the mempool (`ref` None) or in a block. None when nothing changed."""
    open_states = (Deposit.State.ORPHANED, Deposit.State.DROPPED) + ((Deposit.State.SEEN,) if ref else ())
    deposit = (
        Deposit.objects.select_for_update()
        .filter(network_id=link.network_id, txid=credit.txid, position=credit.slot)
        .first()
    )
    if deposit is None and ref is not None:
        deposit = _shown_elsewhere(credit, address, link)
    if deposit is None:
        deposit = Deposit(network_id=link.network_id, txid=credit.txid, position=credit.slot, seen_at=now)
    elif deposit.state not in open_states or deposit.reversal_due:
        return None
    deposit.position, deposit.asset_id, deposit.amount = credit.slot, link.asset_id, credit.amount
    deposit.address, deposit.owner_id = address, address.owner_id
    deposit.confirmations_required = required
    deposit.state = Deposit.State.CONFIRMING if ref else Deposit.State.SEEN
    deposit.block_height, deposit.block_hash = (ref.height, ref.hash) if ref else (None, "")
    deposit.spends = list(waiting.spends[:SPENDS_MAX]) if waiting else []
    deposit.replaceable = bool(waiting and waiting.replaceable)
    deposit.payers, deposit.unshown = list(credit.payers), list(credit.unshown)
    deposit.replaced_by = ""
    deposit.save()
    scanned = ref.height if ref else 0
    news.deposit("confirming" if ref else "seen", deposit, link, scanned_height=scanned, now=now)
    return deposit


def _shown_elsewhere(credit: Credit, address: Address, link: AssetNetworkView) -> Deposit | None:
    """What we showed of this very log before it ran, when its place among the logs could only be guessed."""
    if not credit.slot.startswith("log:"):
        return None
    shown = Deposit.objects.select_for_update().filter(state=Deposit.State.SEEN, position__startswith="log:", credits=0)
    return shown.filter(
        network_id=link.network_id, txid=credit.txid, address=address, asset_id=link.asset_id, reversal_due=False
    ).first()


def _add_movement(credit: Credit, address: Address, link: AssetNetworkView, *, height: int) -> None:
    Movement.objects.get_or_create(
        txid=credit.txid,
        position=credit.slot,
        address=address,
        asset_id=link.asset_id,
        defaults={"network_id": link.network_id, "block_height": height, "delta": credit.amount},
    )
