"""The address that a request comes from, for limits and records.

What must never happen here: X-Forwarded-For believed because it is there. Anybody can send it; only the last
TRUSTED_PROXY_COUNT entries were written by proxies of our own. And nothing may be counted by an IPv6 address alone: who has
one has 2^64 of them.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest

LENGTH_MAX = 64
LOCAL = "local"
NETWORK_BITS = 64  # what one customer of an IPv6 provider is given at least


@lru_cache(maxsize=10_000)
def counted(address: str) -> str:
    """Whom limits, sockets and lock-outs count where a request comes from `address`: an IPv4 address, an IPv6 network; what is
    no address (a unix socket, a proxy's own word for somebody) as it is. Records and keys' lists keep the address itself."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv4Address):
        return str(found)
    mapped = found.ipv4_mapped
    # By its number: a zone ("%eth0") is the bearer's own word again.
    return str(mapped or IPv6Network((int(found), NETWORK_BITS), strict=False).network_address)


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
