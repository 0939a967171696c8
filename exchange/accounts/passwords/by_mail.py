"""Tells a password that is set by a link out of the mailbox from one that somebody sets in a session of theirs.

What must never happen here: a new way to reset a password taken for a change by its owner, who knew the old one. (Both rules that
ask are strict where the address is not listed: the session has to show more, and API keys end where nobody is logged in.)
"""

from __future__ import annotations

from django.http import HttpRequest

# allauth's names of the page and of the apps' address.
_RESETS = frozenset({"account_reset_password_from_key", "reset_password"})


def is_reset(request: HttpRequest | None) -> bool:
    """Whoever is logged in meanwhile has no part in it."""
    match = getattr(request, "resolver_match", None)
    return match is not None and match.url_name in _RESETS
