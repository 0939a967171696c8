"""From where somebody came, in words a person reads: an address, and a browser's plain name.

What a browser calls itself is written by whoever sends it. What must never happen here: a line break or another control
character of theirs in a text of ours, or a text as long as they like.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.http import HttpRequest

from exchange.accounts.api import addresses

BROWSER_LENGTH_MAX = 60
_BROWSERS = (
    ("Edg", "Edge"), ("OPR", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip
_ORIGIN = re.compile(r"ip=(?P<address>\S*) agent=(?P<agent>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Whence:
    """Where a request came from; `browser` is at most 60 printable characters."""

    address: str
    browser: str


def of_request(request: HttpRequest) -> Whence:
    agent = request.META.get("HTTP_USER_AGENT", "")
    return Whence(address=printable(addresses.of_request(request)), browser=browser(agent))


def of_origin(origin: str) -> Whence:
    """The same out of what the audit was given (`audit.origin_of`)."""
    found = _ORIGIN.match(origin)
    return Whence(printable(found["address"]), browser(found["agent"])) if found else Whence("", "")


def browser(agent: str) -> str:
    """ "Firefox on Linux" where both are known; otherwise the program's own first word."""
    name = next((name for mark, name in _BROWSERS if f"{mark}/" in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    if name and system:
        return f"{name} on {system}"
    return (name or printable(agent).partition(" ")[0][:BROWSER_LENGTH_MAX]) or "An unknown program"


def printable(text: str) -> str:
    """On one line, without control characters or marks that turn its direction around."""
    return "".join(c for c in text if c.isprintable())[:200].strip()
