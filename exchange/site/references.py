"""The references that error pages show, kept for staff: when, where, which status, and what kind of fault.

What a person names to support is found here, and in the logs under the same word. What must never happen here: an error page that
fails because nothing could be kept, or anything of a person's (no body, no query, no name).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import structlog
from django.core.cache import cache

KEPT_S = 30 * 24 * 3600
_SHAPE = re.compile(r"[0-9A-F]{10}")

log = structlog.get_logger(__name__)


def keep(reference: str, facts: dict[str, Any], *, now: datetime) -> None:
    """Best effort: it may be the store that is down."""
    try:
        cache.set(_key(reference), {**facts, "at": now.isoformat()}, timeout=KEPT_S)
    except Exception:
        log.warning("reference_not_kept", reference=reference)


def find(reference: str) -> dict[str, Any] | None:
    """What is known of a reference, as it was named: spaces and small letters are forgiven."""
    wanted = reference.replace(" ", "").replace("-", "").upper()
    if not _SHAPE.fullmatch(wanted):
        return None
    found = cache.get(_key(wanted))
    return {**found, "reference": wanted, "at": datetime.fromisoformat(found["at"])} if found else None


def _key(reference: str) -> str:
    return f"site:reference:{reference}"
