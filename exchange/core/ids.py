"""Ids made by us: time-ordered UUIDs (version 7, RFC 9562), so that an index on them grows at one end.

What must never happen here: an id that can be guessed to mean a secret. A UUID names a thing; it opens nothing.
"""

from __future__ import annotations

import secrets
import time
from datetime import datetime
from uuid import UUID


def uuid7() -> UUID:
    """A new UUID of version 7: 48 bits of Unix milliseconds, then 74 random bits. Reads clock and randomness: for the edges."""
    milliseconds, random = time.time_ns() // 1_000_000, secrets.randbits(74)
    value = (milliseconds & (2**48 - 1)) << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & (2**62 - 1)
    return UUID(int=value)


def floor(moment: datetime) -> UUID:
    """The smallest UUID of version 7 that was made at this moment or later: an index of ids, read as an index of times."""
    return UUID(int=int(moment.timestamp() * 1_000) << 80 | 0x7 << 76 | 0b10 << 62)
