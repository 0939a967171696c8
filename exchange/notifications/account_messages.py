"""What is said about how an account is protected: log-ins, credentials, freezes, closing, the copy of the data.

These are the mails that a thief would like to keep from their reader, so they go out whether the account is open or shut, to the
address that was replaced as well, and carry the link that freezes the account. What must never happen here: words of a
stranger (a browser's name) that were not made printable before.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, pgettext

from exchange.notifications.details import told
from exchange.notifications.message import Message

HUB = "/account/security/"
TEST = "notifications.test"
_CHANGED = {
    "password": gettext_noop("Your password was changed"),
    "factor": gettext_noop("Your second factors were changed"),
    "email": gettext_noop("Your e-mail address was changed"),
    "linked_account": gettext_noop("Your linked accounts were changed"),
    "api_key": gettext_noop("Your API keys were changed"),
    "recovery_codes": gettext_noop("Your recovery codes were changed"),
}


def new_device(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="new_device",
        title=_("New log-in to your account"),
        body=_(
            "Somebody logged in from a browser or app that we have not seen with you before. If it was you, there is "
            "nothing to do."
        ),
        link=HUB,
        facts=_whence(payload),
        not_me=True,
    )


def credential_changed(payload: dict[str, Any]) -> Message:
    until = payload.get("paused_until", "")
    return Message(
        user_id=payload["user_id"],
        kind="credential_changed",
        title=_(_CHANGED[payload["what"]]),
        body=_("How your account is protected has changed. As a precaution, withdrawals are paused for a while.")
        if until
        else _("How your account is protected has changed."),
        link=HUB,
        facts=(
            *([(pgettext("in a mail", "What"), told(payload["detail"]))] if payload.get("detail") else []),
            *_whence(payload),
            *([(_("Withdrawals paused until"), _minute(until))] if until else []),
        ),
        not_me=True,
        also_to=payload.get("also_to", ""),
    )


def frozen(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="account_frozen",
        title=_("Your account is frozen"),
        body=_(
            "“This was not me” was pressed in one of our e-mails. All log-ins and API keys have ended, the password "
            "is void, and nothing can be withdrawn. Please write to support: they open the account again once they "
            "know it is you."
        ),
        link="/",
        even_if_shut=True,
        also_to=payload.get("also_to", ""),
    )


def lifted(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="freeze_lifted",
        title=_("Your account is open again"),
        body=_(
            "Our staff have lifted the freeze. Choose a new password before you log in; withdrawals stay paused for a "
            "while after that. Look at your second factors, linked accounts and API keys."
        ),
        link=reverse("account_reset_password"),
        action=_("Choose a new password"),
        even_if_shut=True,
        also_to=payload.get("also_to", ""),  # who said "this was not me", should the account have another address still
    )


def closed(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="account_closed",
        title=_("Your account is closed"),
        body=_(
            "You closed it. Nobody can log in any more; the books are kept as the law asks. If you change your mind, "
            "write to support."
        ),
        link="/",
        not_me=True,
        even_if_shut=True,
    )


def reopened(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="account_reopened",
        title=_("Your account is open again"),
        body=_("Our staff have opened it again, as you asked."),
        link=HUB,
        not_me=True,
    )


def export_ready(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="export_ready",
        title=_("Your data is ready"),
        body=_("The copy of your data that you asked for can be downloaded after you log in, for {days} days.").format(
            days=settings.EXPORT_KEPT_DAYS
        ),
        link="/account/export/",
        action=_("Download it"),
        not_me=True,
    )


def export_failed(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="export_failed",
        title=_("Your data could not be gathered"),
        body=_(
            "Something broke on our side while we made the copy of your data. A day after you asked for it you can "
            "ask again."
        ),
        link="/account/export/",
    )


def test(payload: dict[str, Any]) -> Message:
    return Message(
        user_id=payload["user_id"],
        kind="test",
        title=_("This is a test"),
        body=_("You asked for it on the page of your notification settings. This is how news reaches you here."),
        link="/account/notifications/settings/",
    )


BY_TOPIC = {
    TEST: test,
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
        (pgettext("in a mail", "When"), _minute(payload["at"])),
        (pgettext("in a mail", "From"), payload.get("address", "")),
        (pgettext("in a mail", "With"), payload.get("browser", "")),
    )
    return tuple((name, value) for name, value in facts if value)


def _minute(iso: str) -> str:
    return f"{iso[:10]} {iso[11:16]} UTC"
