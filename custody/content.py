"""Names the content of a signing job by a digest, the same on both sides of the database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def digest(network: str, unsigned: Mapping[str, Any]) -> str:
    """SHA-256 over network and content, keys in order: the same values, the same digest."""
    body = json.dumps([network, unsigned], sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(body).hexdigest()
