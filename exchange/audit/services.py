"""Writes what happened into the audit.

Records go in with the transaction they tell about: a deed that is rolled back leaves none. The seal is made by the database
at the commit, so recording takes no lock that others wait for. What must never happen here: a secret, a password or a
person's name in a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection
from django.http import HttpRequest

from exchange.audit.models import Record

ORIGIN_LENGTH_MAX = 400
SUBJECT_LENGTH_MAX = 200


def record(
    *,
    actor_id: int | None,
    action: str,
    subject: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    origin: str = "",
    now: datetime,
) -> int:
    """One deed: who (a user's id, or None for the house), what ("withdrawal.approve"), on what ("withdrawal:12"), the
    state before and after, and from where (`origin_of`). Returns the record's id."""
    return Record.objects.create(
        at=now,
        actor_id=actor_id,
        action=action,
        subject=subject[:SUBJECT_LENGTH_MAX],
        before=None if before is None else dict(before),
        after=None if after is None else dict(after),
        origin=origin[:ORIGIN_LENGTH_MAX],
    ).id


def origin_of(request: HttpRequest | None) -> str:
    """From where a request came: the peer's address as the server saw it, and the browser's name for itself."""
    if request is None:
        return ""
    agent = "".join(c for c in request.headers.get("User-Agent", "") if c.isprintable())[:200]
    return f"ip={request.META.get('REMOTE_ADDR', '')} agent={agent}"


def make_partitions() -> int:
    """Has the database make the tables that the next million records will need; the number it made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_make_partitions()")
        return cursor.fetchone()[0]
