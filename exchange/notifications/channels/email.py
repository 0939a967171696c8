"""E-mail: the message as text and as HTML, in the person's language, with the word that no forger knows.

What goes to an address that is not the person's any more is held to the change that took it away: that mail alone has a link
there which freezes the account, and none has a word that was chosen later. What must never happen here: power over an account for
whoever has its old mailbox, beyond that one link; a mail to a new mailbox about what happened before it.
"""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from exchange.accounts.services import mail_words
from exchange.accounts.services import not_me as not_me_links
from exchange.notifications.channels.parcels import Down, Later, Outcome, Parcel, Refused, Sent

RIGHT_TO_LEFT = "rtl"


def switched_on() -> bool:
    return True


def send(parcel: Parcel) -> Outcome:
    try:
        with translation.override(parcel.language):
            composed(parcel).send()
    except OSError as error:  # smtplib's errors are of that kind, too
        return _judged(error)
    return Sent()


def _judged(error: OSError) -> Outcome:
    """A recipient or a text that was refused (RFC 5321: from 500 on for good) says nothing about the server; all else does."""
    recipients = getattr(error, "recipients", None)
    if isinstance(recipients, dict):
        code = max((code for code, _text in recipients.values()), default=550)
    elif type(error).__name__ == "SMTPDataError":
        code = int(getattr(error, "smtp_code", 450))
    else:
        return Down(type(error).__name__)
    return Refused(f"SMTP {code}") if code >= 500 else Later(f"SMTP {code}")


def composed(parcel: Parcel) -> EmailMultiAlternatives:
    """One mail to one address, in the language that is active. The word and the link that freezes are made for it alone."""
    message, event, site = parcel.message, parcel.event, settings.SITE_URL.rstrip("/")
    not_me = _not_me(parcel)
    context: dict[str, Any] = {
        "message": message,
        "language": parcel.language,
        "direction": RIGHT_TO_LEFT if translation.get_language_bidi() else "ltr",
        "url": site + message.link,
        "site": site,
        "settings_url": f"{site}/account/notifications/settings/",
        "action": message.action or _("Open {site}").format(site=settings.SITE_NAME),
        "see_it": message.action or _("See it at"),
        "site_name": settings.SITE_NAME,
        "event_at": event.created_at,
        "not_me_url": site + not_me if not_me else "",
        "mail_word": _word(parcel),
    }
    headers = {"Message-ID": _message_id(parcel), "Auto-Submitted": "auto-generated"}
    if message.kind == "announcement":  # the one kind that goes to many; mail programs show a button for it
        headers["List-Unsubscribe"] = f"<{context['settings_url']}>"
    mail = EmailMultiAlternatives(
        subject=" ".join(message.title.split()),
        body=render_to_string("notifications/email/message.txt", context),
        to=[parcel.address],
        headers=headers,
    )
    mail.attach_alternative(render_to_string("notifications/email/message.html", context), "text/html")
    return mail


def _present(parcel: Parcel) -> bool:
    """Whether the address is the person's still."""
    return parcel.address == parcel.person.email


def _not_me(parcel: Parcel) -> str:
    """The path of the link, "" where the mail has none. An address of before gets one in the mail about its own end alone, and
    none after staff have looked at the account since."""
    message, event = parcel.message, parcel.event
    if not message.not_me or message.user_id is None:
        return ""
    if not _present(parcel) and (
        message.also_to != parcel.address or not_me_links.settled_since(user_id=parcel.person.id, when=event.created_at)
    ):
        return ""
    return not_me_links.make(user_id=parcel.person.id, sent_to=parcel.address, about=message.kind, now=event.now)


def _word(parcel: Parcel) -> str:
    """Whoever holds an address that was replaced knows the word of then, and no later one."""
    person = parcel.person
    if parcel.message.user_id is None or not person.email_verified:
        return ""
    if not _present(parcel):
        chosen = mail_words.chosen_at(person.id)
        if chosen is None or chosen > parcel.event.created_at or not parcel.message.not_me:
            return ""
    return mail_words.of(person.id)


def _message_id(parcel: Parcel) -> str:
    """The same for each attempt at the same mail, so that one that came twice is shown once; not where a second says something
    else (a link of its own)."""
    event = parcel.event
    number = str(event.id) if parcel.message.once else f"{event.id}.{event.attempt}"
    if not _present(parcel):
        number += ".old"
    host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    return f"<bourse.{number}.{parcel.person.id}@{host}>"
