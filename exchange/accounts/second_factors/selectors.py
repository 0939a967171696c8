"""Which second factors a person has.

What must never happen here: a secret, a seed or a key leaves with the answer; or recovery codes counted as a factor of their
own (they only stand in for one).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from allauth.mfa.models import Authenticator

TOTP = Authenticator.Type.TOTP.value
PASSKEY = Authenticator.Type.WEBAUTHN.value
RECOVERY_CODES = Authenticator.Type.RECOVERY_CODES.value
FACTORS = (TOTP, PASSKEY)


@dataclass(frozen=True, slots=True)
class Factor:
    """One of a person's means of showing that it is them. `kind` is TOTP, PASSKEY or RECOVERY_CODES."""

    id: int
    kind: str
    name: str
    added_at: datetime
    last_used_at: datetime | None


def has_factor(user_id: int) -> bool:
    """Whether the person has a TOTP app or a passkey. One query."""
    return Authenticator.objects.filter(user_id=user_id, type__in=FACTORS).exists()


def factors(user_id: int) -> list[Factor]:
    """All of them, recovery codes too, oldest first. One query."""
    return [
        Factor(row.id, row.type, str(row), row.created_at, row.last_used_at)
        for row in Authenticator.objects.filter(user_id=user_id).order_by("id")
    ]


def kinds(user_id: int) -> dict[int, str]:
    """The kind of each by its id: what a session's record is compared with. One query."""
    return dict(Authenticator.objects.filter(user_id=user_id).values_list("id", "type"))
