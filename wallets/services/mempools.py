"""Shows deposits that wait for a block, and forgets those that will never get one.

What must never happen here: a credit. Nothing in a mempool is money.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from wallets.chains.protocol import Confirmation, PendingTransaction
from wallets.models import Address, Block, Cursor, Deposit, PayoutVersion
from wallets.routes import Routes
from wallets.services import arriving, matching, watching

# Addresses that a service is asked for one by one; a node is asked for its whole mempool.
RECENT = 20


def look(*, chain: Any, routes: Routes, now: datetime) -> None:
    """Compares what waits at the node with what we show."""
    pool = chain.mempool()
    watch = watching.of(routes.network.id).refresh()
    # A service that is asked by address gets those that somebody may be paying just now.
    ours = recent(routes.network.id) if getattr(pool, "by_address", False) else watch.hits(pool.destinations())
    pending = pool.transactions(ours) if ours else []
    _show(pending, chain=chain, routes=routes, now=now)
    _drop({each.txid for each in pending}, pool, chain=chain, routes=routes, now=now)


def recent(network_id: int) -> set[bytes]:
    """The addresses that were made last or paid last, as many as a service can be asked for each time."""
    rows = Address.objects.filter(network_id=network_id)
    newest = rows.order_by("-id").values_list("script", flat=True)[:RECENT]
    shown = Deposit.objects.filter(network_id=network_id, state=Deposit.State.SEEN).values("address_id")[:RECENT]
    return {bytes(script) for script in newest} | {
        bytes(script) for script in rows.filter(id__in=shown).values_list("script", flat=True)
    }


def _show(pending: list[PendingTransaction], *, chain: Any, routes: Routes, now: datetime) -> None:
    credits = arriving.known(
        chain=chain, routes=routes, ref=None, credits=[credit for each in pending for credit in each.credits]
    )
    if not credits:
        return
    by_txid = {each.txid: each for each in pending}
    network_id = routes.network.id
    known = set(
        Deposit.objects.filter(network_id=network_id, txid__in=[credit.txid for credit in credits])
        .exclude(state__in=(Deposit.State.ORPHANED, Deposit.State.DROPPED))
        .values_list("txid", "position")
    )
    own = {version.txid: version for version in PayoutVersion.objects.filter(txid__in=list(by_txid))}
    addresses = matching.addresses_by_key(network_id, [credit.key for credit in credits])
    height = Cursor.objects.values_list("height", flat=True).get(network_id=network_id) + 1
    needed = matching.needed_by_owner(credits, own=own, routes=routes, height=height)
    for credit in credits:
        address, link = addresses.get(credit.key), routes.by_contract(credit.contract)
        if address is None or link is None or (credit.txid, credit.slot) in known:
            continue
        if matching.internal(own.get(credit.txid), credit, address):
            continue  # from us to ourselves
        alone = link.confirmations_for(credit.amount)
        required = max(needed.get((address.owner_id, link.asset_id), alone), credit.maturity)
        with transaction.atomic():
            waiting = by_txid[credit.txid]
            matching.arrive(credit, address, link, ref=None, required=required, waiting=waiting, now=now)


def _drop(pending: set[str], pool: Any, *, chain: Any, routes: Routes, now: datetime) -> None:
    """A shown deposit that does not wait any more was replaced by its sender, forgotten, or came to nothing in a block we read.

    A token's payment can fail when it is mined: its block is scanned and has nothing for us.
    """
    shown = Deposit.objects.filter(network_id=routes.network.id, state=Deposit.State.SEEN, reversal_due=False)
    for deposit in shown.exclude(txid__in=pending):
        found = chain.confirmation(deposit.txid)
        if found.state != "unknown" and not _read(found, routes.network.id):
            continue
        others = (pool.spender(spent) for spent in deposit.spends)
        by = next((txid for txid in others if txid and txid != deposit.txid), "")
        with transaction.atomic():
            matching.drop(deposit.pk, replaced_by=by, routes=routes, now=now)


def _read(found: Confirmation, network_id: int) -> bool:
    """Whether the block that holds it is one that we have scanned."""
    if found.state != "mined" or found.height is None:
        return False
    ours = Block.objects.filter(network_id=network_id, height=found.height, orphaned_at=None)
    if found.block_hash:
        ours = ours.filter(hash=found.block_hash)
    return ours.exists()
