"""What the workers run for this room. Each task makes one call; overlaps end at a PostgreSQL advisory lock.

A task takes ids and **kwargs, so that an old message still runs. What must never happen here: a decision.
"""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from wallets import nodes
from wallets.services import confirming, health, payouts, scanning


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
