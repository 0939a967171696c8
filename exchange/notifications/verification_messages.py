"""What is said about a customer's verification. Reasons are named by code in the payload and told in words on the page.

What must never happen here: a word that the customer told us about himself, or what a reviewer wrote (a mailbox is read by more
people than a page behind a log-in).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

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
        facts=((_("Level"), payload["level"]), *facts),
        action=action,
    )


def submitted(payload: dict[str, Any]) -> Message:
    body = _("We have it, and look at it next. You will hear from us, usually within two days.")
    return _message(payload, "submitted", _("Your verification was handed in"), body, _("See where it stands"))


def approved(payload: dict[str, Any]) -> Message:
    body = _("You have the level “{level}” now, with its limits.").format(level=payload["level"])
    until = (_("Holds until"), payload["expires_at"])
    return _message(payload, "approved", _("Your verification is approved"), body, _("See your level"), until)


def rejected(payload: dict[str, Any]) -> Message:
    body = _("We cannot give you this level. The page tells you why, and whether you can try again.")
    return _message(payload, "rejected", _("Your verification was turned down"), body, _("Read why"))


def resubmit(payload: dict[str, Any]) -> Message:
    body = _("Something has to be sent again. The page tells you what and why; the rest is kept as it is.")
    return _message(payload, "resubmit", _("We need something again for your verification"), body, _("Send it again"))


def ending(payload: dict[str, Any]) -> Message:
    said = {"day": payload["expires_at"], "level": payload["level"]}
    body = _("On {day} the level “{level}” ends, and its limits with it. Renew it before.").format(**said)
    until = (_("Ends on"), payload["expires_at"])
    return _message(payload, "ending", _("Your verification ends soon"), body, _("Renew it"), until)


def expired(payload: dict[str, Any]) -> Message:
    body = _("The level “{level}” is over, and the lower limits hold now. You can renew it at any time.").format(
        level=payload["level"]
    )
    return _message(payload, "expired", _("Your verification has ended"), body, _("Renew it"))


BY_TOPIC: dict[str, Callable[[dict[str, Any]], Message | None]] = {
    "kyc.application_submitted": submitted,
    "kyc.application_approved": approved,
    "kyc.application_rejected": rejected,
    "kyc.application_resubmit": resubmit,
    "kyc.application_ending": ending,
    "kyc.application_expired": expired,
}
