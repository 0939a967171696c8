"""What staff are told of sanctions screening.

What must never happen here: a message to the customer, who must not learn of a case, or a name in one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exchange.notifications.message import Message

KINDS = {
    "person": "by name",
    "withdrawal": "a listed address was to be paid",
    "deposit": "coins came from a listed address",
}


def case_opened(payload: dict[str, Any]) -> Message | None:
    """Only what is strong: the rest waits in the queue."""
    if not payload["strong"]:
        return None
    return Message(
        user_id=None,
        kind="screening_case",
        title=f"Screening case {payload['case_id']}: {KINDS[payload['kind']]}",
        body=f"Customer {payload['user_id']} sends no coins until two people have looked at it. Do not tell the customer.",
        link=f"/admin/kyc/screeningcase/{payload['case_id']}/change/",
        action="Look at the case",
    )


def refused(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=None,
        kind="sanctions_refused",
        title=f"A sanctions list was not taken: {payload['list']}",
        body="The one before is still in force. Find out what is wrong with the new one.",
        link="/admin/kyc/listversion/",
        facts=(("Why", payload["reason"][:300]),),
        action="Look at the lists",
    )


BY_TOPIC: dict[str, Callable[[dict[str, Any]], Message | None]] = {
    "kyc.screening_case_opened": case_opened,
    "kyc.sanctions_refused": refused,
}
