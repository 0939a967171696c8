"""What an authenticator app shows (RFC 6238: SHA-1, six digits, half a minute), for people who are played."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
import time

PERIOD_S = 30


def new_secret() -> str:
    return base64.b32encode(secrets.token_bytes(20)).decode()


def counter_now() -> int:
    return int(time.time()) // PERIOD_S


def code(secret: str, counter: int) -> str:
    """The code of one half minute."""
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", counter), hashlib.sha1).digest()
    start = digest[-1] & 0x0F
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def said(people: dict[str, str]) -> str:
    """Everybody's code now and the next, by name; a code is good for once."""
    counter = counter_now()
    left = PERIOD_S - int(time.time()) % PERIOD_S
    width = max(map(len, people))
    lines = [
        f"  {name:<{width}}   {code(secret, counter)}   then {code(secret, counter + 1)}"
        for name, secret in people.items()
    ]
    return "\n".join([*lines, f"  Each is good for once; the first for {left} s and half a minute more."]) + "\n"
