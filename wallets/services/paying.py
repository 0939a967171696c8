"""Asks the node who paid, where a deposit's block does not show it: whose outputs the inputs spent.

Between a deposit's arrival and its credit, outside every transaction. What must never happen here: a deposit that is credited
before it was asked for, or one that waits for ever because a node has forgotten what was spent (that is counted).
"""

from __future__ import annotations

from typing import Any

import structlog

from wallets import metrics
from wallets.chains.protocol import ChainError, MalformedData, NodeRefused
from wallets.chains.utxo import payers
from wallets.models import Deposit
from wallets.routes import Routes

AT_ONCE = 50
CHUNK = 20  # outputs; what is known of them is written down, so that a service that is slow to answer gets on with the next run
ASKED_MAX = 400  # outputs of one deposit; what collects more of them is counted as not known

log = structlog.get_logger(__name__)


def ask(*, chain: Any, routes: Routes) -> int:
    """For up to AT_ONCE deposits, as far as the node answers; how many are known now. Never raises for a node."""
    waiting = Deposit.objects.filter(network_id=routes.network.id, state=Deposit.State.CONFIRMING).exclude(unshown=[])
    known = 0
    for deposit in waiting.order_by("id").only("id", "txid", "block_hash", "payers", "unshown")[:AT_ONCE]:
        try:
            _ask_for(deposit, chain, routes)
        except ChainError as error:  # it waits, and nobody waits for it
            log.warning("deposit.payers_unanswered", deposit=str(deposit.id), error=str(error))
            continue
        known += 1
    return known


def _ask_for(deposit: Deposit, chain: Any, routes: Routes) -> None:
    deposit.unshown = deposit.unshown[:ASKED_MAX]
    while asked := deposit.unshown[:CHUNK]:
        try:
            found = chain.spent_scripts(deposit.txid, asked, block_hash=deposit.block_hash)
        except (NodeRefused, MalformedData) as error:
            log.warning("deposit.payers_refused", deposit=str(deposit.id), error=str(error))
            found = {}
        if unknown := len(asked) - len(found):
            metrics.PAYERS_UNKNOWN.labels(routes.network.code).inc(unknown)
        named = [payer for payer in map(payers.of_script, found.values()) if payer]
        deposit.payers = list(dict.fromkeys([*deposit.payers, *named]))
        deposit.unshown = deposit.unshown[CHUNK:]
        # Only while it stands in the block that was asked about: another block's is told anew.
        Deposit.objects.filter(id=deposit.id, block_hash=deposit.block_hash, state=Deposit.State.CONFIRMING).update(
            payers=deposit.payers, unshown=deposit.unshown
        )
