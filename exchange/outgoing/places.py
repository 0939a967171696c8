"""Which places may be called: scheme, host and port of a URL against the list that the settings worked out.

EGRESS_ALLOWED_HOSTS holds "host:port" of every service that is configured (config/egress.py); None, on a developer's machine,
allows any. It imports no HTTP client, for the signer's settings read it. What must never happen here: a URL's path, query or
password in an error.
"""

from __future__ import annotations

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


def check(url: str, *, private: bool = False) -> None:
    """Raises NotAllowed. `private`: a node of our own, which may be asked in the clear inside its own network."""
    wanted = place(url)
    allowed = getattr(settings, "EGRESS_ALLOWED_HOSTS", None)
    if allowed is None:
        return
    if wanted not in allowed:
        raise NotAllowed(f"{wanted} is not among the places that the settings allow to be called.")
    if not private and urlsplit(url).scheme != "https" and wanted.rpartition(":")[0] not in LOOPBACK:
        raise NotAllowed(f"{wanted} would be called in the clear.")
