"""Shows deposits that wait for a block, and forgets those that will never get one.

What must never happen here: a credit. Nothing in a mempool is money.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from wallets import news
from wallets.models import Address, Deposit, PayoutVersion
from wallets.routes import Routes
from wallets.services import matching, watching


def look(*, chain: Any, routes: Routes, now: datetime) -> None:
    """Compares what waits at the node with what we show."""
    pending = chain.mempool().transactions(watching.of(routes.network.id).refresh())
    credits = [credit for transaction_ in pending for credit in transaction_.credits]
    _show(credits, routes=routes, now=now)
    _drop({transaction_.txid for transaction_ in pending}, chain=chain, routes=routes, now=now)


def _show(credits: list[Any], *, routes: Routes, now: datetime) -> None:
    if not credits:
        return
    network_id = routes.network.id
    known = set(
        Deposit.objects.filter(network_id=network_id, txid__in=[credit.txid for credit in credits])
        .exclude(state__in=(Deposit.State.ORPHANED, Deposit.State.DROPPED))
        .values_list("txid", "position")
    )
    own = set(PayoutVersion.objects.filter(txid__in=[c.txid for c in credits]).values_list("txid", flat=True))
    addresses = matching.addresses_by_key(network_id, [credit.key for credit in credits])
    for credit in credits:
        address, link = addresses.get(credit.key), routes.by_contract(credit.contract)
        if address is None or link is None or (credit.txid, credit.slot) in known:
            continue
        if credit.txid in own and address.purpose == Address.Purpose.HOT:
            continue  # our own change
        required = max(link.confirmations_for(credit.amount), credit.maturity)
        with transaction.atomic():
            matching.arrive(credit, address, link, ref=None, required=required, now=now)


def _drop(pending: set[str], *, chain: Any, routes: Routes, now: datetime) -> None:
    """A shown deposit that neither waits nor was mined was replaced by its sender, or forgotten by the network."""
    shown = Deposit.objects.select_related("address").filter(
        network_id=routes.network.id, state=Deposit.State.SEEN, reversal_due=False
    )
    for deposit in shown.exclude(txid__in=pending):
        if chain.confirmation(deposit.txid).state != "unknown":
            continue
        with transaction.atomic():
            changed = Deposit.objects.filter(pk=deposit.pk, state=Deposit.State.SEEN).update(
                state=Deposit.State.DROPPED
            )
            if changed:
                deposit.state = Deposit.State.DROPPED
                link = routes.by_asset(deposit.asset_id)
                news.deposit("dropped", deposit, link, scanned_height=0, now=now)
