"""Keeps the nonces of our accounts without a gap and in our own hand.

The lowest free nonce is always taken next (`reserving_evm.next_nonce`), so that one that was refused is filled by whatever is
sent after it; a gap below something that is signed is filled here by a payment of one unit to the account itself. A nonce that
somebody else used stops withdrawals. What must never happen here: a signed transaction left hanging above a gap, or a theft
overlooked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction

from exchange.ledger.services import stops
from wallets import news, nodes, routes
from wallets.chains.protocol import ChainError
from wallets.models import Address, Cursor, Nonce, Payout
from wallets.routes import Routes
from wallets.services import failing, hot, reserving

log = structlog.get_logger(__name__)
STOP_SOURCE = "wallets"
# What fills a gap pays this much of the own coin to the account itself; a payment of nothing is kept for cancels.
FILLER = 1
OUT = (Payout.State.SIGNED, Payout.State.BROADCAST)


@dataclass(frozen=True, slots=True)
class NonceReport:
    """`filled`: gaps that are being closed. `taken`: nonces of ours that others used."""

    filled: int = 0
    taken: int = 0


def _lowest_free(start: int, held: set[int]) -> int:
    while start in held:
        start += 1
    return start


def look(*, now: datetime) -> NonceReport:
    """Looks at every account that has something out. A node that is away is asked again the next time."""
    filled = taken = 0
    for network in routes.configured():
        the_routes = routes.of(network)
        if the_routes.network.family != "evm" or not Cursor.objects.filter(network_id=the_routes.network.id).exists():
            continue
        try:
            for sender in _senders(the_routes.network.id):
                found = _look_at(sender, the_routes, now=now)
                filled, taken = filled + found.filled, taken + found.taken
        except ChainError as error:
            log.warning("node_unavailable", network=network, error=str(error))
        except Exception as error:
            failing.note(error, "nonces", network=network)
    return NonceReport(filled, taken)


def _senders(network_id: int) -> Iterable[Address]:
    out = Payout.objects.filter(network_id=network_id, state__in=OUT, block_height=None)
    return Address.objects.select_related("xpub").filter(pk__in=out.values("address_id")).order_by("id")


def _look_at(sender: Address, the_routes: Routes, *, now: datetime) -> NonceReport:
    chain = nodes.chain(the_routes.network.code)
    mined = chain.nonce(sender.address)
    held = {
        row.nonce: row.payout
        for row in Nonce.objects.select_related("payout").filter(
            address=sender, released_at=None, payout__block_height=None
        )
    }
    taken = [nonce for nonce, payout in held.items() if nonce < mined and _is_taken(chain, sender, payout, nonce)]
    for nonce in taken:
        _alarm(sender, nonce, the_routes, now=now)
    signed_above = [nonce for nonce, payout in held.items() if nonce > mined and payout.state in OUT]
    free = _lowest_free(mined, set(held))
    if taken or not signed_above or free > max(signed_above):
        return NonceReport(taken=len(taken))
    return NonceReport(filled=_fill(sender, the_routes, now=now))


def _is_taken(chain: Any, sender: Address, payout: Payout, nonce: int) -> bool:
    """Whether the chain used the nonce for something that is none of the payout's versions."""
    if payout.state not in OUT:
        return False
    txids = payout.versions.exclude(txid="").values_list("txid", flat=True)
    if any(chain.confirmation(txid).state == "mined" for txid in txids):
        return False
    # Asked again: a reorganisation between the questions must not look like a theft.
    return bool(chain.nonce(sender.address) > nonce)


def _alarm(sender: Address, nonce: int, the_routes: Routes, *, now: datetime) -> None:
    network = the_routes.network.code
    log.critical("nonce_taken", network=network, address=sender.address, nonce=nonce)
    reason = f"nonce {nonce} of {sender.address} on {network} was used by a transaction that we did not sign"
    with transaction.atomic():
        _, new = stops.stop_once(scope="withdrawals", reason=reason, source=STOP_SOURCE, actor=None, now=now)
        if new:
            news.network("coins_moved", network=network, error=reason, now=now)


def _fill(sender: Address, the_routes: Routes, *, now: datetime) -> int:
    try:
        reserving.reserve_internal(
            kind=Payout.Kind.GAS,
            network=the_routes.network.code,
            asset_id=the_routes.own_coin.asset_id,
            sender=sender,
            destination=sender.address,
            destination_path=hot.path(sender),
            amount=FILLER,
            now=now,
        )
    except hot.CannotReserve as cannot:
        log.info("gap_waits", address=sender.address, why=cannot.why)
        return 0
    log.warning("gap_filled", network=the_routes.network.code, address=sender.address)
    return 1
