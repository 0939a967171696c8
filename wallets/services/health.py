"""How each network's node does, kept where pages and staff can see it.

What must never happen here: an error of one network that stops another, or anything else than the row it writes.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import transaction

from wallets import metrics, news, nodes, routes
from wallets.chains.protocol import BlockRef, ChainError
from wallets.models import Cursor, Health

log = structlog.get_logger(__name__)
ERROR_LENGTH_MAX = 500


def check(*, network: str, now: datetime) -> bool:
    """Asks the node which chain it serves and how far it is; writes down the answer or the error. True when it answers."""
    network_id = routes.of(network).network.id
    try:
        chain = nodes.chain(network)
        chain.check()
        tip = chain.tip()
    except ChainError as failure:
        failed(network_id=network_id, network=network, error=str(failure), now=now)
        return False
    seen(network_id=network_id, network=network, tip=tip, now=now)
    return True


def seen(*, network_id: int, network: str, tip: BlockRef, now: datetime) -> None:
    """The node answered."""
    cursor = Cursor.objects.filter(network_id=network_id).first()
    metrics.TIP.labels(network).set(tip.height)
    metrics.UP.labels(network).set(1)
    if cursor is not None:
        metrics.SCANNED.labels(network).set(cursor.height)
    with transaction.atomic():
        health = Health.objects.select_for_update().filter(network_id=network_id).first()
        came_back = health is not None and health.failing_since is not None
        Health.objects.update_or_create(
            network_id=network_id,
            defaults={
                "tip_height": tip.height,
                "tip_hash": tip.hash,
                "checked_at": now,
                "last_ok_at": now,
                "last_error": "",
                "failing_since": None,
            },
        )
        if came_back:
            log.info("node_back", network=network, height=tip.height)
            news.network("up", network=network, error="", now=now)


def failed(*, network_id: int, network: str, error: str, now: datetime) -> None:
    """The node did not answer, or not as it should."""
    metrics.UP.labels(network).set(0)
    with transaction.atomic():
        health = Health.objects.select_for_update().filter(network_id=network_id).first()
        first = health is None or health.failing_since is None
        Health.objects.update_or_create(
            network_id=network_id,
            defaults={
                "checked_at": now,
                "last_error": error[:ERROR_LENGTH_MAX],
                "failing_since": now if first or health is None else health.failing_since,
            },
        )
        if first:
            log.warning("node_down", network=network, error=error)
            news.network("down", network=network, error=error[:ERROR_LENGTH_MAX], now=now)
