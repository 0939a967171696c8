"""The hash that seals a record onto the one before it, worked out apart from the database so that each checks the other.

Pure. What must never happen here: two different records that give the same bytes, which is why every field goes in with
its length before it, and an empty text differs from none.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

GENESIS = hashlib.sha256(b"bourse audit").digest()
_NONE = b"\xff\xff\xff\xff"


@dataclass(frozen=True, slots=True)
class Line:
    """A record as text, exactly as the database prints it; `at` in UTC with microseconds."""

    id: int
    at: str
    actor_id: str | None
    action: str
    subject: str
    before: str | None
    after: str | None
    origin: str


def digest(previous: bytes, seq: int, line: Line) -> bytes:
    """SHA-256 over the previous hash, the number in the chain and every field."""
    fields = (line.at, line.actor_id, line.action, line.subject, line.before, line.after, line.origin)
    return hashlib.sha256(
        previous + seq.to_bytes(8, "big") + line.id.to_bytes(8, "big") + b"".join(map(_field, fields))
    ).digest()


def _field(value: str | None) -> bytes:
    if value is None:
        return _NONE
    data = value.encode()
    return len(data).to_bytes(4, "big") + data
