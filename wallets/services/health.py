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
    """The node answered. One whose tip is below what we scanned already is behind, and of no use until it has caught up."""
    scanned = Cursor.objects.filter(network_id=network_id).values_list("height", flat=True).first()
    metrics.TIP.labels(network).set(tip.height)
    if scanned is not None:
        metrics.SCANNED.labels(network).set(scanned)
    error = ""
    if scanned is not None and tip.height < scanned:
        error = f"the node is {scanned - tip.height} blocks behind what was scanned before"
    _write(network_id, network, error, now=now, tip_height=tip.height, tip_hash=tip.hash)


def failed(*, network_id: int, network: str, error: str, now: datetime) -> None:
    """The node did not answer, or not as it should."""
    _write(network_id, network, error[:ERROR_LENGTH_MAX] or "the node does not answer", now=now)


def _write(network_id: int, network: str, error: str, *, now: datetime, **fields: object) -> None:
    """The row, and news when it changes from well to ill or back."""
    metrics.UP.labels(network).set(0 if error else 1)
    with transaction.atomic():
        health = Health.objects.select_for_update().filter(network_id=network_id).first()
        was_ill = health is not None and health.failing_since is not None
        if error:
            fields["failing_since"] = health.failing_since if health is not None and was_ill else now
        else:
            fields |= {"failing_since": None, "last_ok_at": now}
        Health.objects.update_or_create(
            network_id=network_id, defaults={**fields, "checked_at": now, "last_error": error}
        )
        if error and not was_ill:
            log.warning("node_down", network=network, error=error)
            news.network("down", network=network, error=error, now=now)
        elif was_ill and not error:
            log.info("node_back", network=network)
            news.network("up", network=network, error="", now=now)
