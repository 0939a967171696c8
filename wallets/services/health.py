"""How each network's sources do, kept where pages and staff can see it.

What must never happen here: an error of one network that stops another, or anything else than the rows it writes.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import transaction

from wallets import metrics, news, routes
from wallets.chains.protocol import ChainError
from wallets.models import Cursor, Health
from wallets.services import sources

log = structlog.get_logger(__name__)
ERROR_LENGTH_MAX = 500


def check(*, network: str, now: datetime) -> bool:
    """Asks every source which chain it serves and how far it is; writes down the answers. True when the network works."""
    the_routes = routes.of(network)
    try:
        found = sources.survey(routes=the_routes, now=now, thorough=True)
    except ChainError as failure:
        failed(network_id=the_routes.network.id, network=network, error=str(failure), now=now)
        return False
    seen(found, now=now)
    return not found.error


def seen(found: sources.Survey, *, now: datetime) -> None:
    """At least one source serves. Where they contradict each other, or the only one is behind, the network is ill."""
    network_id, network = found.routes.network.id, found.routes.network.code
    sources.write(found.routes, found.looks, now=now)
    scanned = Cursor.objects.filter(network_id=network_id).values_list("height", flat=True).first()
    tip = found.serving.tip
    assert tip is not None
    metrics.TIP.labels(network).set(tip.height)
    if scanned is not None:
        metrics.SCANNED.labels(network).set(scanned)
    _write(network_id, network, found.error, now=now, tip_height=tip.height, tip_hash=tip.hash)


def failed(*, network_id: int, network: str, error: str, now: datetime) -> None:
    """No source answered, or not as it should."""
    _write(network_id, network, error or "the node does not answer", now=now)


def _write(network_id: int, network: str, error: str, *, now: datetime, **fields: object) -> None:
    """The row, and news when it changes from well to ill or back."""
    error = error[:ERROR_LENGTH_MAX]
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
