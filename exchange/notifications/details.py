"""What changed about a credential, in the reader's language. The event says it in English, as the record does.

What must never happen here: a phrase that says something else than the English one; one that is not known is shown as it is.
"""

from __future__ import annotations

import re

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

_WHOLE = frozenset(
    {
        gettext_noop("Password changed"),
        gettext_noop("Password reset, API keys ended"),
        gettext_noop("E-mail address changed, API keys ended"),
        gettext_noop("Every second factor reset by our staff"),
        gettext_noop("Authenticator app added"),
        gettext_noop("Authenticator app removed"),
        gettext_noop("Passkey added"),
        gettext_noop("Passkey removed"),
        gettext_noop("Recovery codes added"),
        gettext_noop("Recovery codes removed"),
        gettext_noop("New recovery codes"),
    }
)
_WITH_A_NAME = (
    (re.compile(r"API key (?P<name>\S+) created"), gettext_noop("API key {name} created")),
    (re.compile(r"(?P<name>.+) unlinked"), gettext_noop("{name} unlinked")),
    (re.compile(r"(?P<name>.+) linked"), gettext_noop("{name} linked")),
)


def told(detail: str) -> str:
    """The phrase in the language that is active."""
    if detail in _WHOLE:
        return _(detail)
    for pattern, phrase in _WITH_A_NAME:
        if found := pattern.fullmatch(detail):
            return _(phrase).format(name=found["name"])
    return detail
