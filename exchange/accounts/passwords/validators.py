"""The rules for new passwords that Django does not bring. There is none about which characters: a long phrase is a good password.

What must never happen here: a rule that rejects what a password safe makes.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from exchange.accounts.passwords import breached

LENGTH_MAX = 128


class NotTooLong:
    """Hashing costs what its input is long."""

    def validate(self, password: str, user: Any = None) -> None:
        if len(password) > LENGTH_MAX:
            raise ValidationError(
                _("A password has at most %(count)s characters.") % {"count": LENGTH_MAX}, code="password_too_long"
            )

    def get_help_text(self) -> str:
        return _("At most %(count)s characters, of any kind.") % {"count": LENGTH_MAX}


class NotBreached:
    """Not one that attackers have in their lists already."""

    def validate(self, password: str, user: Any = None) -> None:
        url = settings.BREACHED_PASSWORDS_URL
        if url and len(password) <= LENGTH_MAX and breached.times_seen(password, url=url):
            raise ValidationError(
                _("This password is known from a leak at another site, so attackers try it. Choose another one."),
                code="password_breached",
            )

    def get_help_text(self) -> str:
        return _("Not one that is known from a leak.")
