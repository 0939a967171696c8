"""What is said about a customer's verification. Reasons are named by code in the payload and told in words on the page.

What must never happen here: a word that the customer told us about himself, or what a reviewer wrote (a mailbox is read by more
people than a page behind a log-in).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exchange.notifications.message import Message

LINK = "/account/verification/"


def _message(
    payload: dict[str, Any], kind: str, title: str, body: str, action: str, *facts: tuple[str, str]
) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind=f"verification_{kind}",
        title=title,
        body=body,
        link=LINK,
        facts=(("Level", payload["level"]), *facts),
        action=action,
    )


def submitted(payload: dict[str, Any]) -> Message:
    body = "We have it, and look at it next. You will hear from us, usually within two days."
    return _message(payload, "submitted", "Your verification was handed in", body, "See where it stands")


def approved(payload: dict[str, Any]) -> Message:
    body = f"You have the level “{payload['level']}” now, with its limits."
    until = ("Holds until", payload["expires_at"])
    return _message(payload, "approved", "Your verification is approved", body, "See your level", until)


def rejected(payload: dict[str, Any]) -> Message:
    body = "We cannot give you this level. The page tells you why, and whether you can try again."
    return _message(payload, "rejected", "Your verification was turned down", body, "Read why")


def resubmit(payload: dict[str, Any]) -> Message:
    body = "Something has to be sent again. The page tells you what and why; the rest is kept as it is."
    return _message(payload, "resubmit", "We need something again for your verification", body, "Send it again")


def ending(payload: dict[str, Any]) -> Message:
    body = f"On {payload['expires_at']} the level “{payload['level']}” ends, and its limits with it. Renew it before."
    until = ("Ends on", payload["expires_at"])
    return _message(payload, "ending", "Your verification ends soon", body, "Renew it", until)


def expired(payload: dict[str, Any]) -> Message:
    body = f"The level “{payload['level']}” is over, and the lower limits hold now. You can renew it at any time."
    return _message(payload, "expired", "Your verification has ended", body, "Renew it")


BY_TOPIC: dict[str, Callable[[dict[str, Any]], Message | None]] = {
    "kyc.application_submitted": submitted,
    "kyc.application_approved": approved,
    "kyc.application_rejected": rejected,
    "kyc.application_resubmit": resubmit,
    "kyc.application_ending": ending,
    "kyc.application_expired": expired,
}
