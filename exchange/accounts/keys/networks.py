"""The places a key is taken from: networks of IPv4 and IPv6, as a customer writes them down.

Pure. What must never happen here: a list that holds half the net and looks like a lock, or an address that fits because it was
written in another way.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from exchange.core.errors import InvalidRequest

NETWORKS_MAX = 20
WIDEST = {4: 16, 6: 32}
Network = IPv4Network | IPv6Network


class NetworkInvalid(InvalidRequest):
    """No address and no network, or one too wide to keep anybody out."""

    code = "network_invalid"


def parse(texts: Iterable[str]) -> list[str]:
    """The networks in their one form, each once. Raises NetworkInvalid."""
    found: dict[str, None] = {}
    for text in texts:
        found[_parsed(text.strip())] = None
    if len(found) > NETWORKS_MAX:
        raise NetworkInvalid(f"A key has at most {NETWORKS_MAX} networks.", param="networks")
    return list(found)


def read(kept: Iterable[str]) -> tuple[Network, ...]:
    """What `parse` gave, ready to be asked."""
    return tuple(ip_network(text) for text in kept)


def holds(networks: tuple[Network, ...], address: str) -> bool:
    """Whether the address lies in one of them. What is no address (a unix socket) lies in none."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found  # a server on both families shows IPv4 peers as ::ffff:a.b.c.d
    return any(found in network for network in networks if network.version == found.version)


def _parsed(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError:
        raise NetworkInvalid(
            f"{text[:60]!r} is no address or network. Write 203.0.113.7, 203.0.113.0/24 or 2001:db8::/48.",
            param="networks",
        ) from None
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise NetworkInvalid("Write an IPv4 address as such, not inside an IPv6 one.", param="networks")
    widest = WIDEST[network.version]
    if network.prefixlen < widest:
        raise NetworkInvalid(f"{network} is too wide: /{widest} or narrower, please.", param="networks")
    return str(network)
