"""The ledger's upkeep, by the timetable. Each task makes one call into the domain; old messages may carry what we ignore."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from exchange.ledger import reconciliation, upkeep, verification
from exchange.ledger.services import days, holds


@shared_task(name="ledger.reconcile", ignore_result=True)
def reconcile(**kwargs: Any) -> None:
    reconciliation.run(now=timezone.now())


@shared_task(name="ledger.verify", ignore_result=True)
def verify(**kwargs: Any) -> None:
    verification.verify_and_stop(now=timezone.now())


@shared_task(name="ledger.expire_holds", ignore_result=True)
def expire_holds(**kwargs: Any) -> None:
    holds.expire_due(now=timezone.now())


@shared_task(name="ledger.make_partitions", ignore_result=True)
def make_partitions(**kwargs: Any) -> None:
    upkeep.make_partitions()


@shared_task(name="ledger.expire_keys", ignore_result=True)
def expire_keys(**kwargs: Any) -> None:
    upkeep.expire_keys()


@shared_task(name="ledger.gather_days", ignore_result=True)
def gather_days(**kwargs: Any) -> None:
    days.gather()


@shared_task(name="ledger.mend_days", ignore_result=True)
def mend_days(**kwargs: Any) -> None:
    days.mend_some(now=timezone.now())
