"""Takes an approved withdrawal step by step to the network: reserve, sign, keep, broadcast, broadcast again.

Each step is one transaction that finds the state it expects under the row's lock, so that a task run twice, or killed
anywhere, is harmless. What must never happen here: bytes broadcast before bytes and txid are committed, other bytes than
those, or a broadcast error taken for "not sent".
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from celery import current_app
from django.conf import settings
from django.db import transaction

from custody import selectors as custody
from custody.selectors import Refusal, Signature
from custody.services import signing
from exchange.ledger import selectors as ledger
from exchange.ledger.selectors import stops as ledger_stops
from exchange.ledger.services import stops
from wallets import metrics, nodes, routes
from wallets.chains.protocol import BroadcastRefused, ChainError, NodeRefused, SignedMismatch
from wallets.lifecycle import State
from wallets.models import Payout, PayoutVersion, Withdrawal
from wallets.routes import Routes
from wallets.services import releasing, reserving, steps

log = structlog.get_logger(__name__)

MOVING = (State.APPROVED, State.RESERVED, State.SIGNING, State.SIGNED, State.BROADCAST)
STEPS_MAX = 8
BATCH = 200
ERROR_LENGTH_MAX = 500
REBROADCAST_SECONDS = 30
# Longer than this without an answer, and the customer and staff are told that the signer is what they wait for.
SIGNER_SLOW = timedelta(seconds=20)


def advance(*, reference: str, now: datetime) -> int:
    """Moves a withdrawal, named by its own id or its payout's, as far as it goes now. Returns how many steps it took."""
    by_payout = Withdrawal.objects.filter(payout_id=reference).values_list("id", flat=True)
    ids = list(by_payout) or [UUID(reference)]
    down: set[int] = set()
    return sum(_advance_one(withdrawal_id, down, now=now) for withdrawal_id in ids)


def advance_all(*, now: datetime) -> int:
    """Moves every open withdrawal, oldest first, and sends unmined final transactions again. One failure stops no other."""
    moving = Withdrawal.objects.filter(closed_at=None, state__in=MOVING).order_by("id")
    down: set[int] = set()
    taken = sum(_advance_one(each, down, now=now) for each in list(moving.values_list("id", flat=True)[:BATCH]))
    for payout in Payout.objects.filter(state=Payout.State.FINAL, block_height=None).order_by("id")[:BATCH]:
        _send_again(payout, down, now=now)
    return taken


def _advance_one(withdrawal_id: UUID, down: set[int], *, now: datetime) -> int:
    """`down` collects the networks whose node did not answer in this run: one wait for each is enough."""
    for taken in range(STEPS_MAX):
        withdrawal = Withdrawal.objects.select_related("payout").filter(pk=withdrawal_id).first()
        if withdrawal is None or withdrawal.state not in STEPS:
            return taken
        if withdrawal.network_id in down:
            steps.wait(withdrawal.id, "node_down")
            return taken
        if not _step(withdrawal, down, now=now):
            return taken
    return STEPS_MAX


def _step(withdrawal: Withdrawal, down: set[int], *, now: datetime) -> bool:
    """One step, or the reason why not, written where the customer and staff see it."""
    the_routes = routes.of(routes.codes()[withdrawal.network_id])
    held_back = _held_back(withdrawal)
    if held_back:
        steps.wait(withdrawal.id, held_back)
        return False
    try:
        return STEPS[State(withdrawal.state)](withdrawal, the_routes, now=now)
    except reserving.CannotReserve as cannot:
        steps.wait(withdrawal.id, cannot.why)
    except NodeRefused as error:
        log.warning("node_refused", withdrawal=str(withdrawal.id), error=str(error))
        steps.wait(withdrawal.id, "node_refused")
    except ChainError as error:
        log.warning("node_unavailable", withdrawal=str(withdrawal.id), error=str(error))
        steps.wait(withdrawal.id, "node_down")
        down.add(withdrawal.network_id)
    return False


def _held_back(withdrawal: Withdrawal) -> str:
    """Why nothing new may leave now. What was broadcast already is only helped along: its bytes are public."""
    if withdrawal.state == State.BROADCAST:
        return ""
    if ledger_stops.is_stopped("withdrawals"):
        return "stopped"
    return "frozen" if ledger.is_frozen(owner_id=withdrawal.owner_id) else ""


def _reserve(withdrawal: Withdrawal, the_routes: Routes, *, now: datetime) -> bool:
    return reserving.reserve(withdrawal=withdrawal, routes=the_routes, now=now)


def _ask_signer(withdrawal: Withdrawal, the_routes: Routes, *, now: datetime) -> bool:
    """The job and the state `signing` are committed together; the signer reads both."""
    with transaction.atomic():
        locked = Withdrawal.objects.select_for_update().get(pk=withdrawal.pk)
        if locked.state != State.RESERVED or locked.payout_id is None:
            return False
        payout = Payout.objects.select_for_update().get(pk=locked.payout_id)
        version = payout.versions.latest("number")
        payout.state = Payout.State.SIGNING
        payout.save(update_fields=["state"])
        steps.enter(locked, State.SIGNING, now=now)
        signing.request(
            id=version.id,
            network=the_routes.network.code,
            kind="payout",
            unsigned=version.unsigned,
            reference=str(payout.id),
            now=now,
        )
    return True


def _take_signature(withdrawal: Withdrawal, the_routes: Routes, *, now: datetime) -> bool:
    version = PayoutVersion.objects.filter(payout_id=withdrawal.payout_id).latest("number")
    answer = custody.signature(job_id=version.id)
    if answer is None:
        if now - version.created_at > SIGNER_SLOW:
            steps.wait(withdrawal.id, "signer")
        return False
    if isinstance(answer, Refusal):
        return _refused(withdrawal, version, answer, now=now)
    return _keep(withdrawal, version, answer, the_routes, now=now)


def _refused(withdrawal: Withdrawal, version: PayoutVersion, answer: Refusal, *, now: datetime) -> bool:
    """The signer will never sign this job: everything reserved is free again, and staff decide."""
    with transaction.atomic():
        locked = Withdrawal.objects.select_for_update().get(pk=withdrawal.pk)
        if locked.state != State.SIGNING or locked.payout_id != version.payout_id:
            return False
        PayoutVersion.objects.filter(pk=version.pk).update(refusal=f"{answer.code}: {answer.reason}")
        releasing.release(locked, now=now)
        steps.enter(locked, State.REVIEW, reason=f"the signer refused: {answer.code}: {answer.reason}", now=now)
    return False


def _keep(
    withdrawal: Withdrawal, version: PayoutVersion, answer: Signature, the_routes: Routes, *, now: datetime
) -> bool:
    """Checks the signed bytes and commits them with their txid. From here on only these bytes go out."""
    try:
        view = nodes.rules(the_routes.network.code).verify_signed(bytes(answer.raw), version.unsigned)
        if view.txid != answer.txid:
            raise SignedMismatch("the signer names another txid than its bytes have")
    except SignedMismatch as mismatch:
        log.critical("signed_mismatch", withdrawal=str(withdrawal.id), error=str(mismatch))
        stops.stop(scope="withdrawals", reason=f"job {version.id}: {mismatch}", source="wallets", now=now)
        return False
    with transaction.atomic():
        locked = Withdrawal.objects.select_for_update().get(pk=withdrawal.pk)
        if locked.state != State.SIGNING or locked.payout_id != version.payout_id:
            return False
        PayoutVersion.objects.filter(pk=version.pk).update(raw=bytes(answer.raw), txid=view.txid, signed_at=now)
        Payout.objects.filter(pk=version.payout_id).update(state=Payout.State.SIGNED, txid=view.txid)
        steps.enter(locked, State.SIGNED, now=now)
        # The next one may be waiting for its nonce.
        transaction.on_commit(
            lambda: current_app.send_task("wallets.advance_withdrawals", queue="chain", retry=False), robust=True
        )
    return True


def _broadcast(withdrawal: Withdrawal, the_routes: Routes, *, now: datetime) -> bool:
    version = PayoutVersion.objects.filter(payout_id=withdrawal.payout_id).latest("number")
    if not _send(version, network=the_routes.network.code, now=now):
        steps.wait(withdrawal.id, "broadcast_refused")
        return False
    with transaction.atomic():
        payout = Payout.objects.select_for_update().get(pk=version.payout_id)
        locked = Withdrawal.objects.select_for_update().get(pk=withdrawal.pk)
        if locked.state != State.SIGNED:
            return False
        payout.state = Payout.State.BROADCAST
        payout.save(update_fields=["state"])
        steps.enter(locked, State.BROADCAST, txid=version.txid, now=now)
    metrics.SENT.labels(the_routes.network.code).inc()
    return False


def _broadcast_again(withdrawal: Withdrawal, the_routes: Routes, *, now: datetime) -> bool:
    """The same bytes, every while until a block has them: a node may have forgotten them."""
    version = PayoutVersion.objects.filter(payout_id=withdrawal.payout_id).latest("number")
    sent = _send(version, network=the_routes.network.code, now=now)
    steps.wait(withdrawal.id, "" if sent else "broadcast_refused")
    return False


def _send_again(payout: Payout, down: set[int], *, now: datetime) -> None:
    """A final transaction that lost its block: its bytes are still good, and nobody is paid twice by them."""
    if payout.network_id in down:
        return
    try:
        _send(payout.versions.latest("number"), network=routes.codes()[payout.network_id], now=now)
    except ChainError as error:
        log.warning("node_unavailable", payout=str(payout.id), error=str(error))
        down.add(payout.network_id)


def _send(version: PayoutVersion, *, network: str, now: datetime) -> bool:
    """Sends the kept bytes unless that was a moment ago. False when the node will not have them. Raises ChainError."""
    every = timedelta(seconds=getattr(settings, "WALLETS_REBROADCAST_SECONDS", REBROADCAST_SECONDS))
    if version.last_broadcast_at is not None and now - version.last_broadcast_at < every:
        return not version.last_error
    assert version.raw is not None, "bytes are kept before they are sent"
    error = ""
    try:
        nodes.chain(network).broadcast(bytes(version.raw))
    except BroadcastRefused as refused:
        error = str(refused)[:ERROR_LENGTH_MAX]
        log.error("broadcast_refused", txid=version.txid, network=network, error=error)
    changes: dict[str, object] = {"last_error": error, "last_broadcast_at": now}
    if not error and version.first_broadcast_at is None:
        changes["first_broadcast_at"] = now
    PayoutVersion.objects.filter(pk=version.pk).update(**changes)
    return not error


STEPS: dict[State, Callable[..., bool]] = {
    State.APPROVED: _reserve,
    State.RESERVED: _ask_signer,
    State.SIGNING: _take_signature,
    State.SIGNED: _broadcast,
    State.BROADCAST: _broadcast_again,
}
