"""Moves every transaction of ours step by step to the network: gather, reserve, sign, keep, broadcast, broadcast again.

Withdrawals, sweeps, gas, consolidations, moves to cold and back, and children all pass here, and so do their later versions.
Each step is one transaction that finds the state it expects under the payout's lock, so that a task run twice, or killed
anywhere, is harmless. What must never happen here: bytes broadcast before bytes and txid are committed, other bytes than
those, or a broadcast error taken for "not sent".
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Q

from custody.services import signing
from exchange.ledger.selectors import stops as ledger_stops
from wallets import faults, metrics, nodes, routes
from wallets.chains.protocol import BroadcastRefused, ChainError, NodeUnavailable, WrongChain
from wallets.lifecycle import State
from wallets.models import Cursor, Payout, PayoutVersion, Withdrawal
from wallets.routes import Routes
from wallets.services import batching, failing, keeping, releasing, screening, steps

log = structlog.get_logger(__name__)

NEW = (Payout.State.RESERVED, Payout.State.SIGNING, Payout.State.SIGNED)
# Carried to its keys by hand: what is signed for it comes in from outside.
BY_HAND = Q(kind=Payout.Kind.RETURN, state__in=(Payout.State.RESERVED, Payout.State.SIGNING))
STEPS_MAX = 8
BATCH = 200
ERROR_LENGTH_MAX = 500
REBROADCAST_SECONDS = 30


def advance(*, reference: str, now: datetime) -> int:
    """Moves what is named, a withdrawal or a payout, as far as it goes now. Returns how many steps were taken."""
    named = UUID(reference)
    down: set[int] = set()
    withdrawal = Withdrawal.objects.filter(pk=named).first()
    if withdrawal is None:
        return _advance_one(named, down, now=now)
    if withdrawal.payout_id is not None:
        return _advance_one(withdrawal.payout_id, down, now=now)
    if withdrawal.state != State.APPROVED:
        return 0
    made = _gather(withdrawal.network_id, down, now=now)
    return sum(1 + _advance_one(payout_id, down, now=now) for payout_id in made)


def advance_all(*, now: datetime) -> int:
    """Gathers what is approved, moves every open payout, and sends again what no block has. One failure stops no other."""
    down: set[int] = set()
    taken = 0
    approved = Withdrawal.objects.filter(closed_at=None, state=State.APPROVED)
    for network_id in sorted(set(approved.values_list("network_id", flat=True))):
        taken += len(_gather(network_id, down, now=now))
    for network_id in _open():
        for payout_id in [*_new(network_id), *_sent(network_id, now=now)]:
            taken += _advance_one(payout_id, down, now=now)
    for payout in Payout.objects.filter(state=Payout.State.FINAL, block_height=None).order_by("id")[:BATCH]:
        _send_final_again(payout, down, now=now)
    return taken


def _gather(network_id: int, down: set[int], *, now: datetime) -> list[UUID]:
    waiting = Withdrawal.objects.filter(network_id=network_id, state=State.APPROVED)
    if ledger_stops.is_stopped("withdrawals"):
        waiting.exclude(waiting="stopped").update(waiting="stopped")
        return []
    try:
        return batching.gather(routes=routes.of(routes.codes()[network_id]), now=now)
    except ChainError as error:
        log.warning("node_unavailable", network_id=network_id, error=str(error))
        waiting.exclude(waiting="node_down").update(waiting="node_down")
        down.add(network_id)
    except Exception as error:
        failing.note(error, "gather", network=str(network_id))
        waiting.exclude(waiting="fault").update(waiting="fault")
    return []


def _open() -> list[int]:
    """The networks that have something under way: each has its own share of a run, so that none fills another's."""
    return sorted(set(Payout.objects.filter(closed_at=None).values_list("network_id", flat=True)))


def _new(network_id: int) -> list[UUID]:
    """Those not out yet; of those whose bytes wait, the ones that were sent in vain longest ago come first."""
    rows = Payout.objects.filter(network_id=network_id, closed_at=None, state__in=NEW).exclude(BY_HAND)
    in_turn = rows.annotate(last=Max("versions__last_broadcast_at")).order_by(F("last").asc(nulls_first=True), "id")
    return list(in_turn.values_list("id", flat=True)[:BATCH])


def _sent(network_id: int, *, now: datetime) -> list[UUID]:
    """Those out there that are due: a later version waits for its signature, or the last sending was a while ago."""
    rows = Payout.objects.filter(network_id=network_id, closed_at=None, state=Payout.State.BROADCAST)
    unsigned = rows.filter(versions__raw=None, versions__refusal="").values_list("id", flat=True)
    last = rows.annotate(last=Max("versions__last_broadcast_at")).order_by("last", "id")
    again = last.filter(Q(last=None) | Q(last__lte=now - _every())).values_list("id", flat=True)
    return list(dict.fromkeys([*unsigned[:BATCH], *again[:BATCH]]))


def _advance_one(payout_id: UUID, down: set[int], *, now: datetime) -> int:
    """`down` collects the networks whose node did not answer in this run: one wait for each is enough."""
    for taken in range(STEPS_MAX):
        payout = Payout.objects.select_related("address").filter(pk=payout_id).exclude(BY_HAND).first()
        if payout is None or payout.state not in STEPS:
            return taken
        if payout.network_id in down:
            _wait(payout.id, "node_down")
            return taken
        if not _step(payout, down, now=now):
            return taken
    return STEPS_MAX


def _step(payout: Payout, down: set[int], *, now: datetime) -> bool:
    """One step, or the reason why not, written where the customer and staff see it."""
    if payout.state != Payout.State.BROADCAST and ledger_stops.is_stopped("withdrawals"):
        # What was broadcast already is only helped along: its bytes are public.
        _wait(payout.id, "stopped")
        return False
    try:
        return STEPS[Payout.State(payout.state)](payout, routes.of(routes.codes()[payout.network_id]), now=now)
    except (NodeUnavailable, WrongChain) as error:
        log.warning("node_unavailable", payout=str(payout.id), error=str(error))
        _wait(payout.id, "node_down")
        down.add(payout.network_id)
    except ChainError as error:
        log.warning("node_refused", payout=str(payout.id), error=str(error))
        _wait(payout.id, "node_refused")
    except Exception as error:
        failing.note(error, "payout", network=str(payout.network_id), payout=str(payout.id))
        _wait(payout.id, "fault")
    return False


def _wait(payout_id: UUID, why: str) -> None:
    """Says why a payout does not go on by itself at each withdrawal of it; no state changes, so no lock is needed."""
    Withdrawal.objects.filter(payout_id=payout_id, closed_at=None).exclude(waiting=why).update(waiting=why)


def _ask_signer(payout: Payout, the_routes: Routes, *, now: datetime) -> bool:
    """The job and the state `signing` are committed together; the signer reads both.

    Until here a customer's freeze counts, a stop of this asset alone, and what screening holds back: the transaction is taken
    apart, and what may still go gathers anew. (Later there would be a nonce that all others of its account hang on.)
    """
    with transaction.atomic():
        locked = Payout.objects.select_for_update().get(pk=payout.pk)
        if locked.state != Payout.State.RESERVED:
            return False
        rows = list(Withdrawal.objects.select_for_update().filter(payout=locked).order_by("id"))
        asset = the_routes.by_asset(locked.asset_id).asset_code
        stopped = bool(rows) and ledger_stops.is_stopped("withdrawals", of=asset)
        if stopped or screening.frozen_or_held_back(rows, now=now):
            releasing.requeue(releasing.take_apart(locked, now=now), now=now)
            return False
        version = locked.versions.latest("number")
        locked.state = Payout.State.SIGNING
        locked.save(update_fields=["state"])
        steps.enter_all(rows, State.SIGNING, now=now)
        signing.request(
            id=version.id,
            network=the_routes.network.code,
            kind=locked.kind,
            unsigned=version.unsigned,
            reference=str(locked.id),
            now=now,
        )
        faults.passing("payout.sign.before_commit")
    faults.passing("payout.sign.after_commit")
    return True


def _take_signature(payout: Payout, the_routes: Routes, *, now: datetime) -> bool:
    return keeping.take(payout, payout.versions.latest("number"), the_routes, now=now)


def _broadcast(payout: Payout, the_routes: Routes, *, now: datetime) -> bool:
    """For the first time; where no node takes it, a later version at another fee may do."""
    versions = list(payout.versions.order_by("-number"))
    if _take_later(payout, versions, the_routes, now=now):
        return True
    version = _sent_one(versions, the_routes, now=now)
    if version is None:
        _wait(payout.id, "broadcast_refused")
        return False
    with transaction.atomic():
        locked = Payout.objects.select_for_update().get(pk=payout.pk)
        if locked.state != Payout.State.SIGNED:
            return False
        locked.state = Payout.State.BROADCAST
        locked.save(update_fields=["state"])
        rows = list(Withdrawal.objects.select_for_update().filter(payout=locked).order_by("id"))
        steps.enter_all(rows, State.BROADCAST, txid=version.txid, now=now)
        faults.passing("payout.broadcast.before_commit")
    faults.passing("payout.broadcast.after_commit")
    metrics.SENT.labels(the_routes.network.code).inc()
    return False


def _go_on(payout: Payout, the_routes: Routes, *, now: datetime) -> bool:
    """Out there: takes up a later version that was signed meanwhile, and sends the same bytes again until a block has them.

    The newest version goes first. Where the node will not have it, an older one may still do: whichever is mined, counts.
    """
    versions = list(payout.versions.order_by("-number"))
    if _take_later(payout, versions, the_routes, now=now):
        return True
    sent = _sent_one(versions, the_routes, now=now)
    _wait(payout.id, "" if sent else "broadcast_refused")
    return False


def _take_later(payout: Payout, versions: list[PayoutVersion], the_routes: Routes, *, now: datetime) -> bool:
    """Whether a later version was signed meanwhile and is kept now."""
    waiting = [version for version in versions if version.raw is None and not version.refusal]
    return any(keeping.take(payout, version, the_routes, now=now) for version in waiting)


def _sent_one(versions: list[PayoutVersion], the_routes: Routes, *, now: datetime) -> PayoutVersion | None:
    """The newest version that the node takes; None when it takes none of them."""
    kept = (version for version in versions if version.raw is not None)
    return next((version for version in kept if _send(version, network=the_routes.network.code, now=now)), None)


def _send_final_again(payout: Payout, down: set[int], *, now: datetime) -> None:
    """A final transaction that lost its block: its bytes are still good, and nobody is paid twice by them."""
    if payout.network_id in down:
        return
    try:
        version = payout.versions.get(txid=payout.txid)
        if version.raw is not None:  # a way back from cold that another wallet sent: its bytes are there, not here
            _send(version, network=routes.codes()[payout.network_id], now=now)
    except (NodeUnavailable, WrongChain) as error:
        log.warning("node_unavailable", payout=str(payout.id), error=str(error))
        down.add(payout.network_id)
    except Exception as error:
        failing.note(error, "send_again", network=str(payout.network_id), payout=str(payout.id))


def _every() -> timedelta:
    return timedelta(seconds=getattr(settings, "WALLETS_REBROADCAST_SECONDS", REBROADCAST_SECONDS))


def _send(version: PayoutVersion, *, network: str, now: datetime) -> bool:
    """Sends the kept bytes unless that was a moment ago. False when the node will not have them. Raises ChainError."""
    if version.last_broadcast_at is not None and now - version.last_broadcast_at < _every():
        return not version.last_error
    assert version.raw is not None, "bytes are kept before they are sent"
    error = ""
    faults.passing("payout.broadcast.before_send")
    try:
        nodes.chain(network).broadcast(bytes(version.raw))
    except BroadcastRefused as refused:
        error = str(refused)[:ERROR_LENGTH_MAX]
        log.error("broadcast_refused", txid=version.txid, network=network, error=error)
    faults.passing("payout.broadcast.after_send")
    changes: dict[str, object] = {"last_error": error, "last_broadcast_at": now}
    if not error and version.first_broadcast_at is None:
        changes["first_broadcast_at"] = now
        changes["sent_height"] = Cursor.objects.values_list("height", flat=True).get(
            network_id=version.payout.network_id
        )
    PayoutVersion.objects.filter(pk=version.pk).update(**changes)
    return not error


STEPS: dict[Payout.State, Callable[..., bool]] = {
    Payout.State.RESERVED: _ask_signer,
    Payout.State.SIGNING: _take_signature,
    Payout.State.SIGNED: _broadcast,
    Payout.State.BROADCAST: _go_on,
}
