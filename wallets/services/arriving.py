"""What a chain says was paid, in the house's own terms: only what is listed, in base units, and no more than arrived.

A token may have more digits on a chain than its asset has here; what is smaller than a base unit stays at the address and is
nobody's. A token that is marked as keeping a fee is counted by what the balance gained in the block, never by what its log says.
What must never happen here: a contract that we do not list taken for one that we do, or a part of a unit made of nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from exchange.core.amounts import MAX_BASE_UNITS
from wallets.chains.protocol import BlockRef, Credit
from wallets.routes import Routes


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
        after = chain.holdings([key], contract=contract, at=ref.hash).amount
        before = chain.holdings([key], contract=contract, at=ref.parent).amount if ref.height else 0
        left = max(0, after - before)
        for credit in own:
            part = min(credit.amount, left)
            left -= part
            measured.append(replace(credit, amount=part))
    return measured
