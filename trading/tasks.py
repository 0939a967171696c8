"""Upkeep of the trading tables. What must never happen here: matching, or anything else the engine's process does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery import shared_task
from django.db import connection
from django.utils import timezone

from trading.services import fees, reserving

KEYS_KEPT = timedelta(days=30)


@shared_task(name="trading.make_partitions")
def make_partitions(**kwargs: Any) -> int:
    """Make the partitions that the next orders, trades, commands and candles will need."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT trading_make_partitions()")
        return int(cursor.fetchone()[0])


@shared_task(name="trading.expire_keys")
def expire_keys(**kwargs: Any) -> int:
    """Forget command UUIDs and client order ids older than their retention; open orders keep theirs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT trading_expire_keys(%s)", [timezone.now() - KEYS_KEPT])
        return int(cursor.fetchone()[0])


@shared_task(name="trading.settle_reservations")
def settle_reservations(**kwargs: Any) -> int:
    """Write down what became of limited customers' orders, where they do not come back to find out."""
    return reserving.settle_due(now=timezone.now())


@shared_task(name="trading.refresh_fees")
def refresh_fees(**kwargs: Any) -> int:
    """Count what customers traded since the last run, and tell the engines whose fee tier changed."""
    return fees.refresh(now=timezone.now())
