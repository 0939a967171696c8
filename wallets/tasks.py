"""What the workers run for this room. Each task makes one call; overlaps end at a PostgreSQL advisory lock.

A task takes ids and **kwargs, so that an old message still runs. What must never happen here: a decision.
"""

from __future__ import annotations

from typing import Any

from celery import current_app, shared_task
from django.utils import timezone

from wallets import nodes
from wallets.services import (
    bumping,
    cold,
    confirming,
    consolidating,
    health,
    holding,
    nonces,
    payouts,
    scanning,
    sweeping,
)


@shared_task(name="wallets.scan", ignore_result=True)
def scan(network: str, **kwargs: Any) -> None:
    scanning.scan(network=network, now=timezone.now())


@shared_task(name="wallets.advance_withdrawals", ignore_result=True)
def advance_withdrawals(**kwargs: Any) -> None:
    with nodes.only_one("advance") as mine:
        if mine:
            payouts.advance_all(now=timezone.now())


@shared_task(name="wallets.advance_withdrawal", ignore_result=True)
def advance_withdrawal(reference: str, **kwargs: Any) -> None:
    payouts.advance(reference=reference, now=timezone.now())


@shared_task(name="wallets.check_network", ignore_result=True)
def check_network(network: str, **kwargs: Any) -> None:
    health.check(network=network, now=timezone.now())


@shared_task(name="wallets.expire_confirmations", ignore_result=True)
def expire_confirmations(**kwargs: Any) -> None:
    confirming.expire(now=timezone.now())


@shared_task(name="wallets.sweep", ignore_result=True)
def sweep(**kwargs: Any) -> None:
    with nodes.only_one("sweep") as mine:
        report = sweeping.sweep_due(now=timezone.now()) if mine else None
    if report is not None and report.busy:
        # One nonce at a time is with the signer; who waits for his turn does not wait for the timetable.
        current_app.send_task("wallets.sweep", queue="chain", countdown=1, expires=30, retry=False)


@shared_task(name="wallets.release_held", ignore_result=True)
def release_held(**kwargs: Any) -> None:
    with nodes.only_one("release-held") as mine:
        if mine:
            holding.release_due(now=timezone.now())


@shared_task(name="wallets.check_nonces", ignore_result=True)
def check_nonces(**kwargs: Any) -> None:
    with nodes.only_one("nonces") as mine:
        if mine:
            nonces.look(now=timezone.now())


@shared_task(name="wallets.balance_cold", ignore_result=True)
def balance_cold(**kwargs: Any) -> None:
    cold.balance(now=timezone.now())


@shared_task(name="wallets.bump", ignore_result=True)
def bump(**kwargs: Any) -> None:
    with nodes.only_one("bump") as mine:
        if mine:
            bumping.bump_due(now=timezone.now())


@shared_task(name="wallets.consolidate", ignore_result=True)
def consolidate(**kwargs: Any) -> None:
    with nodes.only_one("consolidate") as mine:
        if mine:
            consolidating.consolidate_due(now=timezone.now())
