"""Asks Pwned Passwords' range API whether a password is known from a leak, and tells it next to nothing.

Only the first five digits of the SHA-1 go out (k-anonymity), and the answer is padded, so that its length says nothing either:
https://haveibeenpwned.com/API/v3#PwnedPasswords. What must never happen here: the password, its hash, or the digits in a log; a
redirect followed; a sign-up that waits or fails because the service does (it is let through, logged and counted).
"""

from __future__ import annotations

import hashlib

import structlog
from prometheus_client import Counter

from exchange.outgoing import calls

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
    except (calls.Failed, Unanswered) as error:
        ASKED.labels("unanswered").inc()
        log.warning("breached passwords cannot be asked; the password is let through", error=type(error).__name__)
        return None
    ASKED.labels("breached" if count else "clean").inc()
    return count


def _range(url: str, prefix: str) -> str:
    """The lines of a range, all of them within TIMEOUT_S: a service that drips holds nobody up."""
    with calls.Session(seconds=TIMEOUT_S, whole_s=TIMEOUT_S, bytes_max=ANSWER_BYTES_MAX) as session:
        response = session.get(f"{url.rstrip('/')}/{prefix}", headers={"Add-Padding": "true"})
    if response.status_code != 200:
        raise Unanswered(response.status_code)
    return response.content.decode("ascii", errors="replace")


def _count(answer: str, suffix: str) -> int:
    """A line is SUFFIX:COUNT; padding has the count 0."""
    for line in answer.splitlines():
        known, _, count = line.strip().partition(":")
        if known.upper() == suffix:
            if not (count.isascii() and count.isdigit()):
                raise Unanswered("malformed")
            return int(count)
    return 0
