"""What is said about how an account is protected: log-ins, credentials, freezes, closing, the copy of the data.

These are the mails that a thief would like to keep from their reader, so they go out whether the account is open or shut, to the
address that was replaced as well, and carry the link that freezes the account. What must never happen here: words of a
stranger (a browser's name) that were not made printable before.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import reverse

from exchange.notifications.message import Message
from exchange.notifications.words import say

HUB = "/account/security/"


def new_device(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="new_device",
        title=say("new_device_title"),
        body=say("new_device_body"),
        link=HUB,
        facts=_whence(payload),
        not_me=True,
    )


def credential_changed(payload: dict[str, Any]) -> Message:
    until = payload.get("paused_until", "")
    return Message(
        user_id=payload["user_id"],
        kind="credential_changed",
        title=say(f"{payload['what']}_title"),
        body=say("changed_paused" if until else "changed_body"),
        link=HUB,
        facts=(
            *([(say("change"), payload["detail"])] if payload.get("detail") else []),
            *_whence(payload),
            *([(say("paused_until"), _minute(until))] if until else []),
        ),
        not_me=True,
        also_to=payload.get("also_to", ""),
    )


def frozen(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="account_frozen",
        title=say("frozen_title"),
        body=say("frozen_body"),
        link="/",
        even_if_shut=True,
        also_to=payload.get("also_to", ""),
    )


def lifted(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="freeze_lifted",
        title=say("lifted_title"),
        body=say("lifted_body"),
        link=reverse("account_reset_password"),
        action=say("lifted_action"),
        even_if_shut=True,
    )


def closed(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="account_closed",
        title=say("closed_title"),
        body=say("closed_body"),
        link="/",
        not_me=True,
        even_if_shut=True,
    )


def reopened(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="account_reopened",
        title=say("reopened_title"),
        body=say("reopened_body"),
        link=HUB,
        not_me=True,
    )


def export_ready(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="export_ready",
        title=say("export_title"),
        body=say("export_body", days=settings.EXPORT_KEPT_DAYS),
        link="/account/export/",
        action=say("export_action"),
        not_me=True,
    )


def export_failed(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="export_failed",
        title=say("export_failed_title"),
        body=say("export_failed_body"),
        link="/account/export/",
    )


BY_TOPIC = {
    "accounts.logged_in_from_new_device": new_device,
    "accounts.credential_changed": credential_changed,
    "accounts.frozen_by_customer": frozen,
    "accounts.freeze_lifted": lifted,
    "accounts.closed": closed,
    "accounts.reopened": reopened,
    "accounts.export_ready": export_ready,
    "accounts.export_failed": export_failed,
}


def _whence(payload: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    facts = (
        (say("at"), _minute(payload["at"])),
        (say("address"), payload.get("address", "")),
        (say("browser"), payload.get("browser", "")),
    )
    return tuple((name, value) for name, value in facts if value)


def _minute(iso: str) -> str:
    return f"{iso[:10]} {iso[11:16]} UTC"
