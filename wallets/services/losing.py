"""Gives a transaction of ours up that can never be mined any more, because others took what it spends.

A coin that was reorganised away and double-spent, or a nonce that another hand with our key used: the network refuses our bytes
for ever, and those of every replacement. Once that is final, seen by the scanner and by every node that is configured, what it
held is free again and its withdrawals have failed: the customers' money is theirs, and they may ask anew. We never pay such a
withdrawal by another transaction, which the signer would refuse, too: it signs one payment of each.
What must never happen here: a transaction given up of which some version may still be mined.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q

from exchange.audit import services as audit
from exchange.ledger.services import holds
from wallets import faults, news, nodes
from wallets.chains.protocol import ChainError
from wallets.lifecycle import State
from wallets.models import Coin, Cursor, Nonce, Payout, PayoutVersion, Reservation
from wallets.routes import Routes
from wallets.services import depth, failing, steps

log = structlog.get_logger(__name__)

# Signed, so that only the chain can say that it will not be mined; before that it is simply released.
OUT = (Payout.State.SIGNED, Payout.State.BROADCAST)
# Transactions of ours that hang on one another, none of them in a block.
GENERATIONS_MAX = 25
TOLD = "the network can no longer take the payment: another transaction used what it was paid from; nothing was sent"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why no version can be mined, in words for the record, and the height up to which the chain counted as final for it."""

    words: str
    final: int


def lose_due(*, routes: Routes, now: datetime) -> int:
    """Gives up what is certainly lost on this network; how many. A node that does not answer is asked again the next time."""
    lost = 0
    for payout in list(_doubtful(routes)):
        try:
            evidence = _evidence(payout, routes)
            if evidence and _agreed(payout, routes):
                lost += _lose(payout.id, evidence, routes, now=now)
        except ChainError as error:
            log.warning("loss_unproved", payout=str(payout.id), network=routes.network.code, error=str(error))
        except Exception as error:
            failing.note(error, "lose", network=routes.network.code, payout=str(payout.id))
    return lost


def _doubtful(routes: Routes) -> list[Payout]:
    """Those out there of which something is missing."""
    rows = Payout.objects.filter(network_id=routes.network.id, closed_at=None, state__in=OUT, block_height=None)
    if routes.network.family == "utxo":
        missing = Q(coin__spent_height__isnull=False) | Q(coin__block_height=None)
        rows = rows.filter(
            id__in=Reservation.objects.filter(missing, released_at=None, payout__in=rows).values("payout")
        )
    return list(rows.select_related("address").order_by("id"))


def _evidence(payout: Payout, routes: Routes) -> Evidence | None:
    """What proves that no version of it can be mined; None while one can."""
    final = _final(payout, routes, Cursor.objects.get(network_id=routes.network.id))
    if final is None:
        return None
    words = (_coins_taken if routes.network.family == "utxo" else _nonce_taken)(payout, routes, final)
    return Evidence(words, final) if words else None


def _final(payout: Payout, routes: Routes, cursor: Cursor) -> int | None:
    """The highest block that no reorganisation takes, by the most that anything with these coins is waited for."""
    links = [routes.own_coin, routes.by_asset(payout.asset_id)]
    deepest = max(payout.confirmations_required, *(link.depths[-1] for link in links))
    return depth.final_height(routes, cursor, confirmations=deepest)


def _versions(payout: Payout) -> list[PayoutVersion]:
    """Every version of which signed bytes exist or may come to exist."""
    return [version for version in payout.versions.order_by("number") if version.raw is not None or not version.refusal]


def _coins_taken(payout: Payout, routes: Routes, final: int) -> str:
    """Of every version one input at the least must be somebody else's; another's may do for the next version."""
    versions = _versions(payout)
    own = frozenset(version.txid for version in versions if version.txid)
    found: list[str] = []
    for version in versions:
        taken = (_taken(outpoint, own, routes.network.id, final) for outpoint in _inputs(version))
        why = next(filter(None, taken), "")
        if not why:
            return ""
        found.append(why)
    return "; ".join(dict.fromkeys(found))


def _inputs(version: PayoutVersion) -> list[str]:
    return [f"{coin['txid']}:{coin['vout']}" for coin in version.unsigned["inputs"]]


def _taken(outpoint: str, by: frozenset[str], network_id: int, final: int, generation: int = 0) -> str:
    """Why this outpoint cannot be spent by any of the transactions `by`, for good; "" while it can, as far as we know."""
    txid, _, vout = outpoint.partition(":")
    coin = Coin.objects.filter(network_id=network_id, txid=txid, vout=int(vout)).first()
    if coin is None:
        return ""
    if coin.block_height is not None:
        spent = coin.spent_height is not None and coin.spent_height <= final and coin.spent_txid not in by
        return f"{coin.spent_txid} spent {outpoint} in block {coin.spent_height}" if spent else ""
    if coin.gone_height is not None and coin.gone_height <= final:
        return f"{coin.gone_txid} spent in block {coin.gone_height} what {txid} was made of"
    # It hangs on a transaction of ours that is in no block either, and perhaps can never be.
    if generation >= GENERATIONS_MAX:
        return ""
    source = frozenset({txid})
    above = (_taken(each, source, network_id, final, generation + 1) for each in coin.spends)
    return next(filter(None, above), "")


def _nonce_taken(payout: Payout, routes: Routes, final: int) -> str:
    """What the account had used up at a final block, by every node; that none of ours did it is asked in `_agreed`."""
    held = Nonce.objects.filter(payout=payout, released_at=None).first()
    if held is None:
        return ""
    for chain in nodes.sources(routes.network.code).values():
        if chain.nonce(payout.address.address, height=final) <= held.nonce:
            return ""
    return f"nonce {held.nonce} of {payout.address.address} was used by another transaction before block {final}"


def _agreed(payout: Payout, routes: Routes) -> bool:
    """Whether every node that is configured knows of no version of it: in no block and, of coins, in no mempool."""
    known = ("mined", "mempool") if routes.network.family == "utxo" else ("mined",)
    txids = [version.txid for version in _versions(payout) if version.txid]
    chains = nodes.sources(routes.network.code).values()
    return not any(chain.confirmation(txid).state in known for chain in chains for txid in txids)


def _lose(payout_id: UUID, evidence: Evidence, routes: Routes, *, now: datetime) -> bool:
    """Closes it, when what was found still holds under the cursor's lock: no block can come or go meanwhile."""
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update().get(network_id=routes.network.id)
        payout = Payout.objects.select_for_update(of=("self",)).select_related("address").get(pk=payout_id)
        if not _holds(payout, evidence, routes, cursor):
            return False
        rows = list(payout.withdrawals.select_for_update().order_by("id"))
        before = payout.state
        payout.state, payout.closed_at = Payout.State.LOST, now
        payout.save(update_fields=["state", "closed_at"])
        Reservation.objects.filter(payout=payout, released_at=None).update(released_at=now)
        Nonce.objects.filter(payout=payout, released_at=None).update(released_at=now)
        # By account, so that a batch's accounts are locked in their one order.
        for withdrawal in sorted(rows, key=lambda each: each.account_id):
            steps.enter(withdrawal, State.FAILED, txid=payout.txid, reason=TOLD, now=now)
            holds.void(id=withdrawal.id, now=now)
        _tell(payout, before, evidence.words, len(rows), routes, now=now)
        faults.passing("payout.lose.before_commit")
    faults.passing("payout.lose.after_commit")
    return True


def _holds(payout: Payout, evidence: Evidence, routes: Routes, cursor: Cursor) -> bool:
    """Asked again by what is written down: the cursor did not go back, and no version came that needs less."""
    if payout.state not in OUT or payout.block_height is not None:
        return False
    final = _final(payout, routes, cursor)
    if final is None or final < evidence.final:
        return False
    if routes.network.family == "utxo":
        return bool(_coins_taken(payout, routes, evidence.final))
    return Nonce.objects.filter(payout=payout, released_at=None).exists()


def _tell(payout: Payout, before: str, evidence: str, count: int, routes: Routes, *, now: datetime) -> None:
    network = routes.network.code
    log.critical("payout_lost", payout=str(payout.id), network=network, withdrawals=count, evidence=evidence)
    after = {"state": payout.state, "kind": payout.kind, "withdrawals": count, "evidence": evidence}
    audit.record(
        actor_id=None,
        action="payout.lost",
        subject=f"payout:{payout.id}",
        before={"state": before},
        after=after,
        now=now,
    )
    news.network("payout_lost", network=network, error=f"{payout.txid}: {evidence}", now=now)
