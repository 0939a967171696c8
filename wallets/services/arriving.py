"""What a chain says was paid, in the house's own terms: only what is listed, in base units, and no more than arrived.

A token may have more digits on a chain than its asset has here; what is smaller than a base unit stays at the address and is
nobody's. A token that is marked as keeping a fee is counted by what the balance gained in the block, never by what its log says;
where no source has the state of so old a block, by what the address holds that no block has accounted for.
What must never happen here: a contract that we do not list taken for one that we do, or a part of a unit made of nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import structlog
from django.db.models import Sum

from exchange.core.amounts import MAX_BASE_UNITS
from wallets import nodes
from wallets.chains.protocol import BlockRef, ChainError, Credit, DataPruned
from wallets.models import Address, Movement
from wallets.routes import Routes

log = structlog.get_logger(__name__)
# Nodes keep the states of their newest 128 blocks; half of them is deep enough for what is measured not to change.
STATES_KEPT = 64


def known(*, chain: Any, routes: Routes, ref: BlockRef | None, credits: Iterable[Credit]) -> list[Credit]:
    """The credits of assets that we list, in base units. `ref` is their block, None for what only waits for one.

    Asks the node only for tokens that are marked so. Raises ChainError.
    """
    listed = [(credit, link) for credit in credits if (link := routes.by_contract(credit.contract)) is not None]
    odd = {link.contract for _, link in listed if link.fee_on_transfer and link.contract}
    arrived = [credit for credit, _ in listed if credit.contract not in odd]
    if ref is not None:
        for contract in sorted(odd):
            of_it = [credit for credit, _ in listed if credit.contract == contract]
            arrived += _measured(chain, routes, ref, contract, of_it)
    in_base_units = (
        replace(credit, amount=routes.by_contract(credit.contract).from_chain(credit.amount))  # type: ignore[union-attr]
        for credit in arrived
    )
    # What no column holds is no money: such numbers stand in calls that will fail.
    return [credit for credit in in_base_units if 0 < credit.amount <= MAX_BASE_UNITS]


def _measured(chain: Any, routes: Routes, ref: BlockRef, contract: str, credits: Iterable[Credit]) -> list[Credit]:
    """Each address gets at most what its balance gained in this block, dealt out in the block's order."""
    by_key: dict[bytes, list[Credit]] = {}
    for credit in credits:
        by_key.setdefault(credit.key, []).append(credit)
    measured = []
    for key, own in by_key.items():
        left = max(0, _gained(chain, routes, ref, contract, key))
        for credit in own:
            part = min(credit.amount, left)
            left -= part
            measured.append(replace(credit, amount=part))
    return measured


def _gained(chain: Any, routes: Routes, ref: BlockRef, contract: str, key: bytes) -> int:
    """What an address's balance gained in a block. A source that threw the state away is helped out by the others."""
    try:
        return _difference(chain, ref, contract, key)
    except DataPruned as pruned:
        log.warning("state_pruned", network=routes.network.code, height=ref.height, error=str(pruned))
    for other in nodes.sources(routes.network.code).values():
        if other is not chain:
            with contextlib.suppress(ChainError):
                return _difference(other, ref, contract, key)
    return _unaccounted(chain, routes, ref, contract, key)


def _difference(chain: Any, ref: BlockRef, contract: str, key: bytes) -> int:
    after = chain.holdings([key], contract=contract, at=ref.hash).amount
    before = chain.holdings([key], contract=contract, at=ref.parent).amount if ref.height else 0
    return int(after - before)


def _unaccounted(chain: Any, routes: Routes, ref: BlockRef, contract: str, key: bytes) -> int:
    """What the address holds and no arrival explains, at the oldest block whose state a node without an archive surely has.

    Later arrivals of the same owner's may be in it; they then get the less: all together never get more than there is.
    """
    link = routes.by_contract(contract)
    address = Address.objects.filter(network_id=routes.network.id, script=key).first()
    if link is None or address is None:
        return 0
    height = max(ref.height, chain.tip().height - STATES_KEPT)
    held = chain.holdings([key], contract=contract, at=chain.block_ref(height).hash).amount
    explained = Movement.objects.filter(address=address, asset_id=link.asset_id).aggregate(sum=Sum("delta"))["sum"] or 0
    return int(held - link.to_chain(int(explained)))
