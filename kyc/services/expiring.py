"""Levels end: told ahead, then taken back; and applications that their customers left alone are closed.

What must never happen here: a level that ends without a notice that went out before, or one that goes on after its proof is
over.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from exchange.audit import services as audit
from kyc import selectors
from kyc.models import Application
from kyc.models.applications import State
from kyc.services import applications, levels, limits

AT_ONCE = 500


def run(*, now: datetime) -> tuple[int, int, int]:
    """Notices given, levels ended, drafts closed."""
    return warn_due(now=now), lapse_due(now=now), close_left_alone(now=now)


def warn_due(*, now: datetime) -> int:
    """Tells customers that a level of theirs ends within the next of KYC_NOTICE_DAYS; each notice once, the latest alone."""
    given = 0
    for days in sorted(settings.KYC_NOTICE_DAYS):
        ending = Application.objects.filter(
            state=State.APPROVED, expires_at__gt=now, expires_at__lte=now + timedelta(days=days)
        )
        due = ending.exclude(warned_days__lte=days)
        for application_id in list(due.order_by("expires_at").values_list("id", flat=True)[:AT_ONCE]):
            with transaction.atomic():
                application = _locked(application_id, State.APPROVED)
                if application is None or (application.warned_days or 10**6) <= days:
                    continue
                _warn(application, days, now)
                given += 1
    return given


def _warn(application: Application, days: int, now: datetime) -> None:
    application.warned_days = days
    application.save(update_fields=["warned_days", "expires_at"])
    applications.tell(application, "ending", now=now, expires_at=application.expires_at.date().isoformat())


def lapse_due(*, now: datetime) -> int:
    """Ends approvals whose time is over, and with them the level. Only after a notice: one that was missed is given first, and
    the level then holds for the shortest notice longer."""
    ended = 0
    due = Application.objects.filter(state=State.APPROVED, expires_at__lte=now)
    for application_id in list(due.order_by("expires_at").values_list("id", flat=True)[:AT_ONCE]):
        with transaction.atomic():
            application = _locked(application_id, State.APPROVED)
            if application is None or application.expires_at > now:
                continue
            if application.warned_days is None and settings.KYC_NOTICE_DAYS:
                shortest = min(settings.KYC_NOTICE_DAYS)
                application.expires_at = now + timedelta(days=shortest)
                _warn(application, shortest, now)
                continue
            limits.lock(application.user_id)
            application.state, application.ended_at = State.EXPIRED, now
            application.save(update_fields=["state", "ended_at"])
            applications.step(application, State.EXPIRED, actor_id=None, now=now)
            audit.record(
                actor_id=None,
                action="kyc.lapse",
                subject=str(application),
                before={"state": "approved"},
                after={"state": "expired", "level": application.level_id},
                now=now,
            )
            if selectors.level(application.user_id).number >= application.level_id:
                levels.assign(
                    user_id=application.user_id,
                    level=application.level_id - 1,
                    reason=f"{application} is over",
                    actor_id=None,
                    now=now,
                )
            applications.tell(application, "expired", now=now)
            ended += 1
    return ended


def close_left_alone(*, now: datetime) -> int:
    """Closes drafts and requests to send again that nobody touched for KYC_DRAFT_DAYS."""
    before = now - timedelta(days=settings.KYC_DRAFT_DAYS)
    left = Application.objects.filter(state__in=[State.DRAFT, State.RESUBMIT], changed_at__lt=before)
    closed = 0
    for application_id in list(left.order_by("changed_at").values_list("id", flat=True)[:AT_ONCE]):
        with transaction.atomic():
            application = _locked(application_id, State.DRAFT, State.RESUBMIT)
            if application is None or application.changed_at >= before:
                continue
            if application.decided_at is not None and application.decided_at >= before:
                continue  # asked again not long ago
            application.state, application.ended_at, application.asked = State.EXPIRED, now, []
            application.save(update_fields=["state", "ended_at", "asked"])
            applications.step(application, State.EXPIRED, actor_id=None, now=now, note="left alone")
            closed += 1
    return closed


def _locked(application_id: object, *states: str) -> Application | None:
    """Skipped where somebody else is at it: the next round finds it again."""
    return (
        Application.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("level")
        .filter(id=application_id, state__in=states)
        .first()
    )
