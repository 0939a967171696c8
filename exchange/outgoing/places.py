"""Which places may be called: scheme, host and port of a URL against the list that the settings worked out.

EGRESS_ALLOWED_HOSTS holds "host:port" of every service that is configured (config/egress.py); "*.example.com:443" stands for each
name right below example.com. None, on a developer's machine, allows any. It imports no HTTP client, for the signer's settings
read it. A place that a customer names (a browser's push service) is held to `public` as well, list or no list.
What must never happen here: a URL's path, query or password in an error; a customer's place that is one of our own network.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from django.conf import settings

PORTS = {"https": 443, "http": 80}
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class NotAllowed(OSError):
    """A call to where nothing is configured, or in the clear to somewhere else than this machine."""


def place(url: str) -> str:
    """ "host:port" of an http or https URL. Raises NotAllowed for what is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise NotAllowed("That is no http or https address.") from None
    if not parts.hostname:
        raise NotAllowed("That address names no host.")
    return f"{parts.hostname}:{port}"


def listed(wanted: str, allowed: Collection[str]) -> bool:
    """Whether "host:port" is on the list, by its name or by the star of its parent."""
    return wanted in allowed or f"*.{wanted.partition('.')[2]}" in allowed


def check(url: str, *, private: bool = False) -> None:
    """Raises NotAllowed. `private`: a node of our own, which may be asked in the clear inside its own network."""
    wanted = place(url)
    allowed = getattr(settings, "EGRESS_ALLOWED_HOSTS", None)
    if allowed is None:
        return
    if not listed(wanted, allowed):
        raise NotAllowed(f"{wanted} is not among the places that the settings allow to be called.")
    if not private and urlsplit(url).scheme != "https" and wanted.rpartition(":")[0] not in LOOPBACK:
        raise NotAllowed(f"{wanted} would be called in the clear.")


def public(host: str, port: int) -> list[str]:
    """The addresses of a host, every one of them of the open internet. Raises NotAllowed for one that is not, or for none.

    Whoever connects has to connect to one of these, and not to the name again: it may have another address by then.
    """
    try:
        found = {str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        raise NotAllowed(f"{host} has no address.") from None
    if not found or not all(map(_is_public, found)):
        raise NotAllowed(f"{host} is no place of the open internet.")
    return sorted(found)


# Ranges of IPv6 that carry an IPv4 address within: NAT64, 6to4, Teredo. What stands within may be anybody's, ours as well.
_CARRIERS = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")))


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif any(address in carrier for carrier in _CARRIERS):
            return False
    return address.is_global and not address.is_multicast
