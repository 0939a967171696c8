"""Freezes a customer and cancels what is open, in one job that survives a crash at any point.

Steps, each its own transaction together with the mark that it is done: freeze in the ledger; cancel every open order
through the engine (which refuses new ones from then on); pay debts from what that set free. The engine is asked while the
job's row is locked, so two workers never do one job; cancelling again what is cancelled does no harm.

What must never happen here: a freeze that leaves orders open because a process died in between.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

import structlog
from celery import current_app
from django.db import transaction

from exchange.core.errors import Conflict, DomainError, InvalidRequest
from exchange.flows.models import Freeze
from exchange.ledger import selectors as ledger
from exchange.ledger.services import freezes as ledger_freezes
from exchange.ledger.services import reversals
from exchange.outbox import services as outbox
from exchange.outbox.registry import Event
from trading import selectors as trading
from trading.services import orders

SOURCE = "flow"
WAIT_FIRST_S, WAIT_MAX_S = 5, 300
JOBS_MAX = 50

log = structlog.get_logger(__name__)


class ReasonMissing(InvalidRequest):
    code = "reason_missing"


class OrdersRemain(Conflict):
    """A halted market keeps its orders; the job waits for it."""

    code = "orders_remain"


def start(*, user_id: int, reason: str, actor_id: int | None, now: datetime) -> int:
    """Begins the job; its id. A job that is under way for this customer is given back."""
    if not reason.strip():
        raise ReasonMissing("A reason is needed.", param="reason")
    with transaction.atomic():
        return _begin(
            user_id=user_id, source=SOURCE, reason=reason.strip()[:500], actor_id=actor_id, state="requested", now=now
        )


def lift(*, user_id: int, reason: str, actor_id: int | None, now: datetime) -> bool:
    """Ends the freeze that `start` made; True when the customer is free now. Raises the ledger's NotFrozen."""
    return ledger_freezes.unfreeze(owner_id=user_id, reason=reason, actor=actor_id, source=SOURCE, now=now)


def stands(*, user_id: int) -> bool:
    """Whether the freeze that `start` made is in force."""
    return ledger.is_frozen(owner_id=user_id, source=SOURCE)


def follow(event: Event) -> None:
    """A freeze that the ledger made by itself (a debt after a reversal) needs the rest of the job as well."""
    if event.payload["source"] != SOURCE:
        _begin(
            user_id=event.payload["owner_id"],
            source=event.payload["source"],
            reason=event.payload["reason"],
            actor_id=None,
            state="frozen",
            now=event.now,
        )


def pay_debts_after_deposit(event: Event) -> None:
    """Money that comes in for somebody who owes us goes to the debt first."""
    _pay_debts(event.payload["user_id"], f"event:{event.id}", event.now)


def _begin(*, user_id: int, source: str, reason: str, actor_id: int | None, state: str, now: datetime) -> int:
    Freeze.objects.bulk_create(
        [
            Freeze(
                user_id=user_id,
                source=source,
                reason=reason,
                actor_id=actor_id,
                state=state,
                due_at=now,
                created_at=now,
            )
        ],
        ignore_conflicts=True,
    )
    transaction.on_commit(_wake, robust=True)
    return Freeze.objects.exclude(state=Freeze.State.DONE).get(user_id=user_id, source=source).id


def _wake() -> None:
    current_app.send_task("flows.advance", retry=False)


def advance_due(*, now: datetime) -> int:
    """Takes every job that is due as far as it goes; how many there were."""
    jobs = Freeze.objects.exclude(state=Freeze.State.DONE).filter(due_at__lte=now).order_by("due_at", "id")
    ids = list(jobs.values_list("id", flat=True)[:JOBS_MAX])
    for job_id in ids:
        advance(job_id=job_id, now=now)
    return len(ids)


def advance(*, job_id: int, now: datetime) -> str:
    """Takes one job as far as it goes; the state it is in then. A step that fails is tried again later."""
    try:
        while _step(job_id, now):
            pass
    except DomainError as error:
        _postpone(job_id, error, now)
    return Freeze.objects.values_list("state", flat=True).get(id=job_id)


def _step(job_id: int, now: datetime) -> bool:
    """The next step and its mark in one transaction. False where nothing is left, or another worker is at it."""
    with transaction.atomic():
        jobs = Freeze.objects.select_for_update(skip_locked=True).exclude(state=Freeze.State.DONE)
        job = jobs.filter(id=job_id).first()
        if job is None:
            return False
        _STEPS[job.state](job, now)
        job.attempts, job.error = 0, ""
        job.save()
    return True


def _freeze(job: Freeze, now: datetime) -> None:
    ledger_freezes.freeze(owner_id=job.user_id, reason=job.reason, actor=job.actor_id, source=SOURCE, now=now)
    job.state = Freeze.State.FROZEN


def _cancel(job: Freeze, now: datetime) -> None:
    job.orders_cancelled = 0
    if trading.has_open_orders(job.user_id):  # from the freeze on none is added, so nobody is asked for nothing
        job.orders_cancelled = orders.cancel_all_sync(user_id=job.user_id, reason="staff", now=now)
        if trading.has_open_orders(job.user_id):
            raise OrdersRemain(
                "Orders stand in a market that is halted; they are cancelled when it takes cancels again."
            )
    job.state = Freeze.State.CANCELLED


def _finish(job: Freeze, now: datetime) -> None:
    _pay_debts(job.user_id, f"freeze:{job.id}", now)
    job.state, job.finished_at = Freeze.State.DONE, now
    outbox.append(
        topic="flows.customer_frozen",
        key=f"user:{job.user_id}",
        payload={"job_id": job.id, "user_id": job.user_id, "orders_cancelled": job.orders_cancelled},
        now=now,
    )


_STEPS = {Freeze.State.REQUESTED: _freeze, Freeze.State.FROZEN: _cancel, Freeze.State.CANCELLED: _finish}


def _pay_debts(user_id: int, cause: str, now: datetime) -> None:
    """One repayment for each asset owed, under an id made from its cause: the same cause pays once."""
    for asset_id in sorted(ledger.receivables(owner_id=user_id)):
        repayment_id = uuid5(NAMESPACE_URL, f"bourse:repayment:{cause}:{asset_id}")
        reversals.repay(id=repayment_id, owner_id=user_id, asset_id=asset_id, now=now)


def _postpone(job_id: int, error: DomainError, now: datetime) -> None:
    job = Freeze.objects.get(id=job_id)
    wait_s = min(WAIT_FIRST_S * 2**job.attempts, WAIT_MAX_S)
    log.warning("flows.freeze_waits", job_id=job_id, state=job.state, code=error.code, wait_s=wait_s)
    Freeze.objects.filter(id=job_id, state=job.state).update(
        attempts=job.attempts + 1, error=f"{error.code}: {error.message}"[:500], due_at=now + timedelta(seconds=wait_s)
    )
