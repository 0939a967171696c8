"""Asks Pwned Passwords' range API whether a password is known from a leak, and tells it next to nothing.

Only the first five digits of the SHA-1 go out (k-anonymity), and the answer is padded, so that its length says nothing either:
https://haveibeenpwned.com/API/v3#PwnedPasswords. What must never happen here: the password, its hash, or the digits in a log; a
redirect followed; a sign-up that waits or fails because the service does (it is let through, logged and counted).
"""

from __future__ import annotations

import hashlib
import time

import requests
import structlog
import urllib3
from prometheus_client import Counter

log = structlog.get_logger(__name__)
ASKED = Counter("bourse_breached_passwords_total", "Passwords that were looked up, by what came of it.", ["outcome"])
TIMEOUT_S = 2.0
ANSWER_BYTES_MAX = 256_000  # the service's own are about 40,000
_PREFIX = 5


class Unanswered(Exception):
    """The service gave no answer that can be used."""


def times_seen(password: str, *, url: str) -> int | None:
    """How often the password stands in known leaks; None where the service did not answer."""
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    try:
        answer = _range(url, digest[:_PREFIX])
        count = _count(answer, digest[_PREFIX:])
    except (requests.RequestException, urllib3.exceptions.HTTPError, Unanswered) as error:
        ASKED.labels("unanswered").inc()
        log.warning("breached passwords cannot be asked; the password is let through", error=type(error).__name__)
        return None
    ASKED.labels("breached" if count else "clean").inc()
    return count


def _range(url: str, prefix: str) -> str:
    """The lines of a range, all of them within TIMEOUT_S: a service that drips holds nobody up."""
    until = time.monotonic() + TIMEOUT_S
    body = bytearray()
    with requests.get(
        f"{url.rstrip('/')}/{prefix}",
        headers={"Add-Padding": "true", "User-Agent": "bourse", "Accept-Encoding": "identity"},
        timeout=TIMEOUT_S,
        allow_redirects=False,
        stream=True,
    ) as response:
        if response.status_code != 200:
            raise Unanswered(response.status_code)
        # What has come, not what was wanted: waiting for a full buffer would wait for each of its drops.
        while piece := response.raw.read1(16_384):
            body += piece
            if len(body) > ANSWER_BYTES_MAX or time.monotonic() > until:
                raise Unanswered("too much or too slow")
    return body.decode("ascii", errors="replace")


def _count(answer: str, suffix: str) -> int:
    """A line is SUFFIX:COUNT; padding has the count 0."""
    for line in answer.splitlines():
        known, _, count = line.strip().partition(":")
        if known.upper() == suffix:
            if not (count.isascii() and count.isdigit()):
                raise Unanswered("malformed")
            return int(count)
    return 0
