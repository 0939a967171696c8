"""Takes the signer's answer to one version of a payout: commits the checked bytes with their txid, or gives the job up.

From the commit on these bytes may go out, and only these. What must never happen here: bytes kept that do something else than
was asked for, or a payout given up for which signed bytes exist.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from celery import current_app
from django.db import transaction

from custody import selectors as custody
from custody.selectors import Refusal, Signature
from exchange.ledger.services import stops
from wallets import faults, nodes
from wallets.chains.protocol import SignedMismatch
from wallets.lifecycle import State
from wallets.models import Payout, PayoutVersion, Withdrawal
from wallets.routes import Routes
from wallets.services import releasing, steps

log = structlog.get_logger(__name__)

# Longer than this without an answer, and the customer and staff are told that the signer is what they wait for.
SIGNER_SLOW = timedelta(seconds=20)


def take(payout: Payout, version: PayoutVersion, routes: Routes, *, now: datetime) -> bool:
    """True when the payout can go on with what the signer answered."""
    answer = custody.signature(job_id=version.id)
    if answer is None:
        if payout.state == Payout.State.SIGNING and now - version.created_at > SIGNER_SLOW:
            waiting = Withdrawal.objects.filter(payout=payout, closed_at=None)
            waiting.exclude(waiting="signer").update(waiting="signer")
        return False
    if isinstance(answer, Refusal):
        _refused(payout, version, answer, now=now)
        return False
    return _keep(payout, version, answer, routes, now=now)


def _refused(payout: Payout, version: PayoutVersion, answer: Refusal, *, now: datetime) -> None:
    """The signer will never sign this job: a first version's coins or nonce are free again, a later one is just not made."""
    reason = f"{answer.code}: {answer.reason}"
    with transaction.atomic():
        locked = Payout.objects.select_for_update().get(pk=payout.pk)
        PayoutVersion.objects.filter(pk=version.pk).update(refusal=reason)
        if locked.state != Payout.State.SIGNING:
            log.error("signing_refused", payout=str(payout.id), version=version.number, reason=reason)
            return
        _dissolve(releasing.take_apart(locked, now=now), reason, now=now)
        if locked.kind != Payout.Kind.PAYOUT:
            log.error("signing_refused", payout=str(payout.id), kind=locked.kind, reason=reason)


def _dissolve(rows: list[Withdrawal], reason: str, *, now: datetime) -> None:
    """Staff decide about the one that is to blame; the others queue again.

    A refusal that names one of a batch blames that one. One that names none may be about any of them or about their sum: they
    go on in half the company, until whoever is to blame stands alone.
    """
    named = [row for row in rows if str(row.id) in reason]
    blamed = rows if len(rows) == 1 else named
    for row in blamed:
        steps.enter(row, State.REVIEW, reason=f"the signer refused: {reason}", company_max=None, now=now)
    others = [row for row in rows if row not in blamed]
    if not named:
        for row in others:
            row.company_max = len(rows) // 2
    releasing.requeue(others, now=now)


def _keep(payout: Payout, version: PayoutVersion, answer: Signature, routes: Routes, *, now: datetime) -> bool:
    try:
        view = nodes.rules(routes.network.code).verify_signed(bytes(answer.raw), version.unsigned)
        if view.txid != answer.txid:
            raise SignedMismatch("the signer names another txid than its bytes have")
    except SignedMismatch as mismatch:
        log.critical("signed_mismatch", payout=str(payout.id), error=str(mismatch))
        stops.stop(scope="withdrawals", reason=f"job {version.id}: {mismatch}", source="wallets", now=now)
        return False
    with transaction.atomic():
        locked = Payout.objects.select_for_update().get(pk=payout.pk)
        # A later version is of use only while the payout waits for a node or a block; kept it is even so, once one took it away
        # again.
        if locked.state not in (Payout.State.SIGNING, Payout.State.SIGNED, Payout.State.BROADCAST):
            return False
        first = locked.state == Payout.State.SIGNING
        kept = PayoutVersion.objects.filter(pk=version.pk, raw=None)
        if not kept.update(raw=bytes(answer.raw), txid=view.txid, signed_at=now):
            return False
        locked.txid = view.txid
        if first:
            locked.state = Payout.State.SIGNED
            rows = list(Withdrawal.objects.select_for_update().filter(payout=locked).order_by("id"))
            steps.enter_all(rows, State.SIGNED, txid=view.txid, now=now)
            # The next one may be waiting for its nonce.
            transaction.on_commit(
                lambda: current_app.send_task("wallets.advance_withdrawals", queue="chain", retry=False), robust=True
            )
        locked.save(update_fields=["state", "txid"])
        faults.passing("payout.keep.before_commit")
    faults.passing("payout.keep.after_commit")
    return True
