"""What the security pages show: how the account is protected, in a few queries whose number does not grow.

What must never happen here: a secret on its way to a page, not even part of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exchange.accounts import protection, selectors
from exchange.accounts.second_factors import selectors as factors
from exchange.accounts.services import exporting, mail_words

ATTEMPTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Board:
    """The hub's page."""

    person: selectors.Person
    paused_until: datetime | None
    factors: tuple[str, ...]
    recovery_codes: bool
    log_ins: int
    devices: int
    mail_word_since: datetime | None

    @property
    def next_steps(self) -> tuple[str, ...]:
        """What still weakens the account, the weightiest first."""
        left = (
            ("email", not self.person.email_verified),
            ("factor", not self.factors),
            ("codes", bool(self.factors) and not self.recovery_codes),
            ("word", self.mail_word_since is None),
        )
        return tuple(name for name, missing in left if missing)


@dataclass(frozen=True, slots=True)
class ExportLine:
    """A copy of the data that was asked for; `ready` is whether it can be downloaded now."""

    id: int
    state: str
    requested_at: datetime
    expires_at: datetime | None
    size: int
    ready: bool


def board(*, user_id: int, session_key: str | None, now: datetime) -> Board:
    found = factors.factors(user_id)
    return Board(
        person=selectors.person(user_id),
        paused_until=selectors.paused_until(user_id, now),
        factors=tuple(each.name for each in found if each.kind in factors.FACTORS),
        recovery_codes=any(each.kind == factors.RECOVERY_CODES for each in found),
        log_ins=len(protection.log_ins(user_id, session_key=session_key, now=now)),
        devices=len(protection.devices(user_id, current=None)),
        mail_word_since=mail_words.chosen_at(user_id),
    )


def exports(*, user_id: int, now: datetime) -> list[ExportLine]:
    """The last copies, newest first."""
    return [
        ExportLine(
            id=row.id,
            state=row.state,
            requested_at=row.requested_at,
            expires_at=row.expires_at,
            size=row.size,
            ready=row.state == "ready" and row.expires_at is not None and row.expires_at > now,
        )
        for row in exporting.listing(user_id)
    ]
