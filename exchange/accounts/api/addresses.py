"""The address that a request comes from, for limits and records.

What must never happen here: X-Forwarded-For believed because it is there. Anybody can send it; only the last
TRUSTED_PROXY_COUNT entries were written by proxies of our own.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

LENGTH_MAX = 64
LOCAL = "local"


def of_request(request: HttpRequest) -> str:
    return client(peer=request.META.get("REMOTE_ADDR"), forwarded=request.META.get("HTTP_X_FORWARDED_FOR", ""))


def of_scope(scope: dict) -> str:
    """The same for a websocket's handshake."""
    forwarded = b",".join(value for name, value in scope["headers"] if name.lower() == b"x-forwarded-for")
    peer = scope.get("client")
    return client(peer=peer[0] if peer else None, forwarded=forwarded.decode("latin1"))


def client(*, peer: str | None, forwarded: str) -> str:
    """The first address that no proxy of ours wrote; "local" for a unix socket."""
    trusted = getattr(settings, "TRUSTED_PROXY_COUNT", 0)
    entries = [entry.strip() for entry in forwarded.split(",") if entry.strip()]
    if trusted > 0 and len(entries) >= trusted:
        return entries[-trusted][:LENGTH_MAX]
    return (peer or LOCAL)[:LENGTH_MAX]
