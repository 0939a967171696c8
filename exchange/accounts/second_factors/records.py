"""What a session's authentication steps, as allauth wrote them down, prove of the person behind it.

A step counts only while the factor that it was made with is still the person's: one that was removed or reset proves nothing
any more, in no session. What must never happen here: a password that counts as a factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from allauth.account.internal.flows import login

from exchange.accounts.second_factors import selectors

_SKEW_S = 5.0  # of two machines' clocks


@dataclass(frozen=True, slots=True)
class Step:
    """A second factor shown in this session. `again`: asked for anew, by somebody already logged in."""

    factor_id: int
    kind: str
    at: datetime
    again: bool


def steps(session: Mapping[str, Any], *, user_id: int, kinds: Mapping[int, str]) -> list[Step]:
    """The session's steps made with factors that the person still has (`kinds`, by id), oldest first."""
    if session.get(login._AUTHENTICATION_METHODS_USER_SESSION_KEY) != str(user_id):
        return []
    records = session.get(login.AUTHENTICATION_METHODS_SESSION_KEY)
    return [
        Step(
            record["id"], record["type"], datetime.fromtimestamp(record["at"], UTC), bool(record.get("reauthenticated"))
        )
        for record in (records if isinstance(records, list) else [])
        if record.get("method") == "mfa" and kinds.get(record.get("id"), "") == record.get("type")
    ]


def fresh(found: list[Step], *, within_s: float, now: datetime) -> bool:
    """Whether the person confirmed again within so many seconds. The log-in itself is no confirmation."""
    return any(step.again and -_SKEW_S <= (now - step.at).total_seconds() <= within_s for step in found)


def verified(found: list[Step], *, within_s: float, now: datetime) -> Step | None:
    """The newest step by TOTP or passkey within so many seconds, by which the session counts as verified for staff; a recovery
    code does not."""
    return next(
        (
            step
            for step in reversed(found)
            if step.kind in selectors.FACTORS and -_SKEW_S <= (now - step.at).total_seconds() <= within_s
        ),
        None,
    )
