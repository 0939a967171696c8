"""One call for every change of a credential: audited, told by e-mail, and withdrawals pause.

Whoever changes one calls `changed` in the same transaction. What must never happen here: a change that is not told to its
owner, or a secret in what is told.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from django.db import transaction

from exchange.accounts.services import pauses
from exchange.accounts.whence import of_origin
from exchange.audit import services as audit
from exchange.core import times
from exchange.outbox import services as outbox

What = Literal["password", "factor", "email", "linked_account", "api_key", "recovery_codes"]


def changed(
    *,
    user_id: int,
    what: What,
    detail: str = "",
    actor_id: int | None = None,
    origin: str = "",
    first: bool = False,
    also_to: str = "",
    now: datetime,
) -> None:
    """Writes it down, pauses withdrawals, tells the customer.

    `detail` is a few words for the e-mail and the record ("Authenticator app added"); `first` a credential that replaces none
    (the first factor): it pauses nothing. `also_to` is an address the news goes to as well: the one that was replaced.
    `actor_id` is who did it where it was not the customer.
    """
    actor_id = user_id if actor_id is None else actor_id
    with transaction.atomic():
        audit.record(
            actor_id=actor_id,
            action="credential.change",
            subject=f"user:{user_id}",
            after={"what": what, "detail": detail[:100]},
            origin=origin,
            now=now,
        )
        until = None
        if not first:
            until = pauses.pause(user_id=user_id, reason=f"{what} changed", actor_id=actor_id, origin=origin, now=now)
        whence = of_origin(origin)
        outbox.append(
            topic="accounts.credential_changed",
            key=f"user:{user_id}",
            payload={
                "user_id": user_id,
                "what": what,
                "detail": detail[:100],
                "at": times.iso(now),
                "address": whence.address,
                "browser": whence.browser,
                "paused_until": times.iso(until) if until else "",
                "also_to": also_to,
            },
            now=now,
        )
